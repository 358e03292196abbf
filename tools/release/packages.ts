/** The packages that are really in the bundle, with the licences under which they are passed on. */
import { Buffer } from "node:buffer";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundledFiles, PROJECT } from "../bundle.ts";

/** A package of which at least one file is in the bundle. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** Its SPDX licence. */
  readonly license: string;
  /** What its licence, and its notice where it has one, say. */
  readonly licenseText: string;
  /** SHA-512 of its archive on npm, in hexadecimal digits: what deno.lock holds it to. */
  readonly sha512: string;
  /** The names of the packages that it asks for and that are in the bundle too. */
  readonly dependencies: readonly string[];
}

/** Licences that ask for no more than their own text: that is passed on with every archive. */
const ALLOWED = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD"]);

interface LockedPackage {
  readonly integrity: string;
  readonly dependencies?: readonly string[];
}

/**
 * All packages in the bundle of `entry`, by name. Throws when one is not in deno.lock, has a licence that nobody has
 * looked at or no text of it, or when a file is neither the project's nor a package's.
 */
export async function bundledPackages(entry = "main.ts"): Promise<readonly Package[]> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-packages-"));
  try {
    const found = new Map<string, { name: string; version: string; folder: string }>();
    for (const file of await bundledFiles(entry, join(folder, "bundle.js"))) {
      // Where Deno keeps packages: …/npm/HOST/NAME/VERSION/…
      const [, path, name, version] =
        /^(.*\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/(\d[^/]*))\//.exec(file) ?? [];
      if (path && name && version) found.set(`${name}@${version}`, { name, version, folder: path });
      else if (!file.startsWith(PROJECT)) {
        throw new Error(`the bundle has a file of nobody's: ${file}`);
      }
    }
    const names = new Set([...found.values()].map(({ name }) => name));
    const packages = await Promise.all([...found.values()].map((one) => described(one, names)));
    return packages.sort((a, b) => a.name < b.name ? -1 : 1);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function described(
  { name, version, folder }: { name: string; version: string; folder: string },
  names: ReadonlySet<string>,
): Promise<Package> {
  const { license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  if (!ALLOWED.has(license)) {
    throw new Error(`nobody has looked at the licence of ${name}: ${license}`);
  }
  const texts = (await readdir(folder)).filter((file) =>
    /^(licen[cs]e|copying|notice)/i.test(file)
  );
  if (texts.length === 0) throw new Error(`${name} comes without the text of its licence`);
  const licenseText = await Promise.all(
    texts.sort().map((file) => readFile(join(folder, file), "utf8")),
  );
  const locked = await lockedPackage(name, version);
  const [, sha512 = ""] = /^sha512-(.+)$/.exec(locked.integrity) ?? [];
  return {
    name,
    version,
    license,
    licenseText: licenseText.map((text) => text.trim()).join("\n\n"),
    sha512: Buffer.from(sha512, "base64").toString("hex"),
    dependencies: (locked.dependencies ?? []).map(nameOf).filter((one) => names.has(one)).sort(),
  };
}

async function lockedPackage(name: string, version: string): Promise<LockedPackage> {
  const { npm } = JSON.parse(await readFile(join(PROJECT, "deno.lock"), "utf8"));
  // Behind its own version may stand those of its peers: a@1.0.0_b@2.0.0
  const key = Object.keys(npm).find((key) => key.split("_")[0] === `${name}@${version}`);
  if (key === undefined) {
    throw new Error(`${name}@${version} is in the bundle and not in deno.lock`);
  }
  return npm[key];
}

/** `@scope/name@1.2.3` and `@scope/name` alike. */
function nameOf(dependency: string): string {
  return dependency.replace(/(?<=.)@.*$/, "");
}

/** The version of Deno that is running: its runtime is what `deno compile` puts around the bundle. */
export const RUNTIME_VERSION: string = Deno.version.deno;

/** The text of all licences of what the binary has in it, as a file for each archive. */
export function licensesText(packages: readonly Package[]): string {
  const parts = packages.map(({ name, version, license, licenseText }) =>
    `${name} ${version} (${license})\n\n${licenseText}\n`
  );
  const runtime = `Deno ${RUNTIME_VERSION} (MIT): in the binaries, not in k8s-lock.js

It has V8 and other parts in it; their notices are in its repository, github.com/denoland/deno, at v${RUNTIME_VERSION}.

${MIT("2018-2026 the Deno authors")}
`;
  return ["k8s-lock has these parts of others in it.\n", ...parts, runtime]
    .join(`\n${"=".repeat(80)}\n\n`);
}

const MIT = (holder: string) =>
  `MIT License

Copyright ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;
