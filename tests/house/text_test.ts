import { assertEquals } from "@std/assert";
import { linesWith, textFiles } from "./files.ts";

const PROGRAM = textFiles("lib", "main.ts");
const EVERYTHING = textFiles("").filter(({ path }) => path !== "tests/house/text_test.ts");

/** Some 300 lines are good; with twice as many a source file has to become two. */
const LONGEST_FILE = 600;

Deno.test("no file names a folder of the machine that it was written on", () => {
  assertEquals(linesWith(/(?<![\w.~$}-])\/(?:work|root)\//, EVERYTHING), []);
});

Deno.test("lock files name packages, and no host to fetch them from", () => {
  const locks = EVERYTHING.filter(({ path }) => /\.(lock|sum|mod)$/.test(path));
  assertEquals(linesWith(/https?:\/\//, locks), []);
});

// One word for one thing. Only words that can mean nothing else here are looked for: the "leader" of a process group is one, and so is
// the `unlock` of another program's API.
for (
  const [word, instead] of [
    ["mutex", "lock"],
    ["semaphore", "slots"],
    ["heart-?beat", "renewal"],
    ["keep-?alive (?:signal|message)", "renewal"],
    ["leader.?election", "lock"],
    ["queue (?:item|entry|node)", "ticket"],
    ["(?:un|re-?)locked by", "release"],
    ["lock (?:owner|leader|master)", "holder"],
    ["fencing (?:id|number|counter)", "fencing token"],
    ["lock (?:row|document)", "record"],
    ["(?:rate limit|lock) timeout", "TTL, or --timeout"],
  ] as const
) {
  Deno.test(`the program's text has no word like /${word}/: the house's word is ${instead}`, () => {
    assertEquals(linesWith(new RegExp(`\\b${word}s?\\b`, "i"), PROGRAM), []);
  });
}

Deno.test("a lease is a Kubernetes object: the lock, the host and the CI know none", () => {
  const elsewhere = textFiles("lib/lock", "lib/host", "lib/ci");
  assertEquals(linesWith(/\bleases?\b/i, elsewhere), []);
});

Deno.test("nothing is left to be done in the program's text", () => {
  assertEquals(linesWith(/\b(TODO|FIXME|XXX|HACK)\b/, PROGRAM), []);
});

Deno.test("no file has become longer than anybody reads", () => {
  const sources = EVERYTHING.filter(({ path }) => path.endsWith(".ts"));
  const long = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length }))
    .filter(({ lines }) => lines > LONGEST_FILE);
  assertEquals(long, []);
});

Deno.test("no text ends its lines as Windows does, in tabs or in blanks", () => {
  const written = EVERYTHING.filter(({ path }) => /\.(ts|md|ya?ml)$/.test(path));
  assertEquals(linesWith(/\r$/, written), []);
  assertEquals(
    linesWith(/^(?!\s*$).*[ \t]$/, written.filter(({ path }) => !path.endsWith(".md"))),
    [],
  );
});

Deno.test("messages say `k8s-lock`, in one spelling", () => {
  assertEquals(linesWith(/\b(?:K8s-lock|K8S-lock|k8slock|K8sLock|k8s lock)\b/, PROGRAM), []);
});
