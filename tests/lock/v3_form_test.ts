import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UNKNOWN_IDENTITY } from "../../lib/lock/identity.ts";
import { Damaged } from "../../lib/lock/parse.ts";
import { emptyRecord, encodeRecord, parseRecord } from "../../lib/lock/record.ts";
import { joined, parted } from "../../lib/lock/v3_form.ts";
import { lockRecord, v3Record } from "./arbitraries.ts";

const TODAY = encodeRecord(emptyRecord({ ...UNKNOWN_IDENTITY, lock: "deploy" }));

Deno.test("a record is the same after it was taken apart and put together", () => {
  fc.assert(fc.property(v3Record, (record) => {
    const { lock, nextBuild } = parted(encodeRecord(record));
    assertEquals(nextBuild, `${record.next_build}`);
    assertEquals(JSON.parse(lock).next_build, undefined);
    assertEquals(parseRecord(joined(lock, nextBuild ?? "")), parseRecord(encodeRecord(record)));
  }));
});

Deno.test("a record in today's form has one part, its own text", () => {
  fc.assert(fc.property(lockRecord, (record) => {
    if (record.next_build !== undefined) return;
    const text = encodeRecord(record);
    assertEquals(parted(text), { lock: text, nextBuild: null });
  }));
});

Deno.test("what version 3 wrote is a record that nobody of ours has held, of a lock that is not known", () => {
  for (const written of ["42", "42\n", "042"]) {
    assertEquals(parseRecord(joined(undefined, written)), {
      ...emptyRecord(UNKNOWN_IDENTITY),
      order: "sequential",
      next_build: 42,
    });
  }
});

for (
  const written of ["", " ", "x", "4x", "-1", "1.5", "1e3", " 42", "9".repeat(16), "null", "４２"]
) {
  Deno.test(`the number ${JSON.stringify(written)} is damage, with its own message`, () => {
    const lock = parted(joined(undefined, "1")).lock;
    for (const part of [undefined, lock]) {
      const error = assertThrows(() => parseRecord(joined(part, written)), Damaged);
      assertStringIncludes(error.message, "key next_build is not the number of a run");
    }
  });
}

Deno.test("a number beside a record in today's form, and version 3's form without one, are damage", () => {
  const beside = assertThrows(() => parseRecord(joined(TODAY, "5")), Damaged);
  assertStringIncludes(beside.message, "somebody added the key next_build");
  const { lock } = parted(joined(undefined, "5"));
  const without = assertThrows(() => parseRecord(lock), Damaged);
  assertStringIncludes(without.message, "its key next_build is gone");
});

Deno.test("a record that is no JSON stays what it is beside a number", () => {
  for (const text of ["", "{", "[]", "null", "7"]) {
    assertThrows(() => parseRecord(joined(text, "5")), Damaged);
  }
});
