/** Arriving, trying once, and waiting: what a client does until it holds. */
import { TURN_PATIENCE_MS } from "./driver.ts";
import type { Answer, Flight } from "./driver.ts";
import {
  ask,
  at,
  backOffConflict,
  clearAway,
  due,
  finish,
  isCurrent,
  keepWatching,
  learn,
  learnTicket,
  learnTickets,
  leave,
  LEAVE_PATIENCE_MS,
  newGrant,
  noteFailure,
  openClaim,
  random,
  readEvery,
  record as knownRecord,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import { beginHold } from "./hold.ts";
import { mend } from "./mend.ts";
import type { Helper } from "./mend.ts";
import { silentAt } from "./observer.ts";
import { emptyRecord } from "./record.ts";
import type { LockRecord, Ticket } from "./record.ts";
import {
  CALL_STANDS_SECONDS,
  claim,
  claimRefusal,
  hasRoom,
  holderOf,
  pastOf,
  waiting,
} from "./rules.ts";
import type { ClaimWay, Queued } from "./rules.ts";
import type { StoredRecord } from "./store.ts";

/** So many claims in a row that came to nothing cost the place. */
const CLAIMS_IN_PLACE = 2;
/** A place further back adds so much to the longest random wait before helping, up to a limit. */
const HELP_SPREAD_MS = { place: 25, most: 2500 };
/** How often my place is looked up for people: this at first, then rarer the longer it is, up to a limit. */
const POSITION_EVERY_MS = { first: 30_000, most: 300_000 };

/** What to do next on the way to the lock. */
export function decideWaiting(d: Draft): void {
  if (d.phase === "waiting") keepWatching(d);
  if (giveUpIfOver(d)) return;
  clearAway(d);
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
    const refusal = claimRefusal(known.record, { grant: d.grant, mode: d.config.mode }, "turn");
    if (refusal === null) return sendClaim(d, known, "turn");
    if (d.settledFor !== signature(known.record)) d.mustSettle = true;
  }
  if (decideHelp(d, known.record)) return;
  if (d.phase === "trying") return decideTrying(d);
  const positionAt = d.positionAt + positionEvery(d);
  if (due(d, positionAt)) ask(d, { kind: "list" }, { kind: "survey" });
}

/** How long the next request may take: before the first good answer, no longer than that is waited for. */
function patience(d: Draft): number {
  const limit = contactUntil(d) - d.now;
  return d.firstGoodAt === null
    ? Math.min(d.config.requestTimeoutMs, limit)
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
  const sent = openClaim(d);
  if (past === undefined && sent === null) return false;
  const unmoved = sent !== null && sent.base.uid === known.stored.uid &&
    sent.base.revision === known.stored.revision;
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
  const touched = ticket.order_revision === null && d.place !== stored.revision;
  if (!called && !touched) return false;
  const next: Ticket = {
    ...ticket,
    order_revision: d.place,
    answered: called ? call.number : ticket.answered,
  };
  ask(d, { kind: "patch_ticket", base: stored, ticket: next }, { kind: "ticket_patch" });
  return true;
}

function freshTicket(d: Draft): Ticket {
  const { holder, mode, priority, order, orderKey, ttlMs, description, link } = d.config;
  return {
    version: 1,
    grant: d.grant,
    holder,
    mode,
    priority,
    order,
    order_key: orderKey,
    order_revision: d.place,
    answered: 0,
    ttl_seconds: ttlMs / 1000,
    waiting_since: new Date(d.wall - (d.now - d.startedAt)).toISOString(),
    description,
    link,
  };
}

function embargoed(d: Draft): boolean {
  return d.embargoUntil !== null && !due(d, d.embargoUntil);
}

/** While nobody knows whether the last holder is at work the lock is as good as held for one that tries once. */
function tryNoMore(d: Draft): void {
  if (d.phase === "trying") finish(d, { kind: "busy" });
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
  ask(d, { kind: "create_record", record: emptyRecord(d.config.identity) }, { kind: "create" });
}

/** How one goes on that cannot hold at once. */
function queueing(d: Draft): "trying" | "waiting" {
  return d.config.timeoutMs === 0 ? "trying" : "waiting";
}

/** A claim that is answered late is worth little: what became of it is found out within its deadline. */
function claimTime(d: Draft): number {
  return Math.min(d.config.requestTimeoutMs, d.config.ttlMs / 2);
}

/** Writes me in. */
function sendClaim(
  d: Draft,
  known: { stored: StoredRecord; record: LockRecord },
  way: ClaimWay,
): void {
  const { holder, mode, ttlMs, description, link } = d.config;
  const me = {
    grant: d.grant,
    holder,
    mode,
    ttlSeconds: ttlMs / 1000,
    waitedSeconds: Math.round(d.now - d.startedAt) / 1000,
    description,
    link,
  };
  const next = claim(known.record, me, way, known.stored.revision, at(d));
  if (typeof next === "string") {
    if (next === "tokens_used_up") {
      leave(d, { kind: "unusable", message: "the record has no tokens left" }, LEAVE_PATIENCE_MS);
    }
    return;
  }
  d.claim = {
    grant: d.grant,
    base: known.stored,
    next,
    firstSentAt: d.now,
    sendings: 1,
    open: false,
  };
  ask(d, { kind: "replace", base: known.stored, next }, { kind: "claim" }, claimTime(d));
}

/** What a list of tickets depends on: while it is the same, another list would settle nothing. */
function signature(record: LockRecord): string {
  const { holders, turn, capacity, freeze } = record;
  return JSON.stringify([holders.map(({ grant, mode }) => [grant, mode]), turn, capacity, freeze]);
}

function helper(d: Draft): Helper {
  return { grant: d.grant, holder: d.config.holder, sight: d.sight, now: d.now, at: at(d) };
}

/** Helps the record on where that is needed. @returns true when something was asked for */
function decideHelp(d: Draft, record: LockRecord): boolean {
  const reason = reasonToHelp(d, record);
  if (reason === null) {
    d.helpAt = null;
    return false;
  }
  const next = d.position <= 1 || reason === "settle";
  const most = Math.min(HELP_SPREAD_MS.most, HELP_SPREAD_MS.place * d.position);
  d.helpAt ??= next ? d.now : d.now + random(d) * most;
  if (!due(d, d.helpAt)) return false;
  d.helpAt = null;
  ask(d, reason === "room" ? { kind: "list" } : { kind: "survey" }, { kind: "help" });
  return true;
}

function reasonToHelp(d: Draft, record: LockRecord): "settle" | "room" | "look" | null {
  if (d.mustSettle) return "settle";
  if (hasRoom(record) && d.settledFor !== signature(record)) return "room";
  let look = false;
  for (const { grant, since } of d.sight.turns) {
    const checked = record.roll_call.open && d.turnsChecked.includes(grant);
    if (grant !== d.grant && !checked && due(d, since + TURN_PATIENCE_MS)) look = true;
  }
  for (const seen of d.sight.holders) if (due(d, silentAt(seen))) look = true;
  const { call } = d.sight;
  if (call !== null && due(d, call.since + record.roll_call.stands_seconds * 1000)) {
    const named = record.roll_call.grants.includes(d.grant);
    if (!named || d.ticket?.ticket.answered === call.number) look = true;
  }
  return look ? "look" : null;
}

/** Record and tickets are read: does what there is to do. */
function help(d: Draft, tickets: readonly Queued[]): void {
  const known = knownRecord(d.known);
  if (known === null || embargoed(d)) return;
  d.mustSettle = false;
  d.settledFor = signature(known.record);
  d.turnsChecked = known.record.turn;
  const mending = mend(known.record, tickets, helper(d));
  if (mending.passedOver.length > 0) {
    const doomed = mending.passedOver.map(({ ticket, uid, revision }) => ({
      grant: ticket.grant,
      uid,
      revision,
    }));
    const left = tickets.filter((queued) => !mending.passedOver.includes(queued));
    ask(d, { kind: "delete_tickets", tickets: doomed }, { kind: "close", tickets: left });
    tell(d, "info", mending.told);
  } else writeMending(d, known.stored, mending);
}

function writeMending(d: Draft, base: StoredRecord, mending: ReturnType<typeof mend>): void {
  if (mending.next === null) {
    d.leftovers = [...d.leftovers, ...mending.spent];
    return;
  }
  d.settledFor = signature(mending.next);
  ask(d, { kind: "replace", base, next: mending.next }, {
    kind: "mend",
    spent: mending.spent,
    told: mending.told,
  });
}

/** The silent are deleted: settles among those that are left and takes the call off. */
function closeCall(d: Draft, flight: Flight, left: readonly Queued[], answer: Answer): void {
  const known = knownRecord(d.known);
  if (known === null || !isCurrent(d, flight) || (answer.undeleted?.length ?? 0) > 0) {
    // One of them changed, or the record did: it may have answered after all. Everything is read again.
    d.mustRead = true;
    d.mustSettle = true;
    return backOffConflict(d);
  }
  d.queueLength = waiting(known.record, left).length;
  const mending = mend(known.record, left, helper(d));
  // Somebody else's turn has become stale in the meantime: it has to be deleted first, too.
  if (mending.passedOver.length === 0) writeMending(d, known.stored, mending);
  else d.mustSettle = true;
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
    if (purpose.kind === "claim") return answerClaim(d, flight);
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
  else if (purpose.kind === "help") {
    // A list alone is good for the record that was known when it was asked for, and for no other.
    if (answer.record !== undefined || isCurrent(d, flight)) help(d, tickets);
  }
}

function answerClaim(d: Draft, flight: Flight): void {
  const known = knownRecord(d.known);
  const mine = known === null ? undefined : holderOf(known.record, d.grant);
  // What the server returned counts, not what was sent.
  if (mine?.state === "held") beginHold(d, mine, flight.sentAt);
  else d.mustRead = true;
}

/** Record and tickets as they were found on arrival. */
function arrive(d: Draft, tickets: readonly Queued[]): void {
  const known = knownRecord(d.known);
  if (known === null) {
    d.mustRead = false;
    return;
  }
  const me = { grant: d.grant, mode: d.config.mode };
  if (!embargoed(d) && claimRefusal(known.record, me, { tickets }) === null) {
    return sendClaim(d, known, { tickets });
  }
  const lost = known.record.turn.some((grant) =>
    !tickets.some(({ ticket }) => ticket.grant === grant)
  );
  d.phase = queueing(d);
  d.settledFor = null;
  if (lost && !embargoed(d)) {
    d.phase = "arriving";
    d.mustSettle = true;
    ask(d, { kind: "list" }, { kind: "help" });
  } else if (d.phase === "waiting") tell(d, "debug", `${tickets.length} wait already`);
}

/** With `--timeout 0`: stays while what stands looks dead, tries once more, else is done. */
function decideTrying(d: Draft): void {
  const known = knownRecord(d.known);
  if (known === null) return;
  if (d.tryUntil === null) {
    const patience = suspicion(d, known.record);
    d.tryUntil = d.now + patience;
  }
  const me = { grant: d.grant, mode: d.config.mode };
  const open = d.queueLength === 0 && claimRefusal(known.record, me, { tickets: [] }) === null;
  if (open && d.settledFor === signature(known.record)) {
    return ask(d, { kind: "look" }, { kind: "arrive" });
  }
  if (known.record.turn.length === 0 && !open && suspicion(d, known.record) === 0) {
    return finish(d, { kind: "busy" });
  }
  if (due(d, d.tryUntil)) finish(d, { kind: "busy" });
}

/** How long it is worth staying to see whether what stands is dead, in milliseconds. 0: it looks alive. */
function suspicion(d: Draft, record: LockRecord): number {
  const slack = 1000;
  const stands = Math.max(CALL_STANDS_SECONDS, record.roll_call.stands_seconds) * 1000;
  if (record.turn.length > 0) return TURN_PATIENCE_MS + stands + slack;
  const silent = record.holders.filter((holder) => {
    const renewed = Date.parse(holder.renewed_at);
    return !(d.wall - renewed < holder.ttl_seconds * 1000);
  });
  return Math.max(0, ...silent.map((holder) => holder.ttl_seconds * 1000 + slack));
}

function answerTicket(
  d: Draft,
  purpose: string,
  stored: NonNullable<Answer["ticket"]> | null,
): void {
  d.ticketReadAt = d.now + readEvery(d);
  if (purpose === "ticket") {
    if (stored !== null) learnTicket(d, stored);
    // Ticket first, then the record: no wake-up can be lost.
    d.mustRead = true;
    return;
  }
  d.mustReadTicket = false;
  if (stored !== null && (d.ticket === null || d.ticket.stored.uid === stored.uid)) {
    return learnTicket(d, stored);
  }
  if (d.ticket === null) {
    // Sent and found nowhere: it may be made yet, so it is never used.
    d.strays = [...d.strays, d.grant];
    return newGrant(d);
  }
  if (stored !== null) d.leftovers = [...d.leftovers, { grant: stored.grant, uid: stored.uid }];
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
      noteFailure(d, failure);
      if (kind === "ticket" && failure.kind === "unknown") d.mustReadTicket = true;
  }
}
