import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Damaged } from "../../lib/lock/parse.ts";
import {
  emptyRecord,
  encodeRecord,
  encodeTicket,
  FORMAT_VERSION,
  parseRecord,
  parseTicket,
} from "../../lib/lock/record.ts";
import { json, lockRecord, mutated, ticket } from "./arbitraries.ts";

const IDENTITY = { scope: "repo", owner: "acme", repository: "shop", lock: "deploy" } as const;
const EMPTY = encodeRecord(emptyRecord(IDENTITY));

/** What `read` finds in `stored`, or undefined when it refuses it as it should; anything else thrown is a failure. */
function readOrRefused<T>(read: (stored: string) => T, stored: string): T | undefined {
  try {
    return read(stored);
  } catch (error) {
    assert(error instanceof Damaged, `threw ${error}`);
    assertMatch(error.message, /^(the )?(record|ticket)\b.{5,}/s);
    return undefined;
  }
}

Deno.test("a record is read as it was written, unknown fields anywhere included", () => {
  fc.assert(fc.property(lockRecord, (record) => {
    assertEquals(parseRecord(encodeRecord(record)), record);
  }));
});

Deno.test("a ticket is read as it was written, unknown fields included", () => {
  fc.assert(fc.property(ticket, (each) => {
    assertEquals(parseTicket(encodeTicket(each)), each);
  }));
});

Deno.test("unknown fields are written back where they stood", () => {
  fc.assert(fc.property(lockRecord, (record) => {
    const stored = encodeRecord(record);
    const again: unknown = JSON.parse(encodeRecord(parseRecord(stored)));
    assertEquals(again, JSON.parse(stored));
  }));
});

Deno.test("a record is written as JSON on one line, in well-formed Unicode", () => {
  fc.assert(fc.property(lockRecord, ticket, (record, waiting) => {
    for (const stored of [encodeRecord(record), encodeTicket(waiting)]) {
      assert(stored.isWellFormed());
      assert(!/[\n\r\0]/.test(stored));
    }
  }));
});

Deno.test("the empty record is a record", () => {
  assertEquals(parseRecord(EMPTY), emptyRecord(IDENTITY));
});

Deno.test("any JSON that is no record or ticket is refused", () => {
  fc.assert(fc.property(json, (value) => {
    assertEquals(readOrRefused(parseRecord, JSON.stringify(value)), undefined);
    assertEquals(readOrRefused(parseTicket, JSON.stringify(value)), undefined);
  }));
});

Deno.test("any text that is no JSON is refused", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (stored) => {
    assertEquals(readOrRefused(parseRecord, stored), undefined);
    assertEquals(readOrRefused(parseTicket, stored), undefined);
  }));
});

Deno.test("a record or ticket that was cut off is refused", () => {
  fc.assert(fc.property(lockRecord, ticket, fc.nat(), (record, waiting, cut) => {
    const [record_, ticket_] = [encodeRecord(record), encodeTicket(waiting)];
    assertEquals(readOrRefused(parseRecord, record_.slice(0, cut % record_.length)), undefined);
    assertEquals(readOrRefused(parseTicket, ticket_.slice(0, cut % ticket_.length)), undefined);
  }));
});

Deno.test("a record that somebody edited is refused, or read as something that can be written", () => {
  const edited = lockRecord.chain((record) => mutated(JSON.parse(encodeRecord(record))));
  fc.assert(
    fc.property(edited, (value) => {
      const record = readOrRefused(parseRecord, JSON.stringify(value));
      if (record !== undefined) assertEquals(parseRecord(encodeRecord(record)), record);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a ticket that somebody edited is refused, or read as something that can be written", () => {
  const edited = ticket.chain((each) => mutated(JSON.parse(encodeTicket(each))));
  fc.assert(
    fc.property(edited, (value) => {
      const read = readOrRefused(parseTicket, JSON.stringify(value));
      if (read !== undefined) assertEquals(parseTicket(encodeTicket(read)), read);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a record or ticket of a newer version is refused as newer, whatever else is in it", () => {
  const newer = fc.integer({ min: FORMAT_VERSION + 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(fc.property(fc.dictionary(fc.string(), json), newer, (fields, version) => {
    const stored = JSON.stringify({ ...fields, version });
    for (const read of [parseRecord, parseTicket]) {
      const error = assertThrows(() => read(stored), Damaged);
      assertEquals(error.why, "newer");
      assertMatch(error.message, /written by a newer k8s-lock/);
    }
  }));
});

for (const version of [0, -1, 1.5, "1", null, Infinity, 1e300]) {
  Deno.test(`the version ${version} is damage, not a newer version`, () => {
    const stored = JSON.stringify({ ...JSON.parse(EMPTY), version });
    assertEquals(assertThrows(() => parseRecord(stored), Damaged).why, "damaged");
  });
}

Deno.test("damage is told by the place where it is", () => {
  const broken = (change: object) => JSON.stringify({ ...JSON.parse(EMPTY), ...change });
  const said = (change: object) => assertThrows(() => parseRecord(broken(change)), Damaged).message;
  assertEquals(said({ capacity: 0 }), "record.capacity is not between 1 and 100000");
  assertEquals(said({ holders: [{}] }), "record.holders[0].grant is missing");
  assertEquals(said({ turn: ["a", 1] }), "record.turn[1] is not a text");
  assertEquals(said({ identity: [] }), "record.identity is not an object");
  assertEquals(said({ roll_call: undefined }), "record.roll_call is missing");
});

Deno.test("a grant that holds twice, or whose turn it is twice, is damage", () => {
  fc.assert(fc.property(lockRecord, fc.nat(), (record, index) => {
    const holder = record.holders[index % Math.max(1, record.holders.length)];
    if (holder !== undefined) {
      const stored = encodeRecord({ ...record, holders: [...record.holders, holder] });
      assertThrows(() => parseRecord(stored), Damaged, "one grant twice");
    }
    const turn = record.turn[index % Math.max(1, record.turn.length)];
    if (turn !== undefined) {
      const stored = encodeRecord({ ...record, turn: [...record.turn, turn] });
      assertThrows(() => parseRecord(stored), Damaged, "one grant twice");
    }
  }));
});

Deno.test("a record with more turns than a thousand readers could make is still read", () => {
  const turn = Array.from({ length: 100_000 }, (_, index) => `grant-${index}`);
  const record = { ...emptyRecord(IDENTITY), turn };
  assertEquals(parseRecord(encodeRecord(record)).turn.length, turn.length);
});

Deno.test("unknown fields nested deeper than can be written back are damage", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const stored = `${EMPTY.slice(0, -1)},"later":${deep}}`;
  assertThrows(() => parseRecord(stored), Damaged, "nested too deeply");
  const known = EMPTY.replace('"turn":[]', `"turn":${deep}`);
  assertThrows(() => parseRecord(known), Damaged);
});

Deno.test("a field of the name __proto__ is kept like any other and changes nothing else", () => {
  const stored = `${EMPTY.slice(0, -1)},"__proto__":{"capacity":9}}`;
  const record = parseRecord(stored);
  assertEquals(record.capacity, 1);
  assertEquals(Object.getPrototypeOf(record), Object.prototype);
  assertEquals(JSON.parse(encodeRecord(record)), JSON.parse(stored));
});
