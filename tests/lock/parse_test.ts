import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  array,
  Damaged,
  flag,
  flatten,
  integer,
  nullable,
  number,
  object,
  oneOf,
  text,
} from "../../lib/lock/parse.ts";
import type { Extra, Reader } from "../../lib/lock/parse.ts";
import { json } from "./arbitraries.ts";

interface Sample {
  readonly name: string;
  readonly size?: number;
  readonly extra?: Extra;
}

const sample = object<Sample>({ name: text(5), size: integer(0) }, ["size"]);

function refused(read: Reader<unknown>, value: unknown): string {
  const error = assertThrows(() => read(value, "here"), Damaged);
  assertEquals(error.why, "damaged");
  return error.message;
}

Deno.test("every reader returns the value that it was given, or says what is wrong where", () => {
  const readers: Reader<unknown>[] = [
    text(5),
    number(-1, 1),
    integer(0),
    flag,
    oneOf("a", "b"),
    nullable(flag),
    array(integer(0), 2),
  ];
  const value = fc.oneof(json, fc.constantFrom("a", "abcdef", 0, 1, 0.5, true, null, [1, 2]));
  fc.assert(fc.property(value, (drawn) => {
    for (const read of readers) {
      try {
        assertEquals(read(drawn, "here"), drawn);
      } catch (error) {
        assert(error instanceof Damaged && error.message.startsWith("here"), String(error));
      }
    }
  }));
});

Deno.test("a text is refused beyond its length", () => {
  assertEquals(text(5)("abcde", "here"), "abcde");
  assertEquals(refused(text(5), "abcdef"), "here is not a text of at most 5 characters");
  assertEquals(refused(text(5), 5), "here is not a text");
});

Deno.test("a number is refused outside its bounds and when it is none", () => {
  assertEquals([number(0, 1)(0, "here"), number(0, 1)(1, "here")], [0, 1]);
  for (const value of [-0.1, 1.1]) {
    assertEquals(refused(number(0, 1), value), "here is not between 0 and 1");
  }
  for (const value of [NaN, Infinity, -Infinity, "1", null, undefined, 1n]) {
    assertEquals(refused(number(0, 1), value), "here is not a number");
  }
});

Deno.test("a whole number is refused with a fraction or beyond what is exact", () => {
  assertEquals(integer(0)(Number.MAX_SAFE_INTEGER, "here"), Number.MAX_SAFE_INTEGER);
  assertEquals(refused(integer(0), 0.5), "here is not a whole number");
  refused(integer(0), Number.MAX_SAFE_INTEGER + 1);
});

Deno.test("a word is refused unless it is one of the known", () => {
  assertEquals(oneOf("a", "b")("b", "here"), "b");
  assertEquals(refused(oneOf("a", "b"), "c"), "here is not one of a, b");
  refused(oneOf("a", "b"), "constructor");
});

Deno.test("null stands for nothing only where it may", () => {
  assertEquals(nullable(flag)(null, "here"), null);
  assertEquals(refused(flag, null), "here is not true or false");
  assertEquals(refused(nullable(flag), undefined), "here is not true or false");
});

Deno.test("a list is refused beyond its length, and for an item of it", () => {
  assertEquals(array(flag, 2)([true, false], "here"), [true, false]);
  assertEquals(refused(array(flag, 1), [true, false]), "here is not a list of at most 1");
  assertEquals(refused(array(flag, 2), [true, 1]), "here[1] is not true or false");
  assertEquals(refused(array(flag, 2), { length: 0 }), "here is not a list");
});

Deno.test("an object needs its fields, but for the optional ones", () => {
  assertEquals(sample({ name: "a" }, "here"), { name: "a" });
  assertEquals(sample({ name: "a", size: 1 }, "here"), { name: "a", size: 1 });
  assertEquals(refused(sample, { size: 1 }), "here.name is missing");
  assertEquals(refused(sample, { name: "a", size: null }), "here.size is not a number");
  for (const value of [null, [], "a", 1, undefined]) {
    assertEquals(refused(sample, value), "here is not an object");
  }
});

Deno.test("a field that only the prototype has is missing", () => {
  assertEquals(refused(sample, Object.create({ name: "a" })), "here.name is missing");
});

Deno.test("unknown fields are kept apart and stored beside the known", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), json), (fields) => {
    const source = { ...fields, name: "a" };
    if ("size" in fields) return;
    const read = sample(source, "here");
    assertEquals(read.name, "a");
    assertEquals(flatten(read), source);
  }));
});

Deno.test("an unknown field of the name extra is not taken for the unknown fields", () => {
  const read = sample({ name: "a", extra: { name: "b" } }, "here");
  assertEquals(read, { name: "a", extra: { extra: { name: "b" } } });
  assertEquals(flatten(read), { name: "a", extra: { name: "b" } });
});

Deno.test("an unknown field nested beyond measure is refused", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 1000; level++) deep = { deep };
  assertEquals(refused(sample, { name: "a", deep }), "here.deep is nested too deeply");
});
