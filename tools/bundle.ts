/**
 * Bundles the program into one file for Deno and for Node >= 22.13: `deno task bundle`.
 *
 * Of @kubernetes/client-node 2.0.1 the kubeconfig is used and not the client, but what reads a kubeconfig imports the client's HTTP library
 * and generated code all the same: 1.1 MB that every start would read and every waiter hold in memory. Here they are left out.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";

const missing = (name: string) => `function(){throw new Error("${name} is not in this bundle")}`;

/** What is left out: who is imported, what is imported of it, and what stands in its place. */
const LEFT_OUT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Only for requests by the generated client.
  "undici": { Agent: missing("Agent"), ProxyAgent: missing("ProxyAgent") },
  "./gen/index.js": {
    ServerConfiguration: missing("ServerConfiguration"),
    createConfiguration: missing("createConfiguration"),
  },
  // The types of an API server's objects: a kubeconfig is none of them, and is read as it stands.
  "./serializer.js": { ObjectSerializer: "{deserialize:(data)=>data}" },
  "./util.js": { getSerializationType: '()=>"any"' },
};

/** Bundles `entry` into `file`, without what this program does not use of its packages. */
export async function bundle(entry: string, file: string): Promise<void> {
  const external = Object.keys(LEFT_OUT).flatMap((name) => ["--external", name]);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--platform", "deno", ...external, "-o", file, entry],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`deno bundle has failed for ${entry}`);
  await Deno.writeTextFile(file, withoutLeftOut(await Deno.readTextFile(file)));
}

/** `code` with what stands in place of what is left out. Throws when anything else of it is wanted: a new version of the package. */
function withoutLeftOut(code: string): string {
  for (const [from, names] of Object.entries(LEFT_OUT)) {
    const imports = new RegExp(`\\bimport\\{([^}]*)\\}from"${RegExp.escape(from)}";`, "g");
    code = code.replace(imports, (_, list: string) => {
      const bindings = list.split(",").map((binding) => {
        const [name = "", local = name] = binding.split(" as ");
        if (!(name in names)) throw new Error(`the bundle wants ${name} of ${from}`);
        return `${local}=${names[name]}`;
      });
      return `var ${bindings.join(",")};`;
    });
    if (code.includes(`"${from}"`)) throw new Error(`the bundle imports ${from} in a new way`);
  }
  return code;
}

if (import.meta.main) {
  const [entry = "main.ts", file = "dist/k8s-lock.js"] = process.argv.slice(2);
  await bundle(entry, file);
}
