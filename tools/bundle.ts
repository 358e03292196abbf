/**
 * Bundles the program into one file for Deno and for Node >= 22.13: `deno task bundle`.
 *
 * The bundle is a script in a function, whose modules get what they import of the runtime when they are run first, not all of it at the
 * start as `import` would. So the lifeline, or `--help`, does not load an HTTP client.
 */
import { isBuiltin } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The project's folder, with a slash at its end. */
export const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/**
 * What stands in place of what is left out.
 *
 * Of @kubernetes/client-node 2.0.1 the kubeconfig is used and not the client, but what reads a kubeconfig imports the client's HTTP library
 * and generated code all the same: 1.1 MB that every start would read and every waiter hold in memory.
 */
const LEFT_OUT: Readonly<Record<string, string>> = {
  // Only for requests by the generated client.
  "undici": "{}",
  "./gen/index.js": "{}",
  // The types of an API server's objects: a kubeconfig is none of them, and is read as it stands.
  "./serializer.js": "{ObjectSerializer:{deserialize:(data)=>data}}",
  "./util.js": '{getSerializationType:()=>"any"}',
  // Looked for by a package that does without it.
  "supports-color": "{}",
};

/** Bundles `entry` into `file`. It must not wait at its top level, which a script cannot. */
export async function bundle(entry: string, file: string): Promise<void> {
  await denoBundle(entry, file, ["--minify"]);
  await Deno.writeTextFile(file, script(await Deno.readTextFile(file)));
}

/**
 * The files that are put together in the bundle of `entry`, by their paths from the root of the disk or within the project.
 * The same bundle is made for it once more in `scratch`, but with the bundler's comments, which name each file.
 */
export async function bundledFiles(entry: string, scratch: string): Promise<readonly string[]> {
  await denoBundle(entry, scratch, []);
  const text = await Deno.readTextFile(scratch);
  return [...text.matchAll(/^\/\/ (\S+\.(?:ts|[cm]?js|json))$/gm)].map(([, path = ""]) =>
    fileURLToPath(new URL(path, `file://${PROJECT}`))
  );
}

async function denoBundle(entry: string, file: string, more: readonly string[]): Promise<void> {
  const external = Object.keys(LEFT_OUT).flatMap((name) => ["--external", name]);
  const options = ["--quiet", "--platform", "deno", "--format", "cjs", ...more, ...external];
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...options, "-o", file, entry],
    cwd: PROJECT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`deno bundle has failed for ${entry}`);
}

/** The bundle's code with what it requires. Throws when that is anything unknown, such as of a new version of a package. */
function script(code: string): string {
  for (const [, name = ""] of code.matchAll(/\brequire\("([^"]+)"\)/g)) {
    if (!isBuiltin(name) && !(name in LEFT_OUT)) throw new Error(`the bundle wants ${name}`);
  }
  const leftOut = Object.entries(LEFT_OUT).map(([name, value]) => `"${name}":${value}`);
  const require = `((o)=>(n)=>o[n]??process.getBuiltinModule(n))({${leftOut.join()}})`;
  return `"use strict";(function(require){${code}\n})(${require});\n`;
}

if (import.meta.main) {
  const [entry = "main.ts", file = "dist/k8s-lock.js"] = process.argv.slice(2);
  await bundle(entry, file);
}
