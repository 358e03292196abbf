/** A state while one step changes it, and what all phases do with it. */
import type {
  ClaimSent,
  Config,
  Effect,
  Failure,
  Flight,
  Known,
  Purpose,
  Request,
  Result,
  State,
} from "./driver.ts";
import { NOTHING_SEEN } from "./observer.ts";
import type { LockRecord } from "./record.ts";
import type { StoredRecord } from "./store.ts";

/** The next state in the making. Only `step` holds one, so nobody sees it change. */
export type Draft = { -readonly [K in keyof State]: State[K] } & { readonly effects: Effect[] };

const BACKOFF_MS = { first: 100, most: 5_000 };

/** The state of a client that has not begun. */
export function freshState(config: Config, now: number, wall: number): State {
  return {
    config,
    phase: "arriving",
    now,
    wall,
    startedAt: now,
    wakeAt: now,
    random: config.seed | 0,
    ids: 0,
    grants: 1,
    grant: config.resumed?.grant ?? `${config.grantPrefix}-1`,
    order: config.order ?? "fifo",
    lowest: null,
    hole: null,
    gaveUp: [],
    known: null,
    sight: NOTHING_SEEN,
    seenTtlMs: 0,
    embargoUntil: null,
    flight: null,
    clearing: null,
    inquiries: [],
    leftovers: [],
    strays: [],
    watch: { id: 0, open: false, retryAt: now },
    pollOnly: config.news === "poll",
    ticket: null,
    place: null,
    position: 1,
    queueLength: 0,
    claim: null,
    claimsLost: 0,
    mustRead: true,
    mustReadTicket: false,
    ticketGone: false,
    mustSettle: false,
    readAt: now,
    ticketReadAt: now,
    positionAt: now,
    retryAt: now,
    failures: 0,
    conflicts: 0,
    outage: false,
    unheardSince: now,
    lastFailure: null,
    firstGoodAt: null,
    settledFor: null,
    turnsChecked: [],
    helpAt: null,
    tryUntil: null,
    hold: null,
    leaveUntil: null,
    result: null,
    leftBehind: null,
  };
}

/** True when `at` has come; else the client is woken then at the latest. */
export function due(d: Draft, at: number): boolean {
  if (d.now >= at) return true;
  if (d.wakeAt === null || at < d.wakeAt) d.wakeAt = at;
  return false;
}

/** Says something to people. */
export function tell(d: Draft, level: "debug" | "info" | "warn", text: string): void {
  d.effects.push({ kind: "tell", level, text });
}

/** The next of this client's random numbers, in [0, 1): all of them follow from its seed. */
export function random(d: Draft): number {
  // mulberry32: small, and good enough to spread waits.
  d.random = (d.random + 0x6d2b79f5) | 0;
  let mixed = Math.imul(d.random ^ (d.random >>> 15), 1 | d.random);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

/** The wall clock, for people. */
export function at(d: Draft): string {
  return new Date(d.wall).toISOString();
}

/** Sends a request; its answer will come as the flight's. */
export function ask(d: Draft, request: Request, purpose: Purpose, timeoutMs?: number): void {
  const limit = timeoutMs ?? d.config.requestTimeoutMs;
  d.ids++;
  d.flight = { id: d.ids, sentAt: d.now, purpose, base: d.known };
  if (request.kind === "read" || request.kind === "survey" || request.kind === "look") {
    d.mustRead = false;
  }
  d.effects.push({ kind: "request", id: d.ids, request, timeoutMs: Math.max(1, limit) });
}

/** Goes on with a new grant: the old one was sent into the world and is never used again. */
export function newGrant(d: Draft): void {
  d.grants++;
  d.grant = `${d.config.grantPrefix}-${d.grants}`;
  d.claim = null;
  d.mustReadTicket = false;
  d.ticketGone = false;
}

/** What others do to the record does not matter any more. */
export function stopWatching(d: Draft): void {
  if (d.watch.open) d.effects.push({ kind: "unwatch" });
  d.watch = { ...d.watch, open: false };
}

/** Ends this client. */
export function finish(d: Draft, result: Result): void {
  stopWatching(d);
  d.phase = "over";
  d.result = result;
}

/** Gives back whatever there is, then ends with `result`. */
export function leave(d: Draft, result: Result, patienceMs: number): void {
  if (d.phase === "giving_up" || d.phase === "over") return;
  d.result = result;
  d.phase = "giving_up";
  d.leaveUntil = d.now + patienceMs;
  d.retryAt = d.now;
  // There is little time: pauses begin small again, however long the store has been away.
  d.failures = 0;
  // Nobody waits for the answer of a request that changes nothing.
  const reads = ["read", "arrive", "survey", "help", "ticket_read", "ticket_check"];
  if (d.flight !== null && reads.includes(d.flight.purpose.kind)) {
    if (d.flight.purpose.kind === "ticket_check") d.strays = [...d.strays, d.grant];
    d.flight = null;
  }
}

/** How long giving up is tried while the store does not answer. */
export const LEAVE_PATIENCE_MS = 10_000;

/** Waits before the next request: exponential, random, and as long as the store asked for. */
export function backOff(d: Draft, failure: Failure): void {
  const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.min(d.failures, 10));
  d.failures++;
  const wait = Math.max(failure.retryAfterMs ?? 0, most * (0.5 + random(d) / 2));
  d.retryAt = d.now + wait;
}

/** After a write that came too late for its record: at once the first time, then at random. */
export function backOffConflict(d: Draft): void {
  if (d.conflicts > 0) d.retryAt = d.now + random(d) * Math.min(1000, 10 * 2 ** d.conflicts);
  d.conflicts = Math.min(d.conflicts + 1, 10);
}

/**
 * A request failed: what became of it is read, and nobody's silence since what was known last is counted on. Where a write failed
 * none before it is either: while nothing can be written nobody can give a sign of life, however well the record is read.
 */
export function noteFailure(d: Draft, failure: Failure, what: "read" | "write" = "write"): void {
  const since = what === "write" ? d.startedAt : d.known?.at ?? d.startedAt;
  d.unheardSince = d.outage ? Math.min(d.unheardSince, since) : since;
  d.lastFailure = failure;
  d.outage = true;
  d.mustRead = true;
  backOff(d, failure);
  tell(d, "debug", `request failed (${failure.kind}): ${failure.message}`);
}

/** The claim that was sent with the present grant. */
export function openClaim(d: Draft): ClaimSent | null {
  return d.claim !== null && d.claim.open && d.claim.grant === d.grant ? d.claim : null;
}

/** The record known, when there is one. */
export function record(known: Known | null): { stored: StoredRecord; record: LockRecord } | null {
  return known !== null && known.stored !== null && known.record !== null
    ? { stored: known.stored, record: known.record }
    : null;
}

/** Watches the record from what is known, if it is to be watched and is not yet. */
export function keepWatching(d: Draft): void {
  if (d.pollOnly || d.watch.open || d.known === null || !due(d, d.watch.retryAt)) return;
  const id = d.watch.id + 1;
  d.watch = { id, open: true, retryAt: d.now };
  d.effects.push({
    kind: "watch",
    id,
    from: d.known.stored?.revision ?? "",
    place: d.position,
  });
}

/** Deletes the tickets that do not wait any more, beside everything else. */
export function clearAway(d: Draft): void {
  if (d.clearing !== null || d.leftovers.length === 0) return;
  d.ids++;
  d.clearing = { id: d.ids, tickets: d.leftovers };
  d.effects.push({
    kind: "request",
    id: d.ids,
    request: { kind: "delete_tickets", tickets: d.leftovers },
    timeoutMs: d.config.requestTimeoutMs,
  });
  d.leftovers = [];
}

/** True when the flight was sent against what is still known. */
export function isCurrent(d: Draft, flight: Flight): boolean {
  return flight.base?.stored?.uid === d.known?.stored?.uid &&
    flight.base?.stored?.revision === d.known?.stored?.revision;
}
