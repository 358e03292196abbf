/**
 * Bad input, made by chance: texts from nowhere, and valid ones that were hurt.
 *
 *     deno test -A tests/fuzz                              the same inputs each time
 *     K8S_LOCK_FUZZ_SEED=N deno test -A tests/fuzz         others; the seed is printed where something fails
 *     K8S_LOCK_FUZZ_RUNS=100 deno test -A tests/fuzz       a hundred times as many inputs
 */
import fc from "fast-check";
import { assert } from "@std/assert";
import process from "node:process";
import { mutated } from "../lock/arbitraries.ts";

/** The gate's: what another seed would find must not fail a change that has nothing to do with it. */
const SEED = Number(process.env["K8S_LOCK_FUZZ_SEED"] ?? 1);
const TIMES = Number(process.env["K8S_LOCK_FUZZ_RUNS"] ?? 1);

/** One input may take so long, in milliseconds: anything longer hangs. */
const HANGS_MS = 20_000;

/** Checks so many inputs; one that fails is made small and printed with the seed. */
export async function fuzz<T>(
  input: fc.Arbitrary<T>,
  runs: number,
  check: (input: T) => void | Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(input, async (drawn) => await check(drawn));
  const result = await fc.check(property, {
    seed: SEED,
    numRuns: runs * TIMES,
    timeout: HANGS_MS,
    // What failed is told, and in the end it has to be small, not smallest.
    interruptAfterTimeLimit: 120_000,
    markInterruptAsFailure: false,
  });
  if (!result.failed) return;
  throw new Error(
    `K8S_LOCK_FUZZ_SEED=${result.seed}, after ${result.numRuns} inputs: ${
      fc.stringify(result.counterexample)
    }`,
    { cause: result.errorInstance },
  );
}

/** As {@link fuzz}, for checks that wait: ten at a time. */
export function fuzzSideBySide<T>(
  input: fc.Arbitrary<T>,
  runs: number,
  check: (input: T) => Promise<void>,
): Promise<void> {
  return fuzz(
    fc.array(input, { minLength: 1, maxLength: 10, size: "max" }),
    runs / 10,
    async (some) => {
      await Promise.all(some.map(check));
    },
  );
}

/** What trips careless code. */
const NASTY = [
  "\u0000",
  "\u001b[2J",
  "\n::error::gone\n",
  "##vso[task.complete]",
  "\u202e",
  "\ud800",
  "\ufeff",
  "{{",
  "]]",
  '"',
  "'",
  ": ",
  "- &a [*a]",
  "!!js/function",
  "__proto__",
  "1e999",
  "-0",
  "9007199254740993",
  "../../x",
  "\r\n",
  "x".repeat(5000),
];

/** Any text; nasty ones among them. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom(...NASTY),
  fc.array(fc.constantFrom(...NASTY), { maxLength: 4 }).map((parts) => parts.join("")),
);

/** A valid text with some of it cut out, doubled, overwritten, or with something put into it. */
export function hurtText(valid: string): fc.Arbitrary<string> {
  const place = fc.nat(valid.length);
  const wound = fc.tuple(place, fc.nat(40), fc.oneof(anyText, fc.constant(""), fc.constant(null)));
  return fc.array(wound, { minLength: 1, maxLength: 3 }).map((wounds) =>
    wounds.reduce((text, [at, size, put]) => {
      const cut = text.slice(at, at + size);
      // Null: what stands there is doubled.
      return text.slice(0, at) + (put ?? cut + cut) + text.slice(at + size);
    }, valid)
  );
}

/** Numbers that become others where they are taken for a double, and those that look odd. */
const NUMBERS = [
  "1e999",
  "-1e999",
  "1e-999",
  "-0",
  "1E2",
  "9007199254740993",
  "0.10000000000000000555",
  `1${"0".repeat(400)}1`,
];

/** A JSON text with another number in the place of one of its own, or itself where it has none. */
export function oddNumber(valid: string): fc.Arbitrary<string> {
  // It may be in a text: that is no worse.
  const found = [...valid.matchAll(/(?<=[:,[])-?\d[\d.e+-]*(?=[,}\]])/gi)];
  if (found.length === 0) return fc.constant(valid);
  return fc.tuple(fc.constantFrom(...found), fc.constantFrom(...NUMBERS)).map(
    ([{ 0: { length }, index }, number]) =>
      valid.slice(0, index) + number + valid.slice(index + length),
  );
}

/** What a JSON text says, to the last digit; the order of fields apart, as for `assertEquals`. */
export function exactly(text: string): unknown {
  const revive = (_name: string, value: unknown, { source }: { source: string }) =>
    typeof value === "number" ? { number: digitsOf(source) } : value;
  return (JSON as unknown as { parse(text: string, by: typeof revive): unknown })
    .parse(text, revive);
}

/** A fraction in lowest powers of ten, as one text: not by way of a double. */
function digitsOf(number: string): string {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  let value = BigInt(whole + fraction);
  if (value === 0n) return "0";
  let power = Number(exponent) - fraction.length;
  for (; value % 10n === 0n; value /= 10n) power++;
  return `${value} e${power}`;
}

/** A valid JSON text, hurt as a value or as a text; or any text at all. */
export function hurtJson(valid: string): fc.Arbitrary<string> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: mutated(JSON.parse(valid)).map((value) => JSON.stringify(value) ?? ""),
    },
    { weight: 3, arbitrary: hurtText(valid) },
    { weight: 1, arbitrary: oddNumber(valid) },
    { weight: 1, arbitrary: anyText },
  );
}

/** Bytes with some of them changed, cut off at the end, or with more after them. */
export function hurtBytes(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const wounds = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 40 });
  const length = fc.oneof(
    { weight: 3, arbitrary: fc.constant(valid.length) },
    { weight: 1, arbitrary: fc.nat(valid.length) },
  );
  return fc.tuple(wounds, length, fc.uint8Array({ maxLength: 50 })).map(([all, size, more]) => {
    const bytes = valid.slice();
    for (const [at, byte] of all) bytes[at] = byte;
    return Uint8Array.of(...bytes.subarray(0, size), ...size === valid.length ? [] : more);
  });
}

// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** A message that people and machines may be shown: a sentence on one line, with no stack and none of the secrets. */
export function assertSayable(message: string, secrets: readonly string[] = []): void {
  assert(message.trim().length >= 5, `it says nothing: ${JSON.stringify(message)}`);
  assert(message.length < 5000, `it says too much: ${message.length} characters`);
  assert(!/^\s+at .*:\d+:\d+/m.test(message), `a stack trace: ${message}`);
  assert(
    !CONTROL.test(message),
    `control characters: ${JSON.stringify(message)}`,
  );
  for (const secret of secrets) assert(!message.includes(secret), `a secret: ${message}`);
}
