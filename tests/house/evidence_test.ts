import { assert, assertEquals } from "@std/assert";
import { FAULTS } from "../evidence/faults.ts";
import { plain, withTable } from "../evidence/table.ts";
import { textFiles } from "./files.ts";

const [PAGE] = textFiles("docs/evidence.md");

Deno.test("every fault has its number, and a test or a reason why there is none", () => {
  assertEquals(FAULTS.map(({ number }) => number), FAULTS.map((_, index) => index + 1));
  const without = FAULTS.filter(({ tests, missing }) => tests.length === 0 && !missing);
  assertEquals(without.map(({ number }) => number), []);
});

Deno.test("every test that stands for a fault is there, by the name that the list gives it", () => {
  const gone = FAULTS.flatMap(({ number, tests }) =>
    tests.filter((test) => {
      const [path = "", name = ""] = test.split("|");
      const [file] = textFiles(`tests/${path}`);
      return name.length < 12 || !file?.text.includes(name);
    }).map((test) => `${number}: ${test}`)
  );
  assertEquals(gone, []);
});

Deno.test("docs/evidence.md has the list of faults as it is: deno task evidence", () => {
  assert(PAGE);
  assertEquals(plain(PAGE.text), plain(withTable(PAGE.text)));
});
