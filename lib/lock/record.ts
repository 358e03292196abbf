/**
 * What is stored: the record of a lock, its holders, and the tickets of those who wait.
 *
 * Both are JSON. Fields that this version does not know are kept and written back (`extra`), so that a newer client's
 * additions survive an older one. The version number rises only when an older client would break a promise; a record of a
 * newer version is refused.
 */
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
} from "./parse.ts";
import type { Identity } from "./identity.ts";
import { parseJson } from "./json.ts";
import type { Extra, Reader } from "./parse.ts";

export type { Identity } from "./identity.ts";

/** The newest format that this program reads. What it writes is of the oldest that will do: see {@link formatOf}. */
export const FORMAT_VERSION = 2;

/** What all versions understand. */
const FIRST_FORMAT = 1;

/** Longest text (in characters) that a holder, description, link or reason may have in a record. */
export const MAX_TEXT = 512;

/** How many holds the history keeps. Enough for a client that slept to find out what became of its own. */
export const HISTORY_LENGTH = 16;

/** `exclusive`: alone in its slot. `shared`: beside other shared holders. */
export type Mode = "exclusive" | "shared";
/** How a ticket is placed among those of the same priority. */
export type Order = "fifo" | "build" | "newest" | "sequential";
/** `held`; `broken` once a person broke it; `cooling` after a release with a cool-down. */
export type HolderState = "held" | "broken" | "cooling";
/** What others may do about a holder that fell silent: `verify` only when its job is known to be over. */
export type OnExpiry = "takeover" | "verify" | "never";
/** How a hold, or a try to hold, came to its end. */
export type Outcome = "released" | "expired" | "broken" | "gave_up";

/** The job of a holder with `verify`: what the Actions API is asked about it. */
export interface HolderJob {
  /** The address of the API that knows the job. Whoever asks compares it with its own: it is never asked. */
  readonly api: string;
  /** `acme/shop`. */
  readonly repository: string;
  /** Digits. */
  readonly run_id: string;
  /** 1 for the first: each attempt has jobs of its own. */
  readonly run_attempt: number;
  /** Digits; null where nobody told it. */
  readonly check_run_id: string | null;
  /** Finds the job where there is no check run's id. */
  readonly runner_name: string | null;
  /** `job`: the hold ends with its job at the latest. `ttl`: another job may give it back (`--no-renew`). */
  readonly held_for: "job" | "ttl";
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** One who holds the lock. */
export interface Holder {
  /** The identity of one try to acquire: the only thing that checks compare. */
  readonly grant: string;
  /** For people. */
  readonly holder: string;
  /** Whether others may hold beside it. */
  readonly mode: Mode;
  /** Its place, from 0: the lowest that was free. Shared holders all have 0. */
  readonly slot: number;
  /** Its fencing token: greater than that of any earlier hold of this lock. */
  readonly token: number;
  /** Whatever it is, the entry fills its place. */
  readonly state: HolderState;
  /** Others may remove it when `renewals` stood still for this long on their own clock. */
  readonly ttl_seconds: number;
  /** Counts the renewals. */
  readonly renewals: number;
  /** Wall clock, ISO 8601, for people. */
  readonly acquired_at: string;
  /** When it was renewed last (at first: acquired), as `acquired_at`. */
  readonly renewed_at: string;
  /** From its start to its claim, to the millisecond. */
  readonly waited_seconds: number;
  /** What it holds the lock for, in its user's words; may be empty. */
  readonly description: string;
  /** A page about it, such as the CI job's; may be empty. */
  readonly link: string;
  /** With `broken`: by whom and why. */
  readonly broken_by?: string;
  /** As whoever broke it gave it; may be empty. */
  readonly broken_reason?: string;
  /** Its run's number, in a record in version 3's form. */
  readonly run_number?: number;
  /** Absent for `takeover`. It is heeded while the state is `held`. */
  readonly on_expiry?: OnExpiry;
  /** With `verify`. */
  readonly job?: HolderJob;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** The roll call: how the silent are found although no waiter sends signs of life. */
export interface RollCall {
  /** Grows with each call and stays when the call is over. */
  readonly number: number;
  /** True while the call stands. */
  readonly open: boolean;
  /** How long it has to be seen standing before it may be closed. */
  readonly stands_seconds: number;
  /** Calls since the last claim: each doubles `stands_seconds`. */
  readonly calls: number;
  /** The first grants in order when it was called. */
  readonly grants: readonly string[];
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** Nobody new holds while this stands. */
export interface Freeze {
  /** Who froze it, for people. */
  readonly by: string;
  /** Why, for people. */
  readonly reason: string;
  /** Wall clock, ISO 8601, for people. */
  readonly since: string;
  /** When it is meant to end, as `since`, or null. For people alone: the rules look at no clock. */
  readonly until: string | null;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** A hold that is over, or a grant that never came to hold. */
export interface Past {
  /** Spent: it can never hold again. */
  readonly grant: string;
  /** Who it was, for people. */
  readonly holder: string;
  /** A page about it; may be empty. */
  readonly link: string;
  /** How it held, or would have held. */
  readonly mode: Mode;
  /** Null for one that never held. */
  readonly token: number | null;
  /** Wall clock, ISO 8601, for people; null for one that never held. */
  readonly acquired_at: string | null;
  /** When it came to its end, whatever that was: wall clock, ISO 8601, for people. */
  readonly released_at: string;
  /** From its start to its claim, or to its end where it never held. */
  readonly waited_seconds: number;
  /** `gave_up` is for those that never held. */
  readonly outcome: Outcome;
  /** Who ended it, for people; null where it did so itself. */
  readonly by: string | null;
  /** Why somebody else ended it, for people; null where it did so itself. */
  readonly reason: string | null;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** Everything that is known about one lock, but for who waits. */
export interface LockRecord {
  /** Of the record as it was read or made; what is written is {@link formatOf} it. */
  readonly version: number;
  /** Whose record it is: the names of two locks can be joined to the same one. */
  readonly identity: Identity;
  /** How many may hold at once (exclusive ones). */
  readonly capacity: number;
  /** The names of a pool's resources, one a slot; null when slots have no names. */
  readonly pool: readonly string[] | null;
  /** The fencing token of the last claim; 0 before the first. */
  readonly last_token: number;
  /** In the order of their claims, the broken ones included; no grant is in it twice. */
  readonly holders: readonly Holder[];
  /** The grants whose turn it is, in order. */
  readonly turn: readonly string[];
  /** The call that stands, or what is left of the last one. */
  readonly roll_call: RollCall;
  /** Null unless somebody froze it. */
  readonly freeze: Freeze | null;
  /** The last holds, newest first. */
  readonly history: readonly Past[];
  /** There in version 3's form alone, with `next_build`: turns go by run number, as version 3 knows them. */
  readonly order?: "sequential";
  /** The number of the run that may hold. Version 3 reads and writes it, and nothing else. */
  readonly next_build?: number;
  /** With `next_build`: numbers of runs to come whose waiters have gone; absent for none. */
  readonly given_up?: readonly number[];
  /** In today's form: the number that version 3 had when the record was brought out of its form. */
  readonly was_next_build?: number;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** One waiter's place in the queue. */
export interface Ticket {
  /** The first: a newer one is refused. */
  readonly version: number;
  /** The one that its waiter will claim with; the ticket's name tells it, too. */
  readonly grant: string;
  /** Who waits, for people. */
  readonly holder: string;
  /** How it is going to hold: decides whether it fits beside others. */
  readonly mode: Mode;
  /** The higher is served first, whoever came earlier. */
  readonly priority: number;
  /** What `order_key` is of; the queue is sorted by that key alone. */
  readonly order: Order;
  /** With `build` and `sequential`: the run's number. */
  readonly order_key: number | null;
  /** The revision that counts for the order; null while it is that of the ticket's creation. */
  readonly order_revision: string | null;
  /** The number of the last roll call that its waiter answered; 0 for none. */
  readonly answered: number;
  /** The TTL that it is going to hold with. */
  readonly ttl_seconds: number;
  /** Wall clock, ISO 8601, for people. */
  readonly waiting_since: string;
  /** What it wants the lock for, in its user's words; may be empty. */
  readonly description: string;
  /** A page about it, such as the CI job's; may be empty. */
  readonly link: string;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

/** A record of a lock that nobody has held yet. */
export function emptyRecord(identity: Identity): LockRecord {
  return {
    version: FIRST_FORMAT,
    identity,
    capacity: 1,
    pool: null,
    last_token: 0,
    holders: [],
    turn: [],
    roll_call: { number: 0, open: false, stands_seconds: 0, calls: 0, grants: [] },
    freeze: null,
    history: [],
  };
}

const MODES = oneOf<Mode>("exclusive", "shared");
const ORDERS = oneOf<Order>("fifo", "build", "newest", "sequential");
const GRANT = text(128);
const NAME = text(1024);
const TEXT = text(4 * MAX_TEXT);
const TTL: Reader<number> = number(0.001, 366 * 24 * 3600);
const REVISION: Reader<string> = (value, place) => {
  const digits = text(40)(value, place);
  if (!/^\d+$/.test(digits)) throw new Damaged("damaged", `${place} is not a revision`);
  return digits;
};

const readHolder = object<Holder>({
  grant: GRANT,
  holder: TEXT,
  mode: MODES,
  slot: integer(0),
  token: integer(0),
  state: oneOf<HolderState>("held", "broken", "cooling"),
  ttl_seconds: TTL,
  renewals: integer(0),
  acquired_at: TEXT,
  renewed_at: TEXT,
  waited_seconds: number(0, Number.MAX_SAFE_INTEGER),
  description: TEXT,
  link: TEXT,
  broken_by: TEXT,
  broken_reason: TEXT,
  run_number: integer(0),
  on_expiry: oneOf<OnExpiry>("takeover", "verify", "never"),
  job: object<HolderJob>({
    api: TEXT,
    repository: NAME,
    run_id: NAME,
    run_attempt: integer(1),
    check_run_id: nullable(NAME),
    runner_name: nullable(NAME),
    held_for: oneOf("job", "ttl"),
  }),
}, ["broken_by", "broken_reason", "run_number", "on_expiry", "job"]);

const readPast = object<Past>({
  grant: GRANT,
  holder: TEXT,
  link: TEXT,
  mode: MODES,
  token: nullable(integer(0)),
  acquired_at: nullable(TEXT),
  released_at: TEXT,
  waited_seconds: number(0, Number.MAX_SAFE_INTEGER),
  outcome: oneOf<Outcome>("released", "expired", "broken", "gave_up"),
  by: nullable(TEXT),
  reason: nullable(TEXT),
});

const readNextBuild: Reader<number> = (value, place) => {
  if (typeof value !== "number") {
    throw new Damaged("damaged", "the record's key next_build is not the number of a run");
  }
  return integer(0)(value, place);
};

const readRecord = object<LockRecord>({
  version: integer(1),
  identity: object<Identity>({
    scope: oneOf("repo", "owner", "global"),
    owner: NAME,
    repository: NAME,
    lock: NAME,
  }),
  capacity: integer(1, 100_000),
  pool: nullable(array(NAME, 100_000)),
  last_token: integer(0),
  holders: array(readHolder, 100_000),
  turn: array(GRANT, 100_000),
  roll_call: object<RollCall>({
    number: integer(0),
    open: flag,
    stands_seconds: number(0, 3600),
    calls: integer(0),
    grants: array(GRANT, 1024),
  }),
  freeze: nullable(object<Freeze>({
    by: TEXT,
    reason: TEXT,
    since: TEXT,
    until: nullable(TEXT),
  })),
  history: array(readPast, 1000),
  order: oneOf("sequential"),
  next_build: readNextBuild,
  given_up: array(integer(0), 1000),
  was_next_build: integer(0),
}, ["order", "next_build", "given_up", "was_next_build"]);

const readTicket = object<Ticket>({
  version: integer(1),
  grant: GRANT,
  holder: TEXT,
  mode: MODES,
  priority: integer(Number.MIN_SAFE_INTEGER),
  order: ORDERS,
  order_key: nullable(integer(0)),
  order_revision: nullable(REVISION),
  answered: integer(0),
  ttl_seconds: TTL,
  waiting_since: TEXT,
  description: TEXT,
  link: TEXT,
});

/** A JSON value of version `newest` at most, or {@link Damaged}. */
function versioned(stored: string, place: string, newest: number): unknown {
  let value: unknown;
  try {
    value = parseJson(stored);
  } catch {
    throw new Damaged("damaged", `${place} is not JSON`);
  }
  const version = object<{ version: number; extra?: Extra }>({ version: integer(1) })(value, place);
  if (version.version > newest) {
    throw new Damaged(
      "newer",
      `${place} was written by a newer k8s-lock (format ${version.version}; this one knows ${newest})`,
    );
  }
  return value;
}

/** Whether one of the list is in it twice. */
function hasTwice(grants: readonly string[]): boolean {
  return new Set(grants).size !== grants.length;
}

/** The record in `stored`. Throws {@link Damaged}. */
export function parseRecord(stored: string): LockRecord {
  const record = readRecord(versioned(stored, "the record", FORMAT_VERSION), "record");
  if (hasTwice(record.holders.map((holder) => holder.grant))) {
    throw new Damaged("damaged", "record.holders has one grant twice");
  }
  if (hasTwice(record.turn)) {
    throw new Damaged("damaged", "record.turn has one grant twice");
  }
  if (record.order !== undefined && record.next_build === undefined) {
    throw new Damaged(
      "damaged",
      "the record is in version 3's form, but its key next_build is gone",
    );
  }
  if (record.order === undefined && record.next_build !== undefined) {
    throw new Damaged(
      "damaged",
      "the record is in today's form, but somebody added the key next_build; take that key out again",
    );
  }
  return { ...record, version: formatOf(record) };
}

/**
 * The oldest format in which everything in `record` is heeded. A client that does not know `on_expiry` would take such a holder off
 * after its TTL: the second format, which it refuses, stands as long as there is such a holder, and no longer.
 */
export function formatOf(record: LockRecord): number {
  const heeded = record.holders.every(({ on_expiry = "takeover" }) => on_expiry === "takeover");
  return heeded ? FIRST_FORMAT : FORMAT_VERSION;
}

/** `record` as it is stored. */
export function encodeRecord(record: LockRecord): string {
  return JSON.stringify({
    ...flatten(record),
    version: formatOf(record),
    identity: flatten(record.identity),
    holders: record.holders.map((holder) => ({
      ...flatten(holder),
      ...(holder.job === undefined ? {} : { job: flatten(holder.job) }),
    })),
    roll_call: flatten(record.roll_call),
    freeze: record.freeze === null ? null : flatten(record.freeze),
    history: record.history.map(flatten),
  });
}

/** The ticket in `stored`. Throws {@link Damaged}. */
export function parseTicket(stored: string): Ticket {
  return readTicket(versioned(stored, "the ticket", FIRST_FORMAT), "ticket");
}

/** `ticket` as it is stored. */
export function encodeTicket(ticket: Ticket): string {
  return JSON.stringify(flatten(ticket));
}
