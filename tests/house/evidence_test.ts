import { assert, assertEquals, assertGreater } from "@std/assert";
import { CHECKS } from "../evidence/checks.ts";
import { FAULTS } from "../evidence/faults.ts";
import { EXPLAINED, LIMITS } from "../evidence/limits.ts";
import { COUNTS } from "../evidence/numbers.ts";
import { MET, page, plain, testsNamed } from "../evidence/page.ts";
import { CHAPTERS } from "../evidence/promises.ts";
import { sentencesOf } from "../evidence/protocol.ts";
import { wrongPairs } from "../sim/fault_table.ts";
import { textFiles } from "./files.ts";

const [PAGE] = textFiles("docs/evidence.md");
const [PROTOCOL] = textFiles("docs/protocol.md");
const PROMISES = CHAPTERS.flatMap(({ promises }) => promises);

/** True where `file|text` stands. */
function stands(place: string): boolean {
  const [path = "", text = ""] = place.split("|");
  const [file] = textFiles(`tests/${path}`);
  return text.length >= 12 && file?.text.includes(text) === true;
}

Deno.test("every sentence of docs/protocol.md has its evidence, is a limit, or promises nothing", () => {
  const said = sentencesOf(PROTOCOL?.text ?? "");
  assertGreater(said.length, 100);
  const known = [...[...PROMISES, ...LIMITS].flatMap(({ says }) => says), ...EXPLAINED];
  assertEquals(said.filter((one) => !known.some((part) => one.includes(part))), []);
  const astray = known.filter((part) => said.filter((one) => one.includes(part)).length !== 1);
  assertEquals(astray, [], "each of these has to stand in one sentence of docs/protocol.md");
});

Deno.test("every promise has a test, and what is looked at all the time is looked at", () => {
  assertEquals(PROMISES.filter(({ tests, says }) => tests.length * says.length === 0), []);
  assertEquals(Object.values(CHECKS).filter(({ at }) => !stands(at)), []);
  const used = new Set(PROMISES.flatMap(({ checks = [] }) => checks));
  const unused = Object.keys(CHECKS).filter((name) => !used.has(name as keyof typeof CHECKS));
  assertEquals(unused, [], "checks that stand for no promise");
});

Deno.test("every fault has its number, and a test or a reason why there is none", () => {
  assertEquals(FAULTS.map(({ number }) => number), FAULTS.map((_, index) => index + 1));
  const without = FAULTS.filter(({ tests, missing }) => tests.length === 0 && !missing);
  assertEquals(without.map(({ number }) => number), []);
});

Deno.test("every test that the page names is there, by the name that the list gives it", () => {
  assertEquals(testsNamed().filter((test) => !stands(test)), []);
});

Deno.test("what was counted says by which command and when", () => {
  const vague = COUNTS.filter(({ count, command, date }) =>
    count === "" || command === "" || !/^20\d\d-\d\d-\d\d$/.test(date)
  );
  assertEquals(vague, []);
});

Deno.test("the table of faults and steps has no cell that is empty and need not be", () => {
  assertEquals(wrongPairs(MET), []);
});

Deno.test("docs/evidence.md is as the lists make it: deno task evidence", () => {
  assert(PAGE);
  const [is, due] = [plain(PAGE.text), plain(page())];
  // The page is long: what differs first is enough to know why.
  let from = 0;
  while (from < due.length && is[from] === due[from]) from++;
  const around = (text: string) => text.slice(Math.max(0, from - 60), from + 100);
  if (is !== due) assertEquals(around(is), around(due), "run deno task evidence");
});
