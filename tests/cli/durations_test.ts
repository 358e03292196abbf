import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatDuration,
  LEAST_TTL_MS,
  parseDuration,
  parseDurationWithin,
} from "../../lib/cli/durations.ts";
import { CliError, Exit } from "../../lib/cli/errors.ts";

for (
  const [text, ms] of [
    ["90s", 90_000],
    ["15m", 900_000],
    ["2h", 7_200_000],
    ["1h30m", 5_400_000],
    ["1h1m1s", 3_661_000],
    ["500ms", 500],
    ["1m500ms", 60_500],
    ["5", 5000],
    ["0", 0],
    ["0s", 0],
    [" 15m ", 900_000],
    ["365h", 1_314_000_000],
  ] as const
) {
  Deno.test(`the duration "${text}" is ${ms} milliseconds`, () => {
    assertEquals(parseDuration(text, "--timeout"), ms);
  });
}

for (
  const text of [
    "",
    " ",
    "5x",
    "-1s",
    "-5",
    "1e9h",
    "1.5h",
    "m",
    "30m1h",
    "1h1h",
    "1h 30m",
    "99999999999999999999h",
    "9".repeat(400),
    "9000h",
    "NaN",
    "Infinity",
    "5 s",
    "٥s",
    "5\ns",
  ]
) {
  Deno.test(`the duration ${JSON.stringify(text.slice(0, 30))} is refused, naming its origin`, () => {
    const error = assertThrows(() => parseDuration(text, "K8S_LOCK_TTL"), CliError);
    assertEquals(error.code, Exit.usage);
    assertEquals(error.message.startsWith("K8S_LOCK_TTL: "), true, error.message);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("a duration is refused outside its bounds, and taken on them", () => {
  const bounds = { leastMs: LEAST_TTL_MS, mostMs: 3_600_000 };
  assertThrows(() => parseDurationWithin(bounds, "4999ms", "--ttl"), CliError, "least 5s");
  assertEquals(parseDurationWithin(bounds, "5", "--ttl"), 5000);
  assertEquals(parseDurationWithin(bounds, "1h", "--ttl"), 3_600_000);
  assertThrows(() => parseDurationWithin(bounds, "61m", "--ttl"), CliError, "at most 1 h");
});

Deno.test("hours, minutes and seconds add up, whatever they are", () => {
  const part = fc.nat({ max: 1000 });
  fc.assert(fc.property(part, part, part, (h, m, s) => {
    assertEquals(parseDuration(`${h}h${m}m${s}s`, "x"), ((h * 60 + m) * 60 + s) * 1000);
  }));
});

for (
  const [ms, text] of [
    [-5, "less than 1 s"],
    [999, "less than 1 s"],
    [1000, "1 s"],
    [41_900, "41 s"],
    [60_000, "1 min"],
    [3_599_000, "59 min"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [90_000_000, "1 d 1 h"],
    [86_400_000, "1 d"],
  ] as const
) {
  Deno.test(`people read ${ms} milliseconds as ${text}`, () => {
    assertEquals(formatDuration(ms), text);
  });
}

Deno.test("what is no duration is quoted without what a terminal would obey", () => {
  for (const text of ["5\u0085x", "\u009b2J", "1\u2028x", "\u202e5m", "x".repeat(99)]) {
    const { message } = assertThrows(() => parseDuration(text, "--ttl"), CliError);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]|x{41}/.test(message), false, message);
  }
});
