/** The npm package: the bundle as a command, so that `npx k8s-lock` works wherever Node.js 22.13 does. */
import { Buffer } from "node:buffer";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

/** What the package is made from. */
export interface NpmPackage {
  readonly version: string;
  /** `owner/name` on GitHub: npm compares it with who publishes. */
  readonly repository: string;
  /** The bundle. */
  readonly code: Uint8Array;
  readonly license: Uint8Array;
  readonly licenses: Uint8Array;
  /** A folder in which it is put together. */
  readonly scratch: string;
}

/** The package as npm packs it, the same each time: npm gives its files no times of their own. */
export async function packNpm(
  { version, repository, code, license, licenses, scratch }: NpmPackage,
): Promise<Uint8Array> {
  const folder = join(scratch, "npm");
  await mkdir(folder);
  const put = (name: string, content: Uint8Array | string) =>
    writeFile(join(folder, name), content);
  const repositoryUrl = `git+https://github.com/${repository}.git`;
  await put(
    "package.json",
    JSON.stringify(
      {
        name: "k8s-lock",
        version,
        description: "Makes CI jobs take turns, by a lock kept in a Kubernetes cluster",
        keywords: ["kubernetes", "lock", "mutual-exclusion", "ci", "deploy"],
        homepage: `https://github.com/${repository}#readme`,
        repository: { type: "git", url: repositoryUrl },
        license: "MIT",
        type: "commonjs",
        bin: { "k8s-lock": "k8s-lock.js" },
        files: ["k8s-lock.js", "LICENSES-OF-PARTS"],
        engines: { node: ">=22.13" },
      },
      null,
      2,
    ) + "\n",
  );
  await put(
    "k8s-lock.js",
    Buffer.concat([Buffer.from("#!/usr/bin/env node\n"), code]),
  );
  await chmod(join(folder, "k8s-lock.js"), 0o755);
  await put("LICENSE", license);
  await put("LICENSES-OF-PARTS", licenses);
  await put(
    "README.md",
    `# k8s-lock

Makes CI jobs take turns: \`npx k8s-lock run deploy -- ./deploy.sh\` holds a lock in your Kubernetes cluster while the
command runs. How it works, and all else: https://github.com/${repository}
`,
  );
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { success, stdout } = await new Deno.Command(npm, {
    args: ["pack", "--silent", "--ignore-scripts", folder],
    cwd: scratch,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("npm pack has failed");
  return await readFile(join(scratch, new TextDecoder().decode(stdout).trim()));
}
