import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { load } from "js-yaml";
import { commands } from "../../lib/cli/commands.ts";
import { longName } from "../../lib/cli/flags.ts";
import { handlers } from "../../lib/cli/handlers.ts";
import { inputName, NO_INPUTS } from "../../lib/cli/inputs.ts";
import { linesWith, textFiles } from "./files.ts";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly required?: boolean }>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly runs: { readonly steps: readonly Step[] };
}

const [{ text = "" } = {}] = textFiles("action.yml");
const { inputs, outputs, runs } = load(text) as Action;
const passed = Object.assign({}, ...runs.steps.map(({ env }) => env)) as Record<string, string>;

Deno.test("the action's registrar needs nothing but Node, and is short enough to be read", () => {
  const scripts = textFiles("post").filter(({ path }) => !path.endsWith(".yml"));
  assertEquals(scripts.map(({ path }) => path).sort(), ["post/begin.mjs", "post/end.mjs"]);
  const imported = scripts.flatMap(({ text }) =>
    [...text.matchAll(/\b(?:from|import|require)\b\s*\(?\s*["']([^"']+)["']/g)].map(([, name]) =>
      name ?? ""
    )
  );
  assertGreater(imported.length, 4);
  assertEquals(imported.filter((name) => !name.startsWith("node:")), []);
  const lines = scripts.reduce((sum, { text }) => sum + text.split("\n").length, 0);
  assert(lines < 150, `${lines} lines`);
  assertEquals([...Deno.readDirSync("post")].filter(({ isDirectory }) => isDirectory), []);
});

// A tag or a branch can be moved to other code by whoever gets hold of the account.
Deno.test("every action of others is pinned by a full SHA", () => {
  const files = textFiles("").filter(({ path }) => /\.(ya?ml|md)$/.test(path));
  const used = linesWith(/^\s*(?:- )?uses:/, files);
  assertGreater(used.length, 5);
  // `$/` is this repository at this commit, `./` what was checked out, OWNER/REPO this project, which pins its program itself.
  const ours = /uses: (?:\$\/post|\.\/[\w/-]*|OWNER\/REPO@\S+)(?: #.*)?$/;
  const pinned = /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d\S*$/;
  assertEquals(used.filter((line) => !ours.test(line) && !pinned.test(line)), []);
});

Deno.test("the action's scripts are files that take the place of the step's shell, and no expression is in them", () => {
  const scripts = runs.steps.flatMap(({ run }) => run === undefined ? [] : [run.trim()]);
  assertGreater(scripts.length, 3);
  for (const script of scripts) {
    assertMatch(script, /^exec sh "\$GITHUB_ACTION_PATH\/action\/\w+\.sh"$/);
  }
  assertEquals(linesWith(/\$\{\{/, textFiles("action")), []);
  for (const name of ["take", "give_back"]) {
    const [script] = textFiles(`action/${name}.sh`);
    assertMatch(
      script?.text.trim().split("\n").at(-1) ?? "",
      /^exec "\$K8S_LOCK_ACTION_FOLDER\/bin\//,
    );
  }
});

Deno.test("the registrar is the action's first step", () => {
  assertEquals(runs.steps.findIndex(({ uses }) => uses === "$/post"), 0);
});

Deno.test("every option of acquire is an input of the action, or there is a reason why it need not be one", () => {
  const flags = commands(handlers).find(({ name }) => name === "acquire")?.groups
    .flatMap(({ flags }) => flags) ?? [];
  assertGreater(flags.length, 15);
  const missing = flags.filter((flag) => !NO_INPUTS.has(longName(flag)))
    .map(inputName).filter((name) => !(name in inputs));
  assertEquals(missing, []);
  const known = flags.map(longName);
  assertEquals([...NO_INPUTS.keys()].filter((name) => !known.includes(name)), []);
});

Deno.test("every input of the action reaches a program, each by a variable of its own", () => {
  const names = Object.values(passed).flatMap((value) =>
    [...`${value}`.matchAll(/inputs\.(\w+)/g)].map(([, name]) => name ?? "")
  );
  assertEquals(names.sort(), Object.keys(inputs).sort());
  for (const [variable, value] of Object.entries(passed)) {
    const [, name = ""] = /^\$\{\{ inputs\.(\w+) \}\}$/.exec(value) ?? [];
    if (!variable.startsWith("K8S_LOCK_INPUT_")) continue;
    assertEquals(variable, `K8S_LOCK_INPUT_${name.toUpperCase()}`);
  }
});

Deno.test("version 3's workflows find their inputs: all of its four, none of them required", () => {
  for (const name of ["kube_config_data", "lock_name", "kube_context", "max_attempts"]) {
    assert(name in inputs, name);
  }
  assertEquals(Object.values(inputs).filter(({ required }) => required), []);
});

Deno.test("what the documentation gives to the action and takes from it exists", () => {
  const blocks = textFiles("docs", "README.md").flatMap(({ path, text }) =>
    [...text.matchAll(/```yaml[^\n]*\n(.*?)```/gs)].map(([, yaml = ""]) => ({ path, yaml }))
  );
  const named = blocks.filter(({ yaml }) => yaml.includes("uses: OWNER/REPO@")).map(
    ({ path, yaml }) => ({
      path,
      given: [...yaml.matchAll(/uses: OWNER\/REPO@[^\n]*\n((?: +(?!- )[^\n]*\n)*)/g)]
        .flatMap(([, step = ""]) => inputsOf(step)),
      taken: [...yaml.matchAll(/steps\.lock\.outputs\.(\w+)/g)].map(([, name = ""]) => name),
    }),
  );
  assertGreater(named.flatMap(({ given }) => given).length, 10);
  assertGreater(named.flatMap(({ taken }) => taken).length, 1);
  const unknown = named.flatMap(({ path, given, taken }) => [
    ...given.filter((name) => !(name in inputs)).map((name) => `${path}: input ${name}`),
    ...taken.filter((name) => !(name in outputs)).map((name) => `${path}: output ${name}`),
  ]);
  assertEquals(unknown, []);
});

/** The names below `with:` in the rest of a step. */
function inputsOf(step: string): string[] {
  const [, indent = "", body = ""] = /^( *)with:[^\n]*\n(.*)/ms.exec(step) ?? [];
  const lines = body.split("\n");
  const end = lines.findIndex((line) => !line.startsWith(`${indent} `));
  return lines.slice(0, end < 0 ? lines.length : end)
    .flatMap((line) => /^ +([a-z_]+):/.exec(line)?.slice(1) ?? []);
}
