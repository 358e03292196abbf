/** Arriving, trying once, and waiting: what a client does until it holds. */
import {
  arrive,
  claimant,
  claimTime,
  decideTrying,
  queueing,
  sendClaim,
  tryNoMore,
} from "./arrive.ts";
import {
  ask,
  backOffConflict,
  clearAway,
  due,
  isCurrent,
  keepWatching,
  leave,
  LEAVE_PATIENCE_MS,
  newGrant,
  noteFailure,
  openClaim,
  record as knownRecord,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Answer, Flight } from "./driver.ts";
import { inquire } from "./expiry.ts";
import { closeCall, decideHelp, embargoed, help, signature } from "./help.ts";
import { beginHold } from "./hold.ts";
import { decideHole, passNumber } from "./hole.ts";
import { learn, learnTicket, learnTickets, readEvery } from "./learn.ts";
import { holderOf, pastOf } from "./queue.ts";
import { emptyRecord } from "./record.ts";
import type { LockRecord, Ticket } from "./record.ts";
import { claimRefusal } from "./rules.ts";
import { isV3 } from "./sequential.ts";
import type { StoredRecord } from "./store.ts";

/** So many claims in a row that came to nothing cost the place. */
const CLAIMS_IN_PLACE = 2;

/** What is asked for without a change to anything. */
const READS: ReadonlySet<string> = new Set([
  "read",
  "arrive",
  "survey",
  "help",
  "ticket_read",
  "ticket_check",
  "pass",
]);

/** How often my place is looked up for people: this at first, then rarer the longer it is, up to a limit. */
const POSITION_EVERY_MS = { first: 30_000, most: 300_000 };

/** What to do next on the way to the lock. */
export function decideWaiting(d: Draft): void {
  if (d.phase === "waiting") keepWatching(d);
  if (giveUpIfOver(d)) return;
  clearAway(d);
  if (d.known?.record && d.phase !== "arriving") inquire(d, d.known.record);
  if (d.flight !== null || !due(d, d.retryAt)) return;
  if (d.phase === "arriving" && openClaim(d) === null && (d.known === null || d.mustRead)) {
    return ask(d, { kind: "look" }, { kind: "arrive" }, patience(d));
  }
  if (d.known === null || d.mustRead || due(d, d.readAt)) {
    return ask(d, { kind: "read" }, { kind: "read" }, patience(d));
  }
  const known = knownRecord(d.known);
  if (known === null) return decideWithoutRecord(d);
  const mine = holderOf(known.record, d.grant);
  if (mine !== undefined) {
    // When it was sent is known, or else it is renewed before any work starts.
    const sentAt = d.claim?.firstSentAt ?? d.now - d.config.ttlMs;
    if (mine.state === "held") return beginHold(d, mine, sentAt);
    return leave(d, dropped(mine.broken_by, mine.broken_reason), LEAVE_PATIENCE_MS);
  }
  if (resolveGrant(d, known)) return;
  if (d.phase === "arriving") return ask(d, { kind: "look" }, { kind: "arrive" });
  if (d.phase === "waiting" && decideTicket(d, known.record)) return;
  if (embargoed(d)) return tryNoMore(d);
  if (known.record.turn.includes(d.grant)) {
    const refusal = claimRefusal(known.record, claimant(d), "turn");
    if (refusal === null) return sendClaim(d, known, "turn");
    if (d.settledFor !== signature(known.record)) d.mustSettle = true;
  }
  if (decideHelp(d, known.record)) return;
  if (d.phase === "trying") return decideTrying(d);
  if (decideHole(d)) return;
  const positionAt = d.positionAt + positionEvery(d);
  if (due(d, positionAt)) ask(d, { kind: "list", when: "now" }, { kind: "survey" });
}

/** How long the next request may take: before the first good answer, no longer than that is waited for. */
function patience(d: Draft): number {
  const limit = contactUntil(d) - d.now;
  // So that one that hangs is not all that is tried.
  return d.firstGoodAt === null
    ? Math.min(d.config.requestTimeoutMs / 2, limit)
    : d.config.requestTimeoutMs;
}

function contactUntil(d: Draft): number {
  const { requestTimeoutMs, timeoutMs } = d.config;
  const shorter = timeoutMs === null || timeoutMs === 0
    ? requestTimeoutMs
    : Math.min(requestTimeoutMs, timeoutMs);
  return d.startedAt + shorter;
}

/** Ends the wait when its time is over. */
function giveUpIfOver(d: Draft): boolean {
  const { timeoutMs } = d.config;
  const failure = d.lastFailure;
  if (d.firstGoodAt === null && failure !== null && due(d, contactUntil(d))) {
    leave(d, { kind: "unreachable", message: failure.message }, 0);
    return true;
  }
  if (timeoutMs === null || timeoutMs === 0 || !due(d, d.startedAt + timeoutMs)) return false;
  // A claim under way may win yet: its answer, bounded like any, decides.
  if (d.flight?.purpose.kind === "claim") return false;
  leave(
    d,
    failure === null ? { kind: "busy" } : { kind: "unreachable", message: failure.message },
    LEAVE_PATIENCE_MS,
  );
  return true;
}

function dropped(by: string | null | undefined, reason: string | null | undefined) {
  return { kind: "dropped", by: by ?? null, reason: reason ?? null } as const;
}

/** What became of my grant where it does not hold: goes on with another where it is spent. */
function resolveGrant(d: Draft, known: { stored: StoredRecord; record: LockRecord }): boolean {
  const past = pastOf(known.record, d.grant);
  if (past?.outcome === "broken") {
    leave(d, dropped(past.by, past.reason), LEAVE_PATIENCE_MS);
    return true;
  }
  const { orderKey } = d.config;
  if (isV3(known.record) && orderKey !== null && orderKey < known.record.next_build) {
    const result = { kind: "passed", number: orderKey, next: known.record.next_build } as const;
    leave(d, result, LEAVE_PATIENCE_MS);
    return true;
  }
  const sent = openClaim(d);
  if (past === undefined && sent === null) return false;
  // The text as well: a store that was restored uses its revisions twice.
  const unmoved = sent !== null && sent.base.uid === known.stored.uid &&
    sent.base.revision === known.stored.revision && sent.base.text === known.stored.text;
  if (past === undefined && sent !== null && unmoved) {
    if (embargoed(d)) return true;
    d.claim = { ...sent, sendings: sent.sendings + 1 };
    ask(d, { kind: "replace", base: sent.base, next: sent.next }, { kind: "claim" }, claimTime(d));
    return true;
  }
  // Spent: it held and was taken off, or its write was not applied and must never be.
  d.claimsLost++;
  if (d.claimsLost >= CLAIMS_IN_PLACE) {
    // It can wait, but not claim: in its old place it would be named again and again, and stop everybody.
    tell(d, "warn", "its claims get lost on the way: goes to the end of the queue");
    d.place = null;
    d.claimsLost = 0;
  }
  makeAgain(d, "its claim came to nothing");
  return d.phase === "waiting" && decideTicket(d, known.record);
}

/** Another ticket with a new grant in the old place. */
function makeAgain(d: Draft, why: string): void {
  if (d.ticket !== null) {
    const { grant, uid } = d.ticket.stored;
    d.leftovers = [...d.leftovers, { grant, uid }];
    tell(d, "debug", `makes its ticket again: ${why}`);
  }
  d.ticket = null;
  newGrant(d);
  d.mustSettle = true;
}

/** Keeps my ticket as it has to be. @returns true when something was asked for */
function decideTicket(d: Draft, record: LockRecord | null): boolean {
  if (d.ticketGone) replaceTicket(d);
  if (d.ticket === null) {
    if (d.mustReadTicket) {
      ask(d, { kind: "read_ticket", grant: d.grant }, { kind: "ticket_check" });
    } else ask(d, { kind: "create_ticket", ticket: freshTicket(d) }, { kind: "ticket" });
    return true;
  }
  if (d.mustReadTicket || due(d, d.ticketReadAt)) {
    ask(d, { kind: "read_ticket", grant: d.grant }, { kind: "ticket_read" });
    return true;
  }
  const { stored, ticket } = d.ticket;
  const call = record?.roll_call;
  const called = call !== undefined && call.open && call.grants.includes(d.grant) &&
    ticket.answered !== call.number;
  const touched = d.place !== (ticket.order_revision ?? stored.revision);
  // Somebody brought the record into the other form.
  const reordered = ticket.order !== d.order;
  if (!called && !touched && !reordered) return false;
  const next: Ticket = {
    ...ticket,
    ...ordering(d),
    order_revision: d.place,
    answered: called ? call.number : ticket.answered,
  };
  ask(d, { kind: "patch_ticket", base: stored, ticket: next }, { kind: "ticket_patch" });
  return true;
}

function freshTicket(d: Draft): Ticket {
  const { holder, mode, priority, ttlMs, description, link } = d.config;
  return {
    version: 1,
    grant: d.grant,
    holder,
    mode,
    priority,
    ...ordering(d),
    order_revision: d.place,
    answered: 0,
    ttl_seconds: ttlMs / 1000,
    waiting_since: new Date(d.wall - (d.now - d.startedAt)).toISOString(),
    description,
    link,
  };
}

/** What its ticket says of the order that it waits in. */
function ordering(d: Draft): Pick<Ticket, "order" | "order_key"> {
  return { order: d.order, order_key: d.order === "fifo" ? null : d.config.orderKey };
}

function decideWithoutRecord(d: Draft): void {
  // One that knows that it has to wait takes its place at once.
  if (d.phase === "arriving" && embargoed(d)) d.phase = queueing(d);
  if (d.phase === "waiting" && decideTicket(d, null)) return;
  if (embargoed(d)) return tryNoMore(d);
  if (d.config.identity === null) {
    const message = "there is no record of that name (--object names one that exists)";
    return leave(d, { kind: "unusable", message }, LEAVE_PATIENCE_MS);
  }
  // A claim of mine that may still land belongs to the record that is gone: it cannot land in another.
  if (openClaim(d) !== null) makeAgain(d, "the record of its claim is gone");
  const empty = emptyRecord(d.config.identity);
  if (d.order !== "sequential") {
    return ask(d, { kind: "create_record", record: empty }, { kind: "create" });
  }
  // As version 3 makes it, but with the number of the first of those that wait: none of them is to be passed.
  if (d.lowest === null) return ask(d, { kind: "list", when: "now" }, { kind: "survey" });
  const record = { ...empty, order: d.order, next_build: d.lowest };
  ask(d, { kind: "create_record", record }, { kind: "create" });
}

/** The answers to what was asked on the way to the lock. */
export function answerWaiting(d: Draft, flight: Flight, answer: Answer): void {
  const { purpose } = flight;
  const failure = answer.failure;
  if (failure !== undefined) return failWaiting(d, flight, failure);
  if (answer.record !== undefined) {
    const source = purpose.kind === "claim" || purpose.kind === "mend" || purpose.kind === "create"
      ? "write"
      : "read";
    const learned = learn(d, answer.record, source, flight.sentAt);
    if (d.phase === "giving_up" || d.phase === "over") return;
    if (purpose.kind === "claim") return answerClaim(d, flight, learned);
    if (!learned) return;
  }
  if (purpose.kind === "mend") {
    d.conflicts = 0;
    d.leftovers = [...d.leftovers, ...purpose.spent];
    if (purpose.told !== "") tell(d, "info", purpose.told);
  }
  if (purpose.kind === "close") return closeCall(d, flight, purpose.tickets, answer);
  if (answer.ticket !== undefined) return answerTicket(d, purpose.kind, answer.ticket);
  if (answer.tickets === undefined) return;
  const tickets = learnTickets(d, answer.tickets);
  if (tickets === null) return;
  if (purpose.kind === "arrive") arrive(d, tickets);
  else if (purpose.kind === "pass") passNumber(d, purpose, tickets);
  else if (purpose.kind === "help") {
    if (d.phase === "waiting" && d.ticket === null) {
      // Its own ticket is damaged, so this list is one without it: it takes its place again and settles with that.
      d.mustSettle = true;
      return;
    }
    // A list alone is good for the record that was known when it was asked for, and for no other.
    if (answer.record !== undefined || isCurrent(d, flight)) help(d, tickets);
  }
}

/** A claim was answered 2xx; `learned` when nothing newer is known than what came back. */
function answerClaim(d: Draft, flight: Flight, learned: boolean): void {
  const known = knownRecord(d.known);
  const mine = known === null ? undefined : holderOf(known.record, d.grant);
  // What the server returned counts, not what was sent.
  if (mine?.state === "held") return beginHold(d, mine, flight.sentAt);
  d.mustRead = true;
  if (learned && mine === undefined) altered(d, "the record came back without the claim in it");
}

/** Nobody holds or waits where what is written does not stay as it was: it would write for ever. */
function altered(d: Draft, what: string): void {
  const message = `${what}: something changes what is written to the store, such as a mutating ` +
    "admission webhook or policy of the cluster. Exempt the objects of k8s-lock from it";
  leave(d, { kind: "refused", message }, LEAVE_PATIENCE_MS);
}

function answerTicket(
  d: Draft,
  purpose: string,
  stored: NonNullable<Answer["ticket"]> | null,
): void {
  d.ticketReadAt = d.now + readEvery(d);
  if (purpose === "ticket") {
    if (stored !== null) learnTicket(d, stored);
    if (d.ticket === null) return altered(d, "the ticket came back without what it has to say");
    // Ticket first, then the record: no wake-up can be lost.
    d.mustRead = true;
    return;
  }
  d.mustReadTicket = false;
  if (stored !== null && (d.ticket === null || d.ticket.stored.uid === stored.uid)) {
    return learnTicket(d, stored);
  }
  // Sent and found nowhere: it may be made yet, so it is never used.
  if (d.ticket === null) d.strays = [...d.strays, d.grant];
  else if (stored !== null) {
    d.leftovers = [...d.leftovers, { grant: stored.grant, uid: stored.uid }];
  }
  // Who was dropped by a person finds that in the record, which knew it before the ticket went: it is read before another is made.
  d.ticketGone = true;
  d.mustRead = true;
}

/** Goes on with a new grant in the place of a ticket that was found nowhere. */
function replaceTicket(d: Draft): void {
  if (d.ticket === null) return newGrant(d);
  d.ticket = null;
  tell(d, "info", "its ticket is gone; takes its place again with another");
  makeAgain(d, "it is gone");
}

/** When my place is worth another look, for people only. */
function positionEvery(d: Draft): number {
  return Math.min(POSITION_EVERY_MS.most, POSITION_EVERY_MS.first * (1 + d.queueLength / 16));
}

/** A request without a result on the way to the lock. */
function failWaiting(d: Draft, flight: Flight, failure: NonNullable<Answer["failure"]>): void {
  const kind = flight.purpose.kind;
  if (failure.kind === "refused" || failure.kind === "unusable") {
    const result = failure.kind === "refused" ? "refused" : "unusable";
    return leave(d, { kind: result, message: failure.message }, LEAVE_PATIENCE_MS);
  }
  if (kind === "claim" && d.claim !== null) {
    const applied = failure.kind === "unknown" || (d.claim.sendings > 1 && d.claim.open);
    d.claim = { ...d.claim, open: applied || d.claim.open };
  }
  if (kind === "help" || kind === "mend" || kind === "close") {
    d.settledFor = null;
    d.turnsChecked = [];
  }
  if (kind === "ticket_patch" || kind === "ticket_read") d.mustReadTicket = true;
  switch (failure.kind) {
    case "conflict":
    case "missing":
      d.mustRead = true;
      return backOffConflict(d);
    case "exists":
      // A ticket: an earlier copy of the same create, so only reading tells. A record: another made it.
      if (kind === "ticket") d.mustReadTicket = true;
      d.mustRead = true;
      return;
    case "throttled":
    case "unknown":
      noteFailure(d, failure, READS.has(kind) ? "read" : "write");
      if (kind === "ticket" && failure.kind === "unknown") d.mustReadTicket = true;
  }
}
