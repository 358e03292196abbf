import { assert } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** Every file that is loaded before anything is asked for: main.ts and what it imports statically, at any remove. */
async function loadedAtStart(from: string): Promise<Set<string>> {
  const seen = new Set<string>();
  const open = [from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (!file.startsWith("file:")) continue;
    const text = await Deno.readTextFile(new URL(file));
    for (
      const [, kind, name = ""] of text.matchAll(/^(?:import|export) (type )?[^;]*?"([^"]+)";/gms)
    ) {
      if (kind === undefined) open.push(name.startsWith(".") ? new URL(name, file).href : name);
    }
  }
  return seen;
}

Deno.test("help and version load no Kubernetes code, no SQLite, and no command", async () => {
  const start = new URL("lib/cli/run_program.ts", root).href;
  const loaded = [...await loadedAtStart(start)].map((file) => file.replace(root.href, ""));
  assert(loaded.includes("lib/cli/program.ts"));
  const heavy = loaded.filter((file) =>
    /^lib\/(kube|store|host)\/|^lib\/lock\/(?!record|parse|json|identity)|kubernetes|sqlite|cli\/(run|acquire|status|list|connect)\.ts/
      .test(file)
  );
  assert(heavy.length === 0, heavy.join(" "));
});

Deno.test("the hidden modes load nothing of the command line", async () => {
  const loaded = [...await loadedAtStart(new URL("main.ts", root).href)]
    .map((file) => file.replace(root.href, ""));
  assert(
    loaded.every((file) => /^(main\.ts|lib\/cli\/main\.ts|node:(process|tty))$/.test(file)),
    loaded.join(),
  );
});
