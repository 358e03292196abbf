/** Records and tickets of every allowed shape, for property tests. */
import fc from "fast-check";
import { formatOf } from "../../lib/lock/record.ts";
import type {
  Freeze,
  Holder,
  HolderJob,
  Identity,
  LockRecord,
  OnExpiry,
  Past,
  RollCall,
  Ticket,
} from "../../lib/lock/record.ts";
import type { Extra } from "../../lib/lock/parse.ts";

/** Text of any UTF-16 units, halves of surrogate pairs among them. */
function anyText(maxLength: number): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ maxLength, unit: "grapheme" }).map((text) => text.slice(0, maxLength)),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: Math.min(maxLength, 20) })
      .map((units) => String.fromCharCode(...units)),
  );
}

/** Any JSON value, as it reads after being written (no -0, which JSON writes as 0). */
export const json: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 3 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

const NAMES_OF_OURS = ["extra", "__proto__", "constructor", "toString", "Version", ""];

/** Fields that no version so far knows; among them the names that trip up careless code. */
function unknownFields(known: readonly string[]): fc.Arbitrary<Extra | undefined> {
  const name = fc.oneof(anyText(8), fc.constantFrom(...NAMES_OF_OURS))
    .filter((each) => !known.includes(each));
  return fc.option(
    fc.array(fc.tuple(name, json), { minLength: 1, maxLength: 3 })
      .map((entries): Extra => Object.fromEntries(entries)),
    { nil: undefined, freq: 2 },
  );
}

type Fields<T> = { readonly [K in keyof Omit<T, "extra">]-?: fc.Arbitrary<T[K]> };

/** Objects with these fields and, at times, others; a field that came out as undefined is left out. */
function withExtra<T extends { readonly extra?: Extra }>(fields: Fields<T>): fc.Arbitrary<T> {
  const known = Object.keys(fields);
  const entries = fc.tuple(
    ...Object.entries<fc.Arbitrary<unknown>>(fields)
      .map(([name, value]) => value.map((drawn) => [name, drawn] as const)),
  );
  return fc.tuple(entries, unknownFields(known)).map(([drawn, extra]) =>
    Object.fromEntries(
      [...drawn, ["extra", extra] as const].filter(([, value]) => value !== undefined),
    ) as T
  );
}

const count = fc.maxSafeNat();
const number = (max: number) =>
  fc.double({ min: 0, max, noNaN: true }).map((drawn) => drawn === 0 ? 0 : drawn);
const ttl = fc.double({ min: 0.001, max: 366 * 24 * 3600, noNaN: true });
const text = anyText(2048);
const name = anyText(1024);
const mode = fc.constantFrom("exclusive" as const, "shared" as const);
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

/** A grant. */
export const grant = anyText(128);

const identity = withExtra<Identity>({
  scope: fc.constantFrom("repo", "owner", "global"),
  owner: name,
  repository: name,
  lock: name,
});

const holder = withExtra<Holder>({
  grant,
  holder: text,
  mode,
  slot: count,
  token: count,
  state: fc.constantFrom("held", "broken", "cooling"),
  ttl_seconds: ttl,
  renewals: count,
  acquired_at: text,
  renewed_at: text,
  waited_seconds: number(Number.MAX_SAFE_INTEGER),
  description: text,
  link: text,
  broken_by: fc.option(text, { nil: undefined }) as fc.Arbitrary<string>,
  broken_reason: fc.option(text, { nil: undefined }) as fc.Arbitrary<string>,
  run_number: fc.option(count, { nil: undefined }) as fc.Arbitrary<number>,
  on_expiry: fc.option(fc.constantFrom("takeover", "verify", "never"), {
    nil: undefined,
  }) as fc.Arbitrary<OnExpiry>,
  job: fc.option(
    withExtra<HolderJob>({
      api: text,
      repository: name,
      run_id: name,
      run_attempt: fc.integer({ min: 1 }),
      check_run_id: nullable(name),
      runner_name: nullable(name),
      held_for: fc.constantFrom("job", "ttl"),
    }),
    { nil: undefined },
  ) as fc.Arbitrary<HolderJob>,
});

const past = withExtra<Past>({
  grant,
  holder: text,
  link: text,
  mode,
  token: nullable(count),
  acquired_at: nullable(text),
  released_at: text,
  waited_seconds: number(Number.MAX_SAFE_INTEGER),
  outcome: fc.constantFrom("released", "expired", "broken", "gave_up"),
  by: nullable(text),
  reason: nullable(text),
});

const absent: fc.Arbitrary<undefined> = fc.constant(undefined);

const today: fc.Arbitrary<LockRecord> = withExtra<LockRecord>({
  version: fc.constant(1),
  identity,
  capacity: fc.integer({ min: 1, max: 100_000 }),
  pool: nullable(fc.array(name, { maxLength: 4 })),
  last_token: count,
  holders: fc.uniqueArray(holder, { maxLength: 3, selector: (each) => each.grant }),
  turn: fc.uniqueArray(grant, { maxLength: 4 }),
  roll_call: withExtra<RollCall>({
    number: count,
    open: fc.boolean(),
    stands_seconds: number(3600),
    calls: count,
    grants: fc.array(grant, { maxLength: 4 }),
  }),
  freeze: nullable(withExtra<Freeze>({
    by: text,
    reason: text,
    since: text,
    until: nullable(text),
  })),
  history: fc.array(past, { maxLength: 3 }),
  order: absent as fc.Arbitrary<never>,
  next_build: absent as fc.Arbitrary<never>,
  given_up: absent as fc.Arbitrary<never>,
  was_next_build: fc.option(count, { nil: undefined }) as fc.Arbitrary<number>,
}).map((record) => ({ ...record, version: formatOf(record) }));

/** Any record in version 3's form. */
export const v3Record: fc.Arbitrary<LockRecord> = fc.tuple(
  today,
  fc.nat(10 ** 15 - 1),
  fc.array(count, { maxLength: 3 }),
).map(([record, next_build, given_up]) => ({
  ...record,
  order: "sequential",
  next_build,
  ...(given_up.length > 0 ? { given_up } : {}),
}));

/** Any record that may be stored. */
export const lockRecord: fc.Arbitrary<LockRecord> = fc.oneof(today, v3Record);

/** Any ticket that may be stored. */
export const ticket: fc.Arbitrary<Ticket> = withExtra<Ticket>({
  version: fc.constant(1),
  grant,
  holder: text,
  mode,
  priority: fc.maxSafeInteger().map((drawn) => drawn === 0 ? 0 : drawn),
  order: fc.constantFrom("fifo", "build", "newest", "sequential"),
  order_key: nullable(count),
  order_revision: nullable(
    fc.bigInt({ min: 0n, max: 10n ** 40n - 1n }).map((revision) => `${revision}`),
  ),
  answered: count,
  ttl_seconds: ttl,
  waiting_since: text,
  description: text,
  link: text,
});

/** `value` with one place in it changed: taken away, or another value put there. */
export function mutated(value: unknown): fc.Arbitrary<unknown> {
  const places = placesIn(value);
  return fc.tuple(
    fc.constantFrom(...places),
    fc.oneof(
      fc.constant({ change: "remove" } as const),
      json.map((other) => ({ change: "replace", other }) as const),
      fc.constantFrom(-1, 0.5, 1e300, "", "x".repeat(5000), null, [], {}, true)
        .map((other) => ({ change: "replace", other }) as const),
      fc.constant({ change: "double" } as const),
    ),
  ).map(([place, change]) => changed(value, place, change));
}

type Step = string | number;
type Change =
  | { readonly change: "remove" }
  | { readonly change: "double" }
  | { readonly change: "replace"; readonly other: unknown };

function placesIn(value: unknown, here: readonly Step[] = []): (readonly Step[])[] {
  const inside = Array.isArray(value)
    ? value.flatMap((item, index) => placesIn(item, [...here, index]))
    : typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, item]) => placesIn(item, [...here, name]))
    : [];
  return [here, ...inside];
}

function changed(value: unknown, [step, ...rest]: readonly Step[], change: Change): unknown {
  if (step === undefined) {
    return change.change === "replace"
      ? change.other
      : change.change === "double"
      ? [value, value]
      : null;
  }
  const last = rest.length === 0;
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      if (index !== step) return [item];
      if (last && change.change === "remove") return [];
      if (last && change.change === "double") return [item, item];
      return [changed(item, rest, change)];
    });
  }
  return Object.fromEntries(
    Object.entries(Object(value)).flatMap(([name, item]) => {
      if (name !== step) return [[name, item]];
      if (last && change.change === "remove") return [];
      return [[name, changed(item, rest, change)]];
    }),
  );
}
