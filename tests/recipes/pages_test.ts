/** What all pages of docs/recipes have in common, and the install script that they share. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { VERSION } from "../../lib/cli/version.ts";
import { TARGETS } from "../../tools/release/targets.ts";
import { filesOf, pages, recipeFile } from "../support/recipes/pages.ts";
import { Project } from "../support/recipes/project.ts";

const ALL = pages();
const INDEX = ALL.find(({ name }) => name === "README.md")?.text ?? "";
const PRODUCTS = ALL.filter(({ name }) => name !== "README.md");
const FILES = ALL.flatMap(filesOf);

Deno.test("the index leads to every page, and every page to what is there", () => {
  for (const { name } of PRODUCTS) assertStringIncludes(INDEX, `(${name})`);
  for (const { name, text } of ALL) {
    for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
      const [path = "", heading] = target.split("#");
      if (/^https:/.test(path)) continue;
      const url = new URL(
        path === "" ? name : path,
        new URL("../../docs/recipes/", import.meta.url),
      );
      assert(existsSync(url), `${name} leads to ${target}`);
      if (heading === undefined) continue;
      const headings = [...Deno.readTextFileSync(url).matchAll(/^#+ (.*)$/gm)]
        .map(([, words = ""]) => words.toLowerCase().replace(/[^\w\s-]/g, "").replace(/\s/g, "-"));
      assert(headings.includes(heading), `${name} leads to ${target}, of ${headings.join(", ")}`);
    }
  }
});

for (const { name, text } of PRODUCTS) {
  Deno.test(`${name} answers what every page has to answer`, () => {
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, words]) => words);
    for (
      const heading of [
        "On cancel",
        "When the agent dies",
        "Whose lock it is",
        "Log in",
        "What was run, and what was not",
      ]
    ) assert(headings.includes(heading), `${heading} is missing`);
    assert(headings.some((heading) => heading?.startsWith("The file")), "there is no file");
    assertMatch(text, /Not\s+run/i);
  });
}

Deno.test("every block that is a whole file has its name, and all that is YAML can be parsed", () => {
  const yaml = ALL.flatMap(({ name, text }) =>
    [...text.matchAll(/^```ya?ml(.*)$/gm)].map(([, more = ""]) => `${name}:${more}`)
  );
  assertEquals(yaml.filter((one) => !/ file=\S+$/.test(one)), []);
  const files = FILES.filter(({ language }) => language === "yaml");
  assertEquals(files.length, yaml.length);
  for (const { text } of files) {
    for (const document of loadAll(text)) assert(typeof document === "object" && document !== null);
  }
});

Deno.test("what others wrote is pinned by a full SHA, and what is ours by its major version", () => {
  const uses = FILES.flatMap(({ text }) => [...text.matchAll(/uses: (.*)$/gm)])
    .map(([, what = ""]) => what);
  assert(uses.length > 0);
  for (const what of uses) {
    assertMatch(what, /^(OWNER\/REPO@v4|[\w-]+\/[\w./-]+@[0-9a-f]{40} # v[\d.]+)$/);
  }
});

Deno.test("the inputs of the action in the examples are inputs that it has", async () => {
  const action = await readFile(new URL("../../action.yml", import.meta.url), "utf8");
  const known = /^inputs:\n([\s\S]*?)^outputs:/m.exec(action)?.[1] ?? "";
  const inputs = [...known.matchAll(/^ {2}(\w+):$/gm)].map(([, input]) => input);
  const steps = FILES.flatMap((
    { text },
  ) => [...text.matchAll(/uses: OWNER\/REPO@v4\n(?: +id: .*\n)? +with:\n((?: {10,}.*\n)+)/g)])
    .flatMap(([, block = ""]) => [...block.matchAll(/^ +(\w+):/gm)].map(([, input]) => input));
  assert(steps.includes("lock_name"));
  assertEquals(steps.filter((input) => !inputs.includes(input)), []);
});

Deno.test("the version on the pages is this one, and the archives are those of a release", () => {
  for (const { name, text } of ALL) {
    for (const [said] of text.matchAll(/\bv?4\.\d+\.\d+\b/g)) {
      assertEquals(said.replace("v", ""), VERSION, name);
    }
  }
  for (const { platform } of TARGETS) assertStringIncludes(INDEX, `\`${platform}\``);
});

Deno.test("the install script puts the program there, from the release's own address", async () => {
  await using project = await Project.create([], "");
  const { code, stdout, stderr } = await project.start(["sh", "ci/install-k8s-lock.sh"]).ended;
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, VERSION);
  const [address, ...more] = await project.addresses();
  assertEquals(more, []);
  assertStringIncludes(address ?? "", `/v${VERSION}/k8s-lock-linux-`);
});

Deno.test("the install script unpacks nothing that has another hash, and runs nothing of it", async () => {
  await using project = await Project.create([], "");
  await project.publish();
  await writeFile(join(project.sandbox.folder, "archive.tar.gz"), "\n", { flag: "a" });
  const { code, stdout, stderr } = await project.start(["sh", "ci/install-k8s-lock.sh"]).ended;
  assert(code !== 0);
  assertStringIncludes(stdout + stderr, "FAILED");
  assert(!existsSync(project.program));
});

Deno.test("the install script as it stands on the page refuses everything: its hashes are yet to be filled in", async () => {
  await using project = await Project.create([], "");
  const { text } = recipeFile("README.md", "ci/install-k8s-lock.sh");
  await writeFile(join(project.folder, "ci", "install-k8s-lock.sh"), text);
  const { code } = await project.start(["sh", "ci/install-k8s-lock.sh"]).ended;
  assert(code !== 0);
  assert(!existsSync(project.program));
});
