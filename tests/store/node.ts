/** A Node that is new enough for `node:sqlite`, and what it is to run. */
import { CHILD, temporaryFolder } from "./sqlite_support.ts";

/** Where Node is, or why there is none. */
export type FoundNode =
  | { readonly found: true; readonly path: string }
  | { readonly found: false; readonly why: string };

/** The Node on PATH where it is 22.13 or newer, else one by npm. */
export async function nodeCommand(): Promise<FoundNode> {
  const print = "process.versions.node + ' ' + process.execPath";
  const tried = [["node", "-p", print], ["npx", "-y", "node@24", "-p", print]];
  for (const [program = "", ...args] of tried) {
    const [version = "0", path] = (await output(program, args)).trim().split(" ");
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (path !== undefined && (major > 22 || (major === 22 && minor >= 13))) {
      return { found: true, path };
    }
  }
  return { found: false, why: "no Node of 22.13 or newer, neither on PATH nor by npm" };
}

/** `sqlite_child.ts` with all that it imports in one file, as Node needs it. */
export async function bundled(): Promise<Disposable & { readonly path: string }> {
  const folder = temporaryFolder();
  const path = `${folder.path}/child.mjs`;
  const args = ["bundle", "--platform", "deno", "--no-config", "-o", path, CHILD];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return { path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function output(program: string, args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(program, { args, stdin: "null", stderr: "null" })
      .output();
    return new TextDecoder().decode(stdout);
  } catch {
    return "";
  }
}
