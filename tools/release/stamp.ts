/**
 * Stamps the action for a release, and checks that a release's commit does nothing else:
 *
 *     deno run -A tools/release/stamp.ts write --repository OWNER/REPO --parent SHA --assets DIR
 *     deno run -A tools/release/stamp.ts check --repository OWNER/REPO --parent SHA --assets DIR COMMIT
 *
 * Written are action/release.txt (the version, and of each archive the hash and the size) and one line of action.yml: the
 * action's own post step is named by the full SHA of the commit before, which has the same files. On a branch that line is
 * `$/post`, the action of the same commit, which needs a runner of 2026 and github.com; a SHA works everywhere.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { VERSION } from "../../lib/cli/version.ts";
import { TARGETS } from "./targets.ts";

/** The files of which a release has versions of its own, by their names in the project. */
export const STAMPED = ["action.yml", "action/release.txt"] as const;

/** A published archive. */
export interface Asset {
  readonly platform: string;
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** What is stamped. */
export interface Release {
  /** `owner/name` on GitHub. */
  readonly repository: string;
  readonly version: string;
  /** The full SHA of the commit that the release's commit is made on. */
  readonly parent: string;
  readonly assets: readonly Asset[];
}

/** action/release.txt of a release. Throws when an archive is missing, or anything is not of its form. */
export function releaseText({ repository, version, assets }: Release): string {
  mustMatch("a repository", repository, /^[\w.-]+\/[\w.-]+$/);
  mustMatch("a version", version, /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/);
  const missing = TARGETS.filter(({ platform }) =>
    !assets.some((one) => one.platform === platform)
  );
  if (missing.length > 0) {
    throw new Error(`no archive for ${missing.map(({ platform }) => platform).join(", ")}`);
  }
  const lines = assets.map(({ platform, sha256, size }) => {
    mustMatch("a SHA-256", sha256, /^[0-9a-f]{64}$/);
    return `${platform} ${sha256} ${size}\n`;
  });
  return `# What this action installs: where it is published, the version, and for each system the archive's SHA-256 and size in bytes.
repository ${repository}
version ${version}
${lines.join("")}`;
}

/** action.yml of a release, from a branch's. Throws unless that nests its own post step exactly once. */
export function actionText(text: string, { repository, parent }: Release): string {
  mustMatch("a full SHA", parent, /^[0-9a-f]{40}$/);
  const nested = /^(\s*(?:- )?uses: )\$\/post$/gm;
  const found = [...text.matchAll(nested)].length;
  if (found !== 1) {
    throw new Error(`action.yml has ${found} lines "uses: $/post", and should have one`);
  }
  return text.replace(nested, `$1${repository}/post@${parent}`);
}

/** What is wrong with the commit of a release whose parent has `before`: a sentence each; none is right. */
export function wrongInRelease(
  release: Release,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  changed: readonly string[],
): string[] {
  const right: Record<(typeof STAMPED)[number], string> = {
    "action.yml": actionText(before["action.yml"] ?? "", release),
    "action/release.txt": releaseText(release),
  };
  return [
    ...changed.filter((file) => !STAMPED.some((one) => one === file))
      .map((file) => `${file} is changed, and is none of the stamped files`),
    ...STAMPED.filter((file) => after[file] !== right[file])
      .map((file) => `${file} is not what stamping writes`),
  ];
}

function mustMatch(what: string, text: string, form: RegExp): void {
  if (!form.test(text)) throw new Error(`not ${what}: ${text}`);
}

/** The archives in a folder; those that are not there are left out. */
export async function assetsIn(folder: string): Promise<Asset[]> {
  const all = await Promise.all(TARGETS.map(async ({ platform, archive }) => {
    const content = await readFile(join(folder, archive)).catch(() => null);
    if (content === null) return [];
    const sha256 = createHash("sha256").update(content).digest("hex");
    return [{ platform, sha256, size: content.length }];
  }));
  return all.flat();
}

async function git(...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args: [...args] }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function filesOf(commit: string): Promise<Record<string, string>> {
  const read = STAMPED.map(async (file) => [file, await git("show", `${commit}:${file}`)] as const);
  return Object.fromEntries(await Promise.all(read));
}

async function main(): Promise<number> {
  const { values, positionals: [command, commit = "HEAD"] } = parseArgs({
    allowPositionals: true,
    options: {
      repository: { type: "string", default: "" },
      parent: { type: "string", default: "" },
      assets: { type: "string", default: "dist/release" },
    },
  });
  const { repository, parent } = values;
  const assets = await assetsIn(resolve(values.assets));
  const release = { repository, version: VERSION, parent, assets };
  if (command === "write") {
    const file = join(process.cwd(), "action.yml");
    await writeFile(file, actionText(await readFile(file, "utf8"), release));
    await writeFile(join(process.cwd(), "action/release.txt"), releaseText(release));
    return 0;
  }
  if (command !== "check") throw new Error("usage: stamp.ts write | check … COMMIT");
  const parents = (await git("rev-list", "--parents", "-n", "1", commit)).trim().split(" ").slice(
    1,
  );
  const changed = (await git("diff", "--name-only", parent, commit)).split("\n").filter(Boolean);
  const wrong = wrongInRelease(release, await filesOf(parent), await filesOf(commit), changed);
  if (parents.join() !== parent) {
    wrong.unshift(`its parent is ${parents.join()}, and not ${parent}`);
  }
  for (const sentence of wrong) console.error(sentence);
  return wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
