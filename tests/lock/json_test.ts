import { assertEquals, assertThrows } from "@std/assert";
import { parseJson } from "../../lib/lock/json.ts";
import { Damaged } from "../../lib/lock/parse.ts";
import {
  emptyRecord,
  encodeRecord,
  encodeTicket,
  parseRecord,
  parseTicket,
} from "../../lib/lock/record.ts";
import { joined, parted } from "../../lib/lock/v3_form.ts";

const IDENTITY = { scope: "repo", owner: "acme", repository: "shop", lock: "deploy" } as const;
const RECORD = encodeRecord(emptyRecord(IDENTITY));
const TICKET = encodeTicket({
  version: 1,
  grant: "g",
  holder: "h",
  mode: "exclusive",
  priority: 0,
  order: "fifo",
  order_key: null,
  order_revision: null,
  answered: 0,
  ttl_seconds: 60,
  waiting_since: "",
  description: "",
  link: "",
});

/** Numbers that a double does not hold as they are written. */
const BEYOND = [
  "1e999",
  "-1E+999",
  "1e-999",
  "9007199254740993",
  "123456789012345678901234567890",
  "0.1000000000000000055511151231257827",
];

for (const number of BEYOND) {
  Deno.test(`the number ${number} in a field that this version does not know is written back to its last digit`, () => {
    const more = `"of_a_later_version":{"inside":[${number}]}}`;
    for (
      const [text, again] of [
        [RECORD, (stored: string) => encodeRecord(parseRecord(stored))],
        [TICKET, (stored: string) => encodeTicket(parseTicket(stored))],
      ] as const
    ) {
      const stored = text.replace(/\}$/, `,${more}`);
      assertEquals(again(stored).includes(`"inside":[${number}]`), true, again(stored));
    }
  });

  Deno.test(`the number ${number} in a field that this version knows is damage, never mended`, () => {
    for (const field of ["capacity", "last_token"]) {
      const stored = RECORD.replace(new RegExp(`"${field}":\\d+`), `"${field}":${number}`);
      assertThrows(() => parseRecord(stored), Damaged, `record.${field} is not a number`);
    }
  });
}

Deno.test("a number beyond a double also goes through version 3's form as it was", () => {
  const lock = '{"a":9007199254740993}';
  assertEquals(joined(lock, "42"), '{"a":9007199254740993,"next_build":42}');
  assertEquals(parted(joined(lock, "42")), { lock, nextBuild: "42" });
});

Deno.test("a number that a double holds is one, however it is written", () => {
  const texts = [
    "0",
    "-0",
    "1.50",
    "1e3",
    "0.1",
    "1E-7",
    "100000000000000000000",
    "1e300",
    "5e-324",
  ];
  for (const text of [...texts, "9007199254740992", "0.30000000000000004", "0e99999", "0.000"]) {
    assertEquals(parseJson(text), Number(text), text);
    assertEquals(parseJson(`{"a":[1, ${text} ]}`), { a: [1, Number(text)] }, text);
  }
});

Deno.test("what looks like a number in a text stays a text", () => {
  const value = { a: ", 1e999", "[12345678901234567890": [":9007199254740993"] };
  assertEquals(parseJson(JSON.stringify(value)), value);
});

Deno.test("digits without end are looked at once", () => {
  const zeros = "0".repeat(1_000_000);
  for (const text of [`1${zeros}1`, `0.${zeros}1`, `1e${zeros}1`, `1${zeros}`]) {
    assertEquals(JSON.stringify(parseJson(`[${text}]`)), `[${text}]`);
  }
});
