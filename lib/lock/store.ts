/**
 * What the lock needs of a store, and how a store's answers are told apart.
 *
 * A store keeps two kinds of objects for each lock: one **record** and any number of **tickets**.
 * Every object has a `uid` (another one when it was deleted and made again) and a `revision`, which
 * grows with every change of anything in the store and never goes back, not even when an object is
 * deleted. Both objects are opaque text to a store: `lib/lock/record.ts` gives them their meaning.
 */

/** Which object, and which state of it. */
export interface Version {
  /** Another uid means another object, whatever its name. */
  readonly uid: string;
  /** A decimal integer of any size; compare with {@link compareRevisions}. */
  readonly revision: string;
}

/** A record as a store returned it. */
export interface StoredRecord extends Version {
  /** The record as `encodeRecord` wrote it, or whatever else stands there. */
  readonly text: string;
  /**
   * The store's own view of the object, which `replaceRecord` needs to keep what others added to it
   * (labels, annotations). Nobody but the store looks inside.
   */
  readonly native?: unknown;
}

/** A ticket as a store returned it. */
export interface StoredTicket extends Version {
  /** The grant, as in the ticket's name. */
  readonly grant: string;
  /** The ticket as `encodeTicket` wrote it. */
  readonly text: string;
}

/** What a ticket's creator says of it beside its text: what people see when they list them. */
export interface NewTicket {
  /** A part of the ticket's name: one ticket a grant. */
  readonly grant: string;
  /** For people. */
  readonly holder: string;
  /** As `encodeTicket` wrote it. */
  readonly text: string;
}

/**
 * Why a request has no result. What counts is what is known about its effect:
 *
 * - `conflict`: it was refused because the object is not in the state it was sent against. Not applied.
 * - `exists`: something of that name is there already. Not applied.
 * - `missing`: the object to change is not there. Not applied.
 * - `throttled`: turned away before it was executed (HTTP 429). Not applied; wait `retryAfterMs`.
 * - `refused`: the store says no and will say no again (login, rights, quota, admission). Not applied.
 * - `unusable`: what stands there is not ours, or the request can never work. Not applied.
 * - `unknown`: no answer, or one that says nothing (timeout, reset, 5xx): applied or not, or later.
 */
export type StoreFailureKind =
  | "conflict"
  | "exists"
  | "missing"
  | "throttled"
  | "refused"
  | "unusable"
  | "unknown";

/** A request that has no result. `message` is a sentence for people, without credentials. */
export class StoreError extends Error {
  /** What traces call it. */
  override readonly name = "StoreError";
  /** `message` is a sentence for people, without credentials. */
  constructor(
    readonly kind: StoreFailureKind,
    message: string,
    /** With `throttled` (and some `unknown`): how long the store asks to wait, in milliseconds. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/** What a watch of a record brings. */
export type WatchEvent =
  /** The record as it stands after some change. Older ones may come late or twice. */
  | { readonly kind: "record"; readonly record: StoredRecord }
  /** The record was deleted, or another of the same name was made: read it again. */
  | { readonly kind: "deleted" }
  /**
   * The watch has ended: read again and watch again. With `error` it broke, or never began; without,
   * the store closed it in good order.
   */
  | { readonly kind: "ended"; readonly error?: StoreError };

/** A watch under way. */
export interface Watch {
  /** Ends it; nothing more is reported. Safe to call twice. */
  close(): void;
  /** The watcher's place in the queue has changed. Only a store that polls needs to know. */
  move?(place: number): void;
}

/**
 * One lock's objects in a store.
 *
 * Every method answers within the store's own request timeout, or rejects with a {@link StoreError};
 * it rejects with nothing else. An aborted `signal` makes it reject at once with `unknown`, or
 * with `throttled` by a store that knows that nothing was done.
 */
export interface LockStore {
  /** How people and `status` call the record: `secret/<namespace>/<name>`, `local/<name>`. */
  readonly object: string;

  /** The record as it stands now (never from a cache), or null when there is none. */
  readRecord(signal?: AbortSignal): Promise<StoredRecord | null>;

  /** Makes the record if there is none. Rejects with `exists` when there is. */
  createRecord(text: string, signal?: AbortSignal): Promise<StoredRecord>;

  /**
   * Writes `text` in place of `base`, only if the record still has `base`'s uid and revision.
   * Rejects with `conflict` or `missing` otherwise.
   */
  replaceRecord(base: StoredRecord, text: string, signal?: AbortSignal): Promise<StoredRecord>;

  /**
   * All tickets of this lock, in no order: as they stand now, or `lately` as they stood a moment ago, but never before a state that
   * this object has listed already. (To be sure of this very moment takes an API server up to 100 ms.)
   */
  listTickets(signal?: AbortSignal, when?: "now" | "lately"): Promise<StoredTicket[]>;

  /** One ticket as it stands now, or null. */
  readTicket(grant: string, signal?: AbortSignal): Promise<StoredTicket | null>;

  /** Rejects with `exists` when that grant has a ticket. */
  createTicket(ticket: NewTicket, signal?: AbortSignal): Promise<StoredTicket>;

  /** Changes a ticket's text, only at `base`'s uid and revision. Rejects: `conflict`, `missing`. */
  patchTicket(base: StoredTicket, text: string, signal?: AbortSignal): Promise<StoredTicket>;

  /**
   * Deletes a ticket of that uid, and with `revision` only in that state. Rejects with `missing`
   * when it is gone, with `conflict` when it is another or has changed.
   */
  deleteTicket(
    ticket: { readonly grant: string; readonly uid: string; readonly revision?: string },
    signal?: AbortSignal,
  ): Promise<void>;

  /**
   * Reports each change of the record after revision `from`, until closed or `ended`.
   *
   * @param from the revision of the record as last read ("" when there was none: from now on)
   * @param place 1 for who has the turn next (and for a holder), larger further back: a store that has to poll polls
   * those less often
   */
  watchRecord(from: string, place: number, onEvent: (event: WatchEvent) => void): Watch;
}

/** Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer. */
export function compareRevisions(a: string, b: string): number {
  // Most revisions have the same number of digits: comparing them as text is then enough, and exact.
  if (a.length === b.length) return a < b ? -1 : a > b ? 1 : 0;
  const left = BigInt(a);
  const right = BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** All locks of one place: a namespace of a cluster, an SQLite file. */
export interface LockStores {
  /**
   * One lock's objects.
   *
   * @param object the record's exact name, already valid for the store
   * @param label what people call the lock, kept beside the record for those who list
   */
  open(object: string, label: string): LockStore;

  /** Every record of this place, each with its exact name. Rejects with {@link StoreError}. */
  listRecords(signal?: AbortSignal): Promise<{ object: string; record: StoredRecord }[]>;

  /** Lets go of connections and files. */
  close(): void;
}
