/**
 * Strict reading of JSON that others can write. Whatever does not have the shape that was asked for is {@link Damaged}, which
 * names the place; nothing is guessed or mended.
 */

/** Fields that this version does not know, kept to be written back. */
export type Extra = Readonly<Record<string, unknown>>;

/** Stored text that cannot be used. */
export class Damaged extends Error {
  /** What traces call it. */
  override readonly name = "Damaged";
  /** `message` names the place and what should be there. */
  constructor(
    /** `damaged`: not of the expected shape. `newer`: of a format this program does not know. */
    readonly why: "damaged" | "newer",
    message: string,
  ) {
    super(message);
  }
}

/** Reads a value at a place (`record.holders[0].token`), or throws {@link Damaged}. */
export type Reader<T> = (value: unknown, place: string) => T;

function wrong(place: string, wanted: string): Damaged {
  return new Damaged("damaged", `${place} is not ${wanted}`);
}

/** A text of at most `most` characters. */
export function text(most: number): Reader<string> {
  return (value, place) => {
    if (typeof value !== "string") throw wrong(place, "a text");
    if (value.length > most) throw wrong(place, `a text of at most ${most} characters`);
    return value;
  };
}

/** A finite number between two bounds. */
export function number(least: number, most: number): Reader<number> {
  return (value, place) => {
    if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(place, "a number");
    if (value < least || value > most) throw wrong(place, `between ${least} and ${most}`);
    return value;
  };
}

/** A whole number between two bounds. */
export function integer(least: number, most = Number.MAX_SAFE_INTEGER): Reader<number> {
  const inBounds = number(least, most);
  return (value, place) => {
    const read = inBounds(value, place);
    if (!Number.isSafeInteger(read)) throw wrong(place, "a whole number");
    return read;
  };
}

/** True or false. */
export const flag: Reader<boolean> = (value, place): boolean => {
  if (typeof value !== "boolean") throw wrong(place, "true or false");
  return value;
};

/** One of some words. */
export function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return (value, place) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw wrong(place, `one of ${words.join(", ")}`);
    return found;
  };
}

/** A value, or null. */
export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value, place) => value === null ? null : read(value, place);
}

/** A list of at most `most` values. */
export function array<T>(read: Reader<T>, most: number): Reader<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) throw wrong(place, "a list");
    if (value.length > most) throw wrong(place, `a list of at most ${most}`);
    return value.map((item, index) => read(item, `${place}[${index}]`));
  };
}

/** The readers of an object's fields; one in `optionalFields` may be absent. */
export type Shape<T> = {
  readonly [K in keyof Omit<T, "extra">]-?: Reader<Exclude<T[K], undefined>>;
};

/** An object with these fields; unknown ones are kept in `extra`. */
export function object<T extends { readonly extra?: Extra }>(
  shape: Shape<T>,
  optionalFields: readonly (keyof T)[] = [],
): Reader<T> {
  const fields = Object.entries<Reader<unknown>>(shape);
  const known = new Set(Object.keys(shape));
  const optional = new Set<PropertyKey>(optionalFields);
  return (value, place) => {
    if (!isObject(value)) throw wrong(place, "an object");
    const result: Record<string, unknown> = {};
    for (const [name, read] of fields) {
      if (Object.hasOwn(value, name)) result[name] = read(value[name], `${place}.${name}`);
      else if (!optional.has(name)) {
        throw new Damaged("damaged", `${place}.${name} is missing`);
      }
    }
    const extra: [string, unknown][] = [];
    for (const name of Object.keys(value)) {
      if (known.has(name)) continue;
      const unknown = value[name];
      if (isDeeper(unknown, MAX_DEPTH)) {
        throw new Damaged("damaged", `${place}.${name} is nested too deeply`);
      }
      extra.push([name, unknown]);
    }
    if (extra.length > 0) result.extra = Object.fromEntries(extra);
    return result as T;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * How deep an unknown field may be nested. `JSON.parse` reads any depth, but `JSON.stringify` of some thousand levels overflows the stack:
 * such a record could be read and never written.
 */
const MAX_DEPTH = 100;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** An object's fields as they are stored: the unknown ones beside the known. */
export function flatten<T extends { readonly extra?: Extra }>(value: T): Record<string, unknown> {
  const { extra, ...known } = value;
  return { ...extra, ...known };
}
