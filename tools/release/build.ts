/**
 * Builds everything that a release consists of, the same byte for byte each time:
 *
 *     deno run -A tools/release/build.ts [--repository OWNER/REPO] [--out dist/release] [PLATFORM…]
 *
 * The archive of each platform, the bundle, the npm package, the bill of materials, and SHA256SUMS of all of them.
 * Times are those of the commit (or SOURCE_DATE_EPOCH). Needs npm and, of Deno, exactly the version of this project's gate.
 *
 * `deno compile` downloads the runtime of each platform. Where that cannot be reached, DENORT_BIN names one on the disk,
 * which serves for its own system only.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { VERSION } from "../../lib/cli/version.ts";
import { bundle, PROJECT } from "../bundle.ts";
import { tarGz } from "./archive.ts";
import { packNpm } from "./npm.ts";
import { bundledPackages, licensesText } from "./packages.ts";
import { sbom } from "./sbom.ts";
import { type Target, targetsNamed } from "./targets.ts";

/** What is built, and for whom. */
export interface Build {
  /** `owner/name` on GitHub. */
  readonly repository: string;
  /** The folder for the files; made, and emptied of what was there. */
  readonly out: string;
  readonly targets: readonly Target[];
  /** The time of everything in it, in seconds since 1970. */
  readonly seconds: number;
}

/** Builds a release into its folder; the names of its files, SHA256SUMS last. */
export async function build({ repository, out, targets, seconds }: Build): Promise<string[]> {
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), "k8s-lock-build-"));
  try {
    // The name of the folder is compiled in. So it is always the same, wherever the project lies.
    await mkdir(join(scratch, "k8s-lock"));
    const script = join(scratch, "k8s-lock", "k8s-lock.js");
    await bundle("main.ts", script);
    // So is its time.
    await utimes(script, seconds, seconds);
    const code = await readFile(script);
    const packages = await bundledPackages();
    const licenses = Buffer.from(licensesText(packages));
    const license = await readFile(join(PROJECT, "LICENSE"));
    const texts = [
      { name: "LICENSE", content: license, executable: false },
      { name: "LICENSES-OF-PARTS", content: licenses, executable: false },
    ];

    const files = new Map<string, Uint8Array>();
    for (const target of targets) {
      // And the name of the output.
      const file = join(scratch, target.platform, target.program);
      const binary = await compile(script, target.triple, file);
      if (!binary.includes(code)) {
        throw new Error(`the binary of ${target.platform} is not this bundle`);
      }
      const program = { name: target.program, content: binary, executable: true };
      files.set(target.archive, tarGz([program, ...texts], seconds));
    }
    files.set("k8s-lock.js", code);
    files.set("LICENSES-OF-PARTS", licenses);
    const bundleSha256 = sha256(code);
    const bill = sbom({ version: VERSION, repository, bundleSha256, seconds, packages });
    files.set("k8s-lock.cdx.json", Buffer.from(bill));
    const npm = await packNpm({ version: VERSION, repository, code, license, licenses, scratch });
    files.set(`k8s-lock-${VERSION}.tgz`, npm);

    for (const [name, content] of files) await writeFile(join(out, name), content);
    const sums = [...files].map(([name, content]) => `${sha256(content)}  ${name}\n`).sort((a, b) =>
      a.slice(66) < b.slice(66) ? -1 : 1
    );
    await writeFile(join(out, "SHA256SUMS"), sums.join(""));
    return [...files.keys(), "SHA256SUMS"];
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/**
 * The binary of a script for a target.
 *
 * With all permissions: without them Deno refuses /proc/PID/environ, by which the lifeline finds what a dead holder left
 * running, and login plugins may be any program. Without the code cache: that is a file of a foreseeable name in the
 * folder for temporary files, which on a shared machine another user could have put there.
 */
async function compile(script: string, triple: string, file: string): Promise<Buffer> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--quiet", "-A", "--no-config", "--no-lock", "--no-code-cache"]
      .concat("--target", triple, "--output", file, script),
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`deno compile has failed for ${triple}`);
  return await readFile(file);
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The time of the commit that is checked out, or what SOURCE_DATE_EPOCH says; in seconds since 1970. */
async function commitTime(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given) return Number(given);
  const { stdout } = await new Deno.Command("git", {
    args: ["log", "-1", "--format=%ct"],
    cwd: PROJECT,
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      repository: { type: "string", default: "OWNER/REPO" },
      out: { type: "string", default: "dist/release" },
    },
  });
  const files = await build({
    repository: values.repository,
    out: resolve(values.out),
    targets: targetsNamed(positionals),
    seconds: await commitTime(),
  });
  console.log(files.join("\n"));
}
