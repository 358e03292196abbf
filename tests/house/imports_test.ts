import { assert, assertEquals, assertGreater } from "@std/assert";
import { linesWith, type TextFile, textFiles } from "./files.ts";

/** Which folders of lib each folder may import from; `lib/cli` beside these from `kube`, but only where it connects. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lock: [],
  kube: [],
  ci: [],
  store: ["kube", "lock"],
  host: ["lock"],
  cli: ["ci", "host", "store", "lock"],
};

/** The files of lib/cli that may import from lib/kube. */
const CONNECTING = ["lib/cli/connect.ts"];

/** The packages that each folder may import; `node:` modules apart. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  kube: /^@kubernetes\/client-node(\/|$)/,
  cli: /^(commander|@commander-js\/extra-typings)$/,
};

interface Import {
  readonly from: string;
  /** The folder of lib that it stands in. */
  readonly folder: string;
  /** What is imported: a path within the project, or the name of a package. */
  readonly to: string;
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\n]+)["']/g;

function importsOf({ path, text }: TextFile): Import[] {
  const [, folder = ""] = path.split("/");
  const code = text.replace(/\/\*.*?\*\//gs, "").replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(IMPORT)].map(([, name = ""]) => ({
    from: path,
    folder,
    to: name.startsWith(".") ? new URL(name, `file:///${path}`).pathname.slice(1) : name,
  }));
}

const imports = textFiles("lib").filter(({ path }) => path.endsWith(".ts")).flatMap(importsOf);
const inside = imports.filter(({ to }) => to.startsWith("lib/"));
const said = (wrong: readonly Import[]) => wrong.map(({ from, to }) => `${from} imports ${to}`);

Deno.test("imports are found in all their forms", () => {
  const text = `
    import a from "./a.ts";
    import type { B } from '../b/b.ts';
    import {
      c,
    } from "node:c";
    import "./d.ts";
    export * from "./e.ts";
    const f = await import("./f.ts");
    // import g from "./g.ts";
    /* import h from "./h.ts"; */
  `;
  const found = importsOf({ path: "lib/x/x.ts", text }).map(({ to }) => to);
  const here = (name: string) => `lib/x/${name}.ts`;
  assertEquals(found, [here("a"), "lib/b/b.ts", "node:c", here("d"), here("e"), here("f")]);
  assertGreater(inside.length, 20);
});

Deno.test("every folder of lib has its place among the layers", () => {
  assertEquals([...new Set(imports.map(({ folder }) => folder))].filter((f) => !MAY_IMPORT[f]), []);
});

Deno.test("imports between the folders of lib point one way", () => {
  const wrong = inside.filter(({ from, folder, to }) => {
    const target = to.split("/")[1] ?? "";
    if (target === folder || MAY_IMPORT[folder]?.includes(target)) return false;
    return !(target === "kube" && CONNECTING.includes(from));
  });
  assertEquals(said(wrong), []);
});

Deno.test("nothing of lib imports from outside lib", () => {
  const wrong = imports.filter(({ to }) => /^[^@].*\.ts$/.test(to) && !to.startsWith("lib/"));
  // The version of the program stands in one place.
  assertEquals(said(wrong).filter((line) => !line.endsWith("deno.json")), []);
});

Deno.test("the lock imports nothing but itself: no Kubernetes, no files, no terminal, no package", () => {
  const wrong = imports.filter(({ folder, to }) =>
    folder === "lock" && !to.startsWith("lib/lock/")
  );
  assertEquals(said(wrong), []);
});

Deno.test("packages are imported only where they belong", () => {
  const wrong = imports.filter(({ folder, to }) => {
    const isPackage = !to.startsWith("lib/") && !to.startsWith("node:") && to !== "deno.json";
    return isPackage && !PACKAGES[folder]?.test(to);
  });
  assertEquals(said(wrong), []);
});

Deno.test("nothing of lib uses Deno's own names, for the bundle runs on Node too", () => {
  const code = textFiles("lib", "main.ts").map(({ path, text }) => ({
    path,
    text: text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, ""),
  }));
  assertEquals(linesWith(/\bDeno\??\.\w|["']Deno["']/, code), []);
  assert(code.length > 10);
});
