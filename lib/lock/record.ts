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
import type { Extra, Reader } from "./parse.ts";

/** The newest format this program reads and the one it writes. */
export const FORMAT_VERSION = 1;

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
/** How a hold, or a try to hold, came to its end. */
export type Outcome = "released" | "expired" | "broken" | "gave_up";

/** The full identity of a lock: what its record's name is made from, kept because joining is ambiguous. */
export interface Identity {
  readonly scope: "repo" | "owner" | "global";
  /** The owner on GitHub (or the group elsewhere); empty where the scope does not need it. */
  readonly owner: string;
  /** The repository or project; empty where the scope does not need it. */
  readonly repository: string;
  /** The lock's name as its user wrote it. */
  readonly lock: string;
  readonly extra?: Extra;
}

/** One who holds the lock. */
export interface Holder {
  /** The identity of one try to acquire: the only thing that checks compare. */
  readonly grant: string;
  /** For people. */
  readonly holder: string;
  readonly mode: Mode;
  readonly slot: number;
  readonly token: number;
  readonly state: HolderState;
  /** Others may remove it when `renewals` stood still for this long on their own clock. */
  readonly ttl_seconds: number;
  /** Counts the renewals. */
  readonly renewals: number;
  /** Wall clock, ISO 8601, for people. */
  readonly acquired_at: string;
  readonly renewed_at: string;
  readonly waited_seconds: number;
  readonly description: string;
  readonly link: string;
  /** With `broken`: by whom and why. */
  readonly broken_by?: string;
  readonly broken_reason?: string;
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
  readonly extra?: Extra;
}

/** Nobody new holds while this stands. */
export interface Freeze {
  readonly by: string;
  readonly reason: string;
  readonly since: string;
  readonly until: string | null;
  readonly extra?: Extra;
}

/** A hold that is over, or a grant that never came to hold. */
export interface Past {
  readonly grant: string;
  readonly holder: string;
  readonly link: string;
  readonly mode: Mode;
  /** Null for one that never held. */
  readonly token: number | null;
  readonly acquired_at: string | null;
  readonly released_at: string;
  readonly waited_seconds: number;
  readonly outcome: Outcome;
  readonly by: string | null;
  readonly reason: string | null;
  readonly extra?: Extra;
}

/** Everything that is known about one lock, but for who waits. */
export interface LockRecord {
  readonly version: number;
  readonly identity: Identity;
  /** How many may hold at once (exclusive ones). */
  readonly capacity: number;
  /** The names of a pool's resources, one a slot; null when slots have no names. */
  readonly pool: readonly string[] | null;
  readonly last_token: number;
  readonly holders: readonly Holder[];
  /** The grants whose turn it is, in order. */
  readonly turn: readonly string[];
  readonly roll_call: RollCall;
  readonly freeze: Freeze | null;
  /** The last holds, newest first. */
  readonly history: readonly Past[];
  readonly extra?: Extra;
}

/** One waiter's place in the queue. */
export interface Ticket {
  readonly version: number;
  readonly grant: string;
  readonly holder: string;
  readonly mode: Mode;
  readonly priority: number;
  readonly order: Order;
  /** With `build` and `sequential`: the run's number. */
  readonly order_key: number | null;
  /** The revision that counts for the order; null while it is that of the ticket's creation. */
  readonly order_revision: string | null;
  /** The number of the last roll call that its waiter answered; 0 for none. */
  readonly answered: number;
  readonly ttl_seconds: number;
  /** Wall clock, ISO 8601, for people. */
  readonly waiting_since: string;
  readonly description: string;
  readonly link: string;
  readonly extra?: Extra;
}

/** A record of a lock that nobody has held yet. */
export function emptyRecord(identity: Identity): LockRecord {
  return {
    version: FORMAT_VERSION,
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
}, ["broken_by", "broken_reason"]);

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
});

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

/** A JSON value whose `version` this program knows, or {@link Damaged}. */
function versioned(stored: string, place: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(stored);
  } catch {
    throw new Damaged("damaged", `${place} is not JSON`);
  }
  const version = object<{ version: number; extra?: Extra }>({ version: integer(1) })(value, place);
  if (version.version > FORMAT_VERSION) {
    throw new Damaged(
      "newer",
      `${place} was written by a newer k8s-lock (format ${version.version}; this one knows ${FORMAT_VERSION})`,
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
  const record = readRecord(versioned(stored, "the record"), "record");
  if (hasTwice(record.holders.map((holder) => holder.grant))) {
    throw new Damaged("damaged", "record.holders has one grant twice");
  }
  if (hasTwice(record.turn)) {
    throw new Damaged("damaged", "record.turn has one grant twice");
  }
  return record;
}

/** `record` as it is stored. */
export function encodeRecord(record: LockRecord): string {
  return JSON.stringify({
    ...flatten(record),
    identity: flatten(record.identity),
    holders: record.holders.map(flatten),
    roll_call: flatten(record.roll_call),
    freeze: record.freeze === null ? null : flatten(record.freeze),
    history: record.history.map(flatten),
  });
}

/** The ticket in `stored`. Throws {@link Damaged}. */
export function parseTicket(stored: string): Ticket {
  return readTicket(versioned(stored, "the ticket"), "ticket");
}

/** `ticket` as it is stored. */
export function encodeTicket(ticket: Ticket): string {
  return JSON.stringify(flatten(ticket));
}
