/**
 * The assertions of `@std/assert`, by the same names and signatures, over `node:assert/strict`.
 *
 * `@std/assert` lives on a registry that not every machine that builds this can reach. deno.json maps its name to this file:
 * one line there swaps it for the original.
 */
import nodeAssert, { AssertionError } from "node:assert/strict";

export { AssertionError };

/** Any class, abstract ones too, as `@std/assert` types them. */
export type AnyConstructor<T = unknown> = abstract new (...args: never[]) => T;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw failure(msg || "expected a truthy value", expr, true);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false | 0 | "" | null {
  if (expr) throw failure(msg || "expected a falsy value", expr, false);
}

/** Fails unless both are deeply equal (prototypes and types included). */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  said(msg, () => nodeAssert.deepStrictEqual(actual, expected));
}

/** Fails when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  said(msg, () => nodeAssert.notDeepStrictEqual(actual, expected));
}

/** Fails unless both are the same value (`Object.is`). */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  said(msg, () => nodeAssert.strictEqual(actual, expected));
}

/** Fails when both are the same value (`Object.is`). */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  said(msg, () => nodeAssert.notStrictEqual(actual, expected));
}

/** Fails when `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    throw failure(msg ?? "expected a value that is neither null nor undefined", actual, undefined);
  }
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: AnyConstructor<T>,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  throw failure(
    msg || `expected an instance of ${expectedType.name}, got ${describe(actual)}`,
    actual,
    expectedType.name,
  );
}

/** Fails unless `actual` has a match of `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  said(msg, () => nodeAssert.match(actual, expected));
}

/** Fails when `actual` has a match of `expected`. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  said(msg, () => nodeAssert.doesNotMatch(actual, expected));
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw failure(
      msg ?? `expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`,
      actual,
      expected,
    );
  }
}

/** Fails unless `actual` contains each of `expected` (by deep equality). */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  for (const wanted of Array.from(expected)) {
    if (!Array.from(actual).some((item) => deeplyEqual(item, wanted))) {
      throw failure(msg ?? `expected the list to contain ${describe(wanted)}`, actual, expected);
    }
  }
}

/** Fails unless `actual` has every field of `expected`, deeply; it may have more. */
export function assertObjectMatch(
  actual: Record<PropertyKey, unknown>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  said(msg, () => nodeAssert.deepStrictEqual(restrictedTo(expected, actual), expected));
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw compared(actual, ">", expected, msg);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) throw compared(actual, ">=", expected, msg);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw compared(actual, "<", expected, msg);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) throw compared(actual, "<=", expected, msg);
}

/** Fails unless the two numbers differ by at most `tolerance` (absolute). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = Math.max(Math.abs(expected) * 1e-7, 1e-15),
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const apart = Math.abs(expected - actual);
  if (apart <= tolerance) return;
  throw failure(
    msg ?? `expected ${actual} to be within ${tolerance} of ${expected}`,
    actual,
    expected,
  );
}

/** Fails always. */
export function fail(msg?: string): never {
  throw failure(msg ? `Failed assertion: ${msg}` : "Failed assertion.", undefined, undefined);
}

/** Fails always: this line is not to be reached. */
export function unreachable(msg?: string): never {
  throw failure(msg ? `Unreachable: ${msg}` : "Unreachable.", undefined, undefined);
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message contains `msgIncludes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  classOrMsg?: AnyConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): E | unknown {
  const wanted = expectation(classOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    return checked(error, wanted);
  }
  throw failure(wanted.msg ?? "expected the function to throw", undefined, undefined);
}

/** Fails unless the promise that `fn` returns rejects; resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless it rejects with an `ErrorClass` whose message contains `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: AnyConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<E | unknown> {
  const wanted = expectation(classOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    // As @std/assert: one that throws where it should reject is another bug than the one looked for.
    throw failure(
      `expected a rejected promise, but the function threw ${describe(error)}`,
      error,
      undefined,
    );
  }
  try {
    await promise;
  } catch (error) {
    return checked(error, wanted);
  }
  throw failure(wanted.msg ?? "expected the promise to reject", undefined, undefined);
}

interface Expectation {
  readonly errorClass: AnyConstructor<Error> | undefined;
  readonly msgIncludes: string | undefined;
  readonly msg: string | undefined;
}

function expectation(
  classOrMsg: AnyConstructor<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): Expectation {
  return typeof classOrMsg === "string"
    ? { errorClass: undefined, msgIncludes: undefined, msg: classOrMsg }
    : { errorClass: classOrMsg, msgIncludes, msg };
}

function checked(error: unknown, { errorClass, msgIncludes, msg }: Expectation): unknown {
  if (errorClass === undefined) return error;
  if (!(error instanceof errorClass)) {
    throw failure(
      `${msg ? `${msg}: ` : ""}expected an error of ${errorClass.name}, got ${describe(error)}`,
      error,
      errorClass.name,
    );
  }
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes, msg);
  return error;
}

function restrictedTo(expected: unknown, actual: unknown): unknown {
  if (!isObject(expected) || !isObject(actual)) return actual;
  if (Array.isArray(expected)) {
    return Array.isArray(actual)
      ? actual.map((item, index) => restrictedTo(expected[index], item))
      : actual;
  }
  if (Object.getPrototypeOf(expected) !== Object.prototype) return actual;
  return Object.fromEntries(
    Object.keys(expected).filter((key) => Object.hasOwn(actual, key))
      .map((key) => [key, restrictedTo(expected[key], actual[key])]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function deeplyEqual(one: unknown, other: unknown): boolean {
  try {
    nodeAssert.deepStrictEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

/** Runs a check of Node's; what it finds is told after `msg`. */
function said(msg: string | undefined, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (msg === undefined || !(error instanceof AssertionError)) throw error;
    throw failure(`${msg}: ${error.message}`, error.actual, error.expected);
  }
}

function compared(actual: unknown, sign: string, expected: unknown, msg?: string): AssertionError {
  return failure(
    msg ?? `expected ${describe(actual)} ${sign} ${describe(expected)}`,
    actual,
    expected,
  );
}

function failure(message: string, actual: unknown, expected: unknown): AssertionError {
  return new AssertionError({ message, actual, expected, stackStartFn: failure });
}

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "string") return JSON.stringify(value);
  return String(value);
}
