/** Giving back a hold: one write that names the next. */
import {
  ask,
  at,
  clearAway,
  due,
  finish,
  isCurrent,
  noteFailure,
  record as knownRecord,
  stopWatching,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Answer, Flight } from "./driver.ts";
import { cause, loseEntry, ttl } from "./hold.ts";
import { learn, learnTickets } from "./learn.ts";
import { holderOf, isSpent, pastOf } from "./queue.ts";
import type { Queued } from "./queue.ts";
import type { LockRecord } from "./record.ts";
import { release } from "./rules.ts";
import { handOn, isOver, isV3 } from "./sequential.ts";
import type { StoredRecord } from "./store.ts";

/** How long giving back is tried at least while the store does not answer. */
const RELEASE_PATIENCE_MS = 15_000;

/** Gives the lock back, then ends with `result`. */
export function beginRelease(d: Draft, result: NonNullable<Draft["result"]>): void {
  d.result = result;
  if (d.hold?.gone && !mayHandOn(d)) return finish(d, result);
  d.phase = "releasing";
  // Its own write would be news to it before it is answered.
  stopWatching(d);
  d.retryAt = d.now;
  // Pauses begin small again, and the first of them is said.
  d.failures = 0;
  d.leaveUntil = d.now + Math.max(RELEASE_PATIENCE_MS, ttl(d));
}

/**
 * True when my entry was wiped by a `replace` of version 3 and the number is still mine, or was set back: if I do not move it on, nobody
 * will.
 */
function mayHandOn(d: Draft): boolean {
  const known = knownRecord(d.known);
  const number = d.hold === null ? d.config.orderKey : d.hold.number;
  if (known === null || number === null || !isV3(known.record)) return false;
  // One that resumes does not know whether it held by number at all: a number that is just its own is no other run's.
  if (d.hold === null && known.record.next_build !== number) return false;
  if (d.hold !== null && known.stored.uid !== d.hold.uid) return false;
  return known.record.next_build <= number && known.record.holders.length === 0 &&
    !isSpent(known.record, d.grant);
}

/** Gives back: lists, removes me and settles in one write, which names the next. */
export function decideReleasing(d: Draft): void {
  const result = d.result ?? { kind: "released" };
  if (d.leaveUntil !== null && d.flight === null && due(d, d.leaveUntil)) {
    d.leftBehind = `it could not be given back (${cause(d)})`;
    return finish(d, result);
  }
  clearAway(d);
  if (d.flight !== null || !due(d, d.retryAt)) return;
  if (d.known === null || d.mustRead) return ask(d, { kind: "survey" }, { kind: "release" });
  const known = knownRecord(d.known);
  const mine = known === null || known.stored.uid !== d.hold?.uid
    ? undefined
    : holderOf(known.record, d.grant);
  if (mine === undefined && !mayHandOn(d)) return endRelease(d, result);
  // A ticket that is missed sees the room that this makes, and settles itself; but once its number is passed that is no use to it.
  const when = known !== null && isV3(known.record) ? "now" : "lately";
  ask(d, { kind: "list", when }, { kind: "release" });
}

/** My entry is not there any more: given back, or taken away before. */
function endRelease(d: Draft, result: NonNullable<Draft["result"]>): void {
  const known = knownRecord(d.known);
  const past = known === null ? undefined : pastOf(known.record, d.grant);
  const own = past?.outcome === "released" || past?.outcome === "gave_up";
  if (result.kind === "released" && !own && d.hold !== null) {
    loseEntry(d, d.hold);
    return finish(d, { kind: "lost", lost: d.hold?.lost ?? { kind: "gone" } });
  }
  finish(d, result);
}

/** The answers to what was asked while giving back. */
export function answerReleasing(d: Draft, flight: Flight, answer: Answer): void {
  const failure = answer.failure;
  if (failure !== undefined) {
    if (failure.kind === "refused" || failure.kind === "unusable") {
      d.leftBehind = `it could not be given back (${failure.message})`;
      return finish(d, d.result ?? { kind: "released" });
    }
    if (failure.kind === "conflict" || failure.kind === "missing") {
      d.mustRead = true;
      return;
    }
    if (d.failures === 0) tell(d, "info", `the lock is not given back yet (${failure.message})`);
    noteFailure(d, failure);
    return;
  }
  const wrote = answer.record !== undefined && answer.tickets === undefined;
  if (answer.record !== undefined) {
    if (!learn(d, answer.record, wrote ? "write" : "read", flight.sentAt) && d.hold?.gone) {
      return finish(d, d.result ?? { kind: "released" });
    }
    // A request of before, or the release itself: what is known now decides.
    if (wrote) return;
  }
  if (answer.tickets === undefined || flight.purpose.kind !== "release") return;
  const tickets = learnTickets(d, answer.tickets);
  const known = knownRecord(d.known);
  if (tickets === null || known === null) return;
  if (answer.record === undefined && !isCurrent(d, flight)) return;
  const next = given(d, known, tickets);
  if (next === null) return;
  d.leftovers = [...d.leftovers, ...spentTickets(next, tickets)];
  ask(d, { kind: "replace", base: known.stored, next }, { kind: "release" });
}

/** The record without my hold; null when there is nothing of mine in it. */
function given(
  d: Draft,
  known: { readonly stored: StoredRecord; readonly record: LockRecord },
  tickets: readonly Queued[],
): LockRecord | null {
  if (mayHandOn(d)) {
    const number = d.hold === null ? d.config.orderKey : d.hold.number;
    return handOn(known.record, number ?? undefined, tickets);
  }
  if (d.hold === null || known.stored.uid !== d.hold.uid) return null;
  const number = known.record.next_build;
  if (number !== undefined && d.hold.number !== null && number < d.hold.number) {
    tell(d, "warn", `the number was set back to ${number} while run ${d.hold.number} held`);
  }
  const next = release(known.record, d.grant, tickets, at(d));
  return next === "not_holder" ? null : next;
}

function spentTickets(next: LockRecord, tickets: readonly Queued[]) {
  return tickets.filter(({ ticket }) => isOver(next, ticket))
    .map(({ ticket, uid }) => ({ grant: ticket.grant, uid }));
}
