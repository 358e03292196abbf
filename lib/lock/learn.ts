/** What a client takes in: records, tickets, and what follows from them for what it knows. */
import {
  backOffConflict,
  finish,
  leave,
  LEAVE_PATIENCE_MS,
  newGrant,
  random,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import { loseForGood } from "./hold.ts";
import { forgetHole, noteGivenUp } from "./hole.ts";
import { adopted } from "./identity.ts";
import type { Known } from "./driver.ts";
import { NOTHING_SEEN, see, seeAfterOutage } from "./observer.ts";
import { Damaged } from "./parse.ts";
import { CALL_SIZE, inLine, inOrder, numberOf, readTickets } from "./queue.ts";
import type { Queued } from "./queue.ts";
import { HISTORY_LENGTH, parseRecord, parseTicket } from "./record.ts";
import type { Identity, LockRecord, Ticket } from "./record.ts";
import { isV3, isWiped } from "./sequential.ts";
import { compareRevisions } from "./store.ts";
import type { StoredRecord, StoredTicket } from "./store.ts";

/** How long the record and my ticket may go unread near the head of the queue, and further back. */
const READ_EVERY_MS = { head: 15_000, back: 60_000, poll: 1_000 };

/** From this position on a waiter is far back. */
export const FAR_BACK = 16;

/** Without a watch, those further back than this read less often. */
const POLL_HEAD = 128;

/** Parses what was stored, or ends: a record that is not understood is never written. */
function understood(d: Draft, stored: StoredRecord): LockRecord | null {
  try {
    const found = parseRecord(stored.text);
    const wanted = d.config.identity;
    const record = adopted(found, wanted);
    if (record !== null || wanted === null) return record;
    unusable(
      d,
      `the record belongs to another lock: it is ${describeIdentity(found.identity)}, ` +
        `this is ${
          describeIdentity(wanted)
        }; both names map to one record, so one of the two needs another name`,
    );
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    unusable(d, error.message);
  }
  return null;
}

/**
 * Takes on the order that the record stands in.
 *
 * @returns false when this client cannot take turns in it: then it leaves
 */
function takeOrder(d: Draft, record: LockRecord): boolean {
  if (d.phase !== "arriving" && d.phase !== "trying" && d.phase !== "waiting") return true;
  const { order, orderKey } = d.config;
  const byNumber = isV3(record);
  if (order !== null && byNumber !== (order === "sequential")) {
    const stands = byNumber ? "sequential" : "today";
    leave(d, { kind: "other_order", stands }, LEAVE_PATIENCE_MS);
    return false;
  }
  if (byNumber && orderKey === null) {
    leave(d, { kind: "no_number" }, LEAVE_PATIENCE_MS);
    return false;
  }
  if (order !== null || byNumber === (d.order === "sequential")) return true;
  d.order = byNumber ? "sequential" : "fifo";
  if (isV3(record)) {
    tell(
      d,
      "info",
      `the record is in version 3's form: turns go by run number (this is run ${orderKey}, run ${record.next_build} is next). ` +
        "As soon as no job of version 3 uses it, k8s-lock migrate brings it into today's form",
    );
  }
  return true;
}

/** An identity in words. */
function describeIdentity(identity: Identity): string {
  const place = [identity.owner, identity.repository].filter((part) => part !== "").join("/");
  return place === "" ? `"${identity.lock}"` : `"${identity.lock}" of ${place}`;
}

function unusable(d: Draft, message: string): void {
  if (d.phase === "holding" || d.phase === "releasing") {
    if (d.hold === null) finish(d, { kind: "unusable", message });
    else if (!d.hold.gone) loseForGood(d, d.hold, { kind: "damaged", message });
    return;
  }
  // One that leaves has deleted its ticket first; in a record that it cannot read there is nothing more to give back.
  if (d.phase === "giving_up") finish(d, d.result ?? { kind: "unusable", message });
  else leave(d, { kind: "unusable", message }, LEAVE_PATIENCE_MS);
}

/** How a record came to be known. */
export type Source = "read" | "write" | "event";

/**
 * Takes in a record. An event or a write only brings news forward: what is older than what is known is dropped. A read is
 * believed also when its revision went back (a store that was restored), unless it was sent before that revision was known.
 *
 * @returns true when it is now what is known
 */
export function learn(
  d: Draft,
  stored: StoredRecord | null,
  source: Source,
  sentAt: number,
): boolean {
  const before = d.known;
  if (stored === null) return learnMissing(d);
  const sameObject = before?.stored?.uid === stored.uid;
  if (before?.stored && sameObject) {
    const older = compareRevisions(stored.revision, before.stored.revision) < 0;
    if (older && (source !== "read" || before.at > sentAt)) return false;
  }
  if (source === "event" && before !== null && !sameObject) {
    // Another object, or the first news after there was none: an event alone does not decide that.
    d.mustRead = true;
    return false;
  }
  const record = understood(d, stored);
  if (record === null || !takeOrder(d, record)) return false;
  if (before?.stored && !sameObject) learnDeleted(d, "deleted");
  else if (before?.record && isWiped(before.record, record, HISTORY_LENGTH)) {
    learnDeleted(d, "overwritten");
  } else if (before?.stored && isSetBack(before, { stored, record })) learnDeleted(d, "set back");
  if (before?.stored && sameObject) countServed(d, before.record, record);
  const afterOutage = source === "read" && d.outage;
  if (d.ticket !== null && (afterOutage || mayBePassedOver(d, before?.record ?? null, record))) {
    d.mustReadTicket = true;
  }
  d.known = { at: d.now, stored, record };
  if (source === "read") noteGoodRead(d);
  const lostMs = d.now - d.unheardSince;
  d.sight = afterOutage
    ? seeAfterOutage(d.sight, record, d.now, lostMs)
    : see(d.sight, record, d.now);
  forgetHole(d, record, afterOutage ? "outage" : "news");
  noteGivenUp(d, record);
  if (source === "read") d.outage = false;
  for (const holder of record.holders) {
    d.seenTtlMs = Math.max(d.seenTtlMs, holder.ttl_seconds * 1000);
  }
  if (record.last_token > 0) d.seenTtlMs = Math.max(d.seenTtlMs, d.config.ttlMs);
  d.turnsChecked = d.turnsChecked.filter((grant) => record.turn.includes(grant));
  return true;
}

/** What only a store can do that was restored to an older state: then those who held since are not in the record any more. */
function isSetBack(
  { stored, record }: Known,
  now: { readonly stored: StoredRecord; readonly record: LockRecord },
): boolean {
  if (stored === null || record === null) return false;
  const moved = compareRevisions(now.stored.revision, stored.revision);
  return moved < 0 || (moved === 0 && now.stored.text !== stored.text) ||
    (!isV3(now.record) && now.record.last_token < record.last_token);
}

function learnMissing(d: Draft): boolean {
  if (d.known?.stored) learnDeleted(d, "deleted");
  d.known = { at: d.now, stored: null, record: null };
  d.hole = null;
  d.sight = NOTHING_SEEN;
  noteGoodRead(d);
  d.outage = false;
  return true;
}

/** How a record may be lost, in words. */
const LOSSES = {
  deleted: "deleted",
  overwritten: "overwritten by one who does not know its holder",
  "set back": "set back to an older state (was its store restored?)",
} as const;

/** The record I knew is gone, or its holder's entry is: whoever ever saw it held waits a full TTL from now on. */
function learnDeleted(d: Draft, how: keyof typeof LOSSES): void {
  d.lowest = null;
  d.sight = NOTHING_SEEN;
  d.settledFor = null;
  // What took the record may have taken my ticket.
  if (d.ticket !== null) d.mustReadTicket = true;
  if (d.watch.open) d.effects.push({ kind: "unwatch" });
  d.watch = { ...d.watch, open: false, retryAt: d.now };
  if (d.seenTtlMs > 0) {
    d.embargoUntil = Math.max(d.embargoUntil ?? 0, d.now + d.seenTtlMs);
  }
  if (d.seenTtlMs > 0 && d.phase !== "holding" && d.phase !== "releasing") {
    tell(
      d,
      "warn",
      `the record was ${LOSSES[how]}; waiting ${
        Math.ceil(d.seenTtlMs / 1000)
      } s, as its last holder may still be at work`,
    );
  }
  d.seenTtlMs = 0;
}

/** A read was answered: what is scheduled after it is scheduled anew. */
function noteGoodRead(d: Draft): void {
  d.firstGoodAt ??= d.now;
  d.lastFailure = null;
  d.failures = 0;
  d.readAt = d.now + readEvery(d);
}

/** How long the record may go unread now, in milliseconds: jittered, so that a thousand do not read at once. */
export function readEvery(d: Draft): number {
  const spread = 0.75 + random(d) / 2;
  if (d.pollOnly || d.known?.stored === null) {
    return (d.position <= POLL_HEAD ? READ_EVERY_MS.poll : READ_EVERY_MS.head) * spread;
  }
  return (d.position <= FAR_BACK ? READ_EVERY_MS.head : READ_EVERY_MS.back) * spread;
}

/** True when a call is over that named me, or may have, and that I did not answer: my ticket may be deleted. */
function mayBePassedOver(d: Draft, before: LockRecord | null, after: LockRecord): boolean {
  if (before === null || d.ticket === null) return false;
  const { open, number, grants } = before.roll_call;
  const unseen = after.roll_call.number - (after.roll_call.open ? 1 : 0) > number;
  if (unseen) return d.position <= CALL_SIZE;
  return open && !after.roll_call.open && grants.includes(d.grant) &&
    d.ticket.ticket.answered !== number;
}

/** Each one newly served brings me one place forward, until the next list says it exactly. */
function countServed(d: Draft, before: LockRecord | null, after: LockRecord): void {
  if (before === null) return;
  const known = new Set([...before.holders, ...before.history].map((entry) => entry.grant));
  const served = after.holders.filter((holder) => !known.has(holder.grant)).length;
  d.position = Math.max(1, d.position - served);
  d.queueLength = Math.max(d.ticket === null ? 0 : d.position, d.queueLength - served);
}

/**
 * Takes in a list of tickets. One that is damaged counts as absent: nobody could say whose it is.
 *
 * @returns null when one is of a newer format
 */
export function learnTickets(d: Draft, stored: readonly StoredTicket[]): Queued[] | null {
  const read = readTickets(stored);
  if (read.newer !== null) {
    unusable(d, read.newer);
    return null;
  }
  // Touched by somebody, mine may look younger than it is: I know my place.
  const tickets = read.tickets.map((queued) =>
    queued.ticket.grant === d.grant && queued.ticket.order_revision === null && d.place !== null
      ? { ...queued, ticket: { ...queued.ticket, order_revision: d.place } }
      : queued
  );
  const mine = stored.find((one) => one.grant === d.grant);
  if (d.ticket !== null && d.phase === "waiting") {
    if (mine === undefined || mine.uid !== d.ticket.stored.uid) d.mustReadTicket = true;
    else learnTicket(d, mine);
  }
  const strays = stored.filter((one) => d.strays.includes(one.grant));
  d.leftovers = [...d.leftovers, ...strays.map(({ grant, uid }) => ({ grant, uid }))];
  d.strays = d.strays.filter((grant) => !strays.some((one) => one.grant === grant));
  const queue = d.known?.record ? inLine(d.known.record, tickets) : inOrder(tickets);
  const index = queue.findIndex(({ ticket }) => ticket.grant === d.grant);
  const before = index < 0 ? queue.filter((queued) => isBefore(d, queued)).length : index;
  d.position = before + 1;
  const numbers = queue.map(({ ticket }) => numberOf(ticket) ?? Infinity);
  d.lowest = d.config.orderKey === null ? null : Math.min(d.config.orderKey, ...numbers);
  d.queueLength = index < 0 ? before : queue.length;
  d.positionAt = d.now;
  return tickets;
}

/** True for one that is to hold before a client without a ticket. By number those of later runs come after it. */
function isBefore(d: Draft, { ticket }: Queued): boolean {
  const { orderKey } = d.config;
  return d.order !== "sequential" || orderKey === null ||
    (numberOf(ticket) ?? Infinity) <= orderKey;
}

/** Takes in my own ticket as it stands now. */
export function learnTicket(d: Draft, stored: StoredTicket): void {
  let ticket: Ticket;
  try {
    ticket = parseTicket(stored.text);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    // Somebody wrote nonsense into it: as good as gone.
    d.leftovers = [...d.leftovers, { grant: stored.grant, uid: stored.uid }];
    d.ticket = null;
    if (d.phase !== "waiting") return;
    newGrant(d);
    return backOffConflict(d);
  }
  d.ticket = { stored, ticket };
  d.place ??= ticket.order_revision ?? stored.revision;
  // A store that was set back counts on from before my place: all that come now would be served first.
  if (compareRevisions(stored.revision, d.place) < 0) d.place = stored.revision;
}
