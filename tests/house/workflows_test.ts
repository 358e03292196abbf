/** The workflows: no more rights than are needed, and nothing in a script that others can write. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { linesWith, textFiles } from "./files.ts";

const WORKFLOWS = textFiles(".github");
const ACTIONS = textFiles("action.yml", "post");
Deno.test("a release begins with no rights, has no caches, and only two of its jobs may write", () => {
  const release = WORKFLOWS.filter(({ path }) => path.endsWith("/release.yml"));
  const [{ text = "" } = {}] = release;
  assertMatch(text, /^permissions: \{\}$/m);
  assertEquals(linesWith(/actions\/cache|^\s*cache:/, release), []);
  const jobs = text.slice(text.indexOf("\njobs:")).split(/^ {2}(?=\w[\w-]*:$)/m).slice(1);
  const named = (pattern: RegExp) =>
    jobs.filter((job) => pattern.test(job)).map((job) => job.split(":")[0]);
  assertEquals(named(/contents: write/), ["publish", "move"]);
  assertEquals(named(/id-token: write/), ["attest", "npm", "image"]);
  // Artifacts can be replaced by every job of the run.
  const signing = jobs.filter((job) => /: write/.test(job) && job.includes("download-artifact@"));
  assert(signing.length >= 4);
  const checked =
    /download-artifact@.*\n(.*\n){3} +- name: These are .*\n.*\n +SUMS: .*needs\.build\.outputs\.sums/;
  for (const job of signing) assertMatch(job, checked);
  assert(jobs.length >= 10 && jobs.every((job) => /^ {4}permissions:$/m.test(job)));
});

Deno.test("no text of others gets into a script but by its environment", () => {
  const scripts = [...WORKFLOWS, ...ACTIONS].flatMap(({ path, text }) =>
    [...text.matchAll(/^(\s*)(?:- )?run: \|\n((?:\1\s+.*\n|\n)+)|^\s*(?:- )?run: (?!\|)(.*)$/gm)]
      .map(([, , block, line]) => ({ path, text: block ?? line ?? "" }))
  );
  assert(scripts.length > 15);
  assertEquals(linesWith(/\$\{\{/, scripts), []);
});
