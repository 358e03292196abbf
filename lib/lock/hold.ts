/** Holding and giving back. */
import {
  ask,
  at,
  clearAway,
  due,
  finish,
  keepWatching,
  newGrant,
  noteFailure,
  record as knownRecord,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Answer, Flight, Hold, Lost } from "./driver.ts";
import { beginRelease } from "./give_back.ts";
import { learn } from "./learn.ts";
import { holderOf, pastOf } from "./queue.ts";
import type { Holder } from "./record.ts";
import { renew } from "./rules.ts";
import { isV3 } from "./sequential.ts";

/** Parts of the TTL, counted from the sending of the last acknowledged renewal. */
export const PART = { renew: 1 / 6, warn: 1 / 2, stop: 2 / 3, kill: 5 / 6 };

/** A hold shorter than this is never watched: taking and giving back are 5 requests in all. */
const WATCH_AFTER_MS = 1000;

/** How long work has between TERM and KILL when nobody else waits for the deadline to pass. */
const GRACE_MS = 10_000;

/** In milliseconds. */
export function ttl(d: Draft): number {
  return d.config.ttlMs;
}

/**
 * The record names me: holds.
 *
 * @param sentAt when the write that made me a holder was sent (its first sending, unless a later one was answered)
 */
export function beginHold(d: Draft, mine: Holder, sentAt: number): void {
  enterHold(d, mine, sentAt);
  if (d.ticket !== null) {
    // Beside the work, not before it.
    const { grant, uid } = d.ticket.stored;
    d.leftovers = [...d.leftovers, { grant, uid }];
    d.ticket = null;
  }
  d.phase = "holding";
  d.helpAt = null;
  d.retryAt = d.now;
  if (!d.watch.open) d.watch = { ...d.watch, retryAt: d.now + WATCH_AFTER_MS };
}

/** Takes `mine` for this client's own entry. */
export function enterHold(d: Draft, mine: Holder, sentAt: number): void {
  d.claim = null;
  d.position = 1;
  d.hold = {
    uid: d.known?.stored?.uid ?? "",
    token: mine.token,
    slot: mine.slot,
    number: mine.run_number ?? null,
    since: d.now,
    ackedAt: sentAt,
    renewAt: sentAt + ttl(d) * PART.renew,
    pending: null,
    work: "none",
    stage: "fine",
    killAt: null,
    lost: null,
    gone: false,
    handsOver: false,
  };
}

/** What to do while holding. */
export function decideHolding(d: Draft): void {
  const hold = d.hold;
  if (hold === null) return;
  if (hold.work === "none" && hold.lost === null) startWork(d, hold);
  watchDeadline(d);
  if (endIfOver(d) || handOver(d)) return;
  clearAway(d);
  keepWatching(d);
  if (d.flight !== null || !due(d, d.retryAt)) return;
  if (d.hold?.gone || d.hold?.lost?.kind === "broken") return;
  if (d.mustRead || d.known === null) {
    return ask(d, { kind: "read" }, { kind: "read" }, requestTime(d));
  }
  if (d.hold === null || !due(d, d.hold.renewAt)) return;
  sendRenewal(d, d.hold);
}

/** Each request of a holder is over before the next renewal is due. */
function requestTime(d: Draft): number {
  return Math.min(d.config.requestTimeoutMs, ttl(d) * PART.renew);
}

/** Work starts only well within the deadline of a claim that is known to have succeeded. */
function startWork(d: Draft, hold: Hold): void {
  if (d.now >= hold.ackedAt + ttl(d) * PART.warn) {
    d.hold = { ...hold, renewAt: Math.min(hold.renewAt, d.now) };
    return;
  }
  d.hold = { ...hold, work: "running", since: d.now };
  d.claimsLost = 0;
  d.effects.push({ kind: "start_work" });
}

/** Ends the hold where there is nothing left to stop. */
function endIfOver(d: Draft): boolean {
  const hold = d.hold;
  if (hold === null) return false;
  const unbegun = hold.work === "none" && hold.lost !== null;
  const steps = d.config.work === "steps" && hold.lost !== null &&
    (hold.gone || ["broken", "passed", "max_hold"].includes(hold.lost.kind));
  if (steps) {
    // Nobody can stop the steps of a job: they are told, and the entry is left to its TTL.
    finish(d, { kind: "lost", lost: hold.lost ?? { kind: "gone" } });
    return true;
  }
  if (hold.work !== "over" && !unbegun) return false;
  if (unbegun && hold.lost?.kind !== "broken" && d.config.resumed === null) {
    // It was taken off before any work began: back into the queue, with another grant in the old place.
    d.hold = null;
    d.phase = d.config.timeoutMs === 0 ? "arriving" : "waiting";
    newGrant(d);
    d.mustRead = true;
    d.mustSettle = true;
    return true;
  }
  beginRelease(d, hold.lost === null ? { kind: "released" } : { kind: "lost", lost: hold.lost });
  return true;
}

/** @returns true when this hold is another process's from now on, or is given back because it could not be renewed for that */
function handOver(d: Draft): boolean {
  const hold = d.hold;
  if (hold === null || !hold.handsOver) return false;
  if (hold.lost !== null) {
    beginRelease(d, { kind: "lost", lost: hold.lost });
    return true;
  }
  if (due(d, hold.renewAt)) return false;
  finish(d, { kind: "handed_over" });
  return true;
}

/** Warns, stops and kills the work as the deadline comes near. */
function watchDeadline(d: Draft): void {
  const hold = d.hold;
  if (hold === null || hold.work !== "running") return;
  if (
    d.config.maxHoldMs !== null && hold.lost === null && due(d, hold.since + d.config.maxHoldMs)
  ) {
    const seconds = Math.round(d.config.maxHoldMs / 1000);
    lose(d, { kind: "max_hold", seconds }, d.now + GRACE_MS);
  }
  const current = d.hold ?? hold;
  const silent = (part: number) => current.ackedAt + ttl(d) * part;
  if (current.stage === "fine" && due(d, silent(PART.warn))) {
    d.hold = { ...current, stage: "warned" };
    tell(d, "warn", `no renewal for ${seconds(d.now - current.ackedAt)} s: ${cause(d)}`);
  }
  const stopAt = d.config.work === "steps" ? 1 : PART.stop;
  if (current.lost === null && due(d, silent(stopAt))) {
    const lost: Lost = {
      kind: "silent",
      seconds: seconds(d.now - current.ackedAt),
      cause: cause(d),
    };
    if (d.config.work === "steps") {
      // As long as the record names it nobody else holds: the gap is told, the hold goes on.
      d.hold = { ...(d.hold ?? current), lost };
      tell(d, "warn", `not renewed for ${lost.seconds} s: others may take the lock now`);
    } else lose(d, lost, silent(PART.kill));
  }
  const last = d.hold;
  // Whatever it is stopped for, and however long that may take: it ends before others may hold.
  const killAt = Math.min(last?.killAt ?? Infinity, silent(PART.kill));
  if (last !== null && last.stage === "stopping" && due(d, killAt)) {
    d.hold = { ...last, stage: "killed" };
    d.effects.push({ kind: "stop_work", how: "kill" });
  }
}

/**
 * The work is reaped. Where that is heard of only after the deadline, others may have held before it ended: nobody here saw
 * when that was.
 */
export function endWork(d: Draft): void {
  const hold = d.hold;
  if (hold === null) return;
  const late = hold.work === "running" && d.now >= hold.ackedAt + ttl(d) * PART.kill;
  const lost: Lost | null = hold.lost === null && late && d.config.work === "command"
    ? { kind: "silent", seconds: seconds(d.now - hold.ackedAt), cause: cause(d) }
    : hold.lost;
  d.hold = { ...hold, work: "over", lost };
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

/** Why there was no renewal, as far as it is known. */
export function cause(d: Draft): string {
  if (d.lastFailure !== null) return d.lastFailure.message;
  return d.hold?.pending ? "its renewals were not answered" : "this process did not run";
}

/** The lock is lost, or soon will be: the work is told to stop now and killed at `killAt`. */
function lose(d: Draft, lost: Lost, killAt: number): void {
  const hold = d.hold;
  if (hold === null) return;
  const first = hold.lost === null;
  d.hold = { ...hold, lost: hold.lost ?? lost };
  if (d.config.work === "steps" || hold.work !== "running") return;
  // `--on-lost warn` leaves work alone whose lock is lost; a limit that its user set is kept all the same.
  if (d.config.onLost === "warn" && lost.kind !== "max_hold") return;
  if (first || hold.stage === "fine" || hold.stage === "warned") {
    d.effects.push({ kind: "stop_work", how: "term" });
    d.hold = { ...d.hold, stage: "stopping", killAt };
  } else if (hold.killAt !== null && killAt < hold.killAt) d.hold = { ...d.hold, killAt };
}

/** Looks for my entry in what is known now. */
export function examineHold(d: Draft, source: "read" | "write" | "event"): void {
  const hold = d.hold;
  if (hold === null || hold.gone) return;
  const known = knownRecord(d.known);
  const mine = known !== null && known.stored.uid === hold.uid
    ? holderOf(known.record, d.grant)
    : undefined;
  if (mine === undefined) {
    if (source === "event") d.mustRead = true;
    else loseEntry(d, hold);
    return;
  }
  if (mine.state === "broken") {
    const lost: Lost = {
      kind: "broken",
      by: mine.broken_by ?? null,
      reason: mine.broken_reason ?? null,
    };
    return lose(d, lost, Math.min(d.now + GRACE_MS, hold.ackedAt + ttl(d) * PART.kill));
  }
  // Another process of the job may renew this hold, too, and may have done so before this one sent anything.
  const { pending } = hold;
  if (mine.renewals === pending?.renewals && mine.renewed_at === pending.at) {
    acknowledge(d, pending.firstSentAt);
  }
  const next = known?.record.next_build;
  if (next !== undefined && hold.number !== null && next > hold.number) {
    // Version 3 looks at nothing but the number: the run that has it may be at work.
    const lost: Lost = { kind: "passed", number: hold.number, next };
    lose(d, lost, Math.min(d.now + GRACE_MS, hold.ackedAt + ttl(d) * PART.kill));
  }
}

/** The record does not name me any more: says why as far as it can be known. */
export function loseEntry(d: Draft, hold: Hold): void {
  const known = knownRecord(d.known);
  const past = known === null ? undefined : pastOf(known.record, d.grant);
  const lost: Lost = known === null || known.stored.uid !== hold.uid
    ? { kind: "deleted" }
    : past?.outcome === "expired"
    ? { kind: "expired", by: past.by, token: known.record.last_token }
    : past?.outcome === "broken"
    ? { kind: "broken", by: past.by, reason: past.reason }
    : past === undefined && isV3(known.record)
    ? { kind: "wiped", next: known.record.next_build }
    : { kind: "gone" };
  loseForGood(d, hold, lost);
}

/** The hold is over: nothing is renewed or given back, and the work is told to stop now and soon killed. */
export function loseForGood(d: Draft, hold: Hold, lost: Lost): void {
  const killAt = Math.min(d.now + ttl(d) * PART.renew, hold.ackedAt + ttl(d) * PART.kill);
  lose(d, lost, killAt);
  if (d.hold !== null) d.hold = { ...d.hold, gone: true };
}

/** A renewal that was sent at `sentAt` is known to have been applied. */
function acknowledge(d: Draft, sentAt: number): void {
  const hold = d.hold;
  if (hold === null) return;
  const ackedAt = Math.max(hold.ackedAt, sentAt);
  const steps = d.config.work === "steps" && hold.lost?.kind === "silent";
  if (steps) tell(d, "warn", `renewed again after a gap: nobody else held meanwhile`);
  d.hold = {
    ...hold,
    ackedAt,
    renewAt: ackedAt + ttl(d) * PART.renew,
    pending: null,
    stage: hold.stage === "warned" ? "fine" : hold.stage,
    lost: steps ? null : hold.lost,
  };
}

function sendRenewal(d: Draft, hold: Hold): void {
  const known = knownRecord(d.known);
  if (known === null) {
    d.mustRead = true;
    return;
  }
  const renewals = (holderOf(known.record, d.grant)?.renewals ?? 0) + 1;
  // The same write again, whichever of the two comes to be applied.
  const pending = hold.pending?.renewals === renewals
    ? hold.pending
    : { renewals, at: at(d), firstSentAt: d.now };
  const next = renew(known.record, d.grant, pending.at);
  if (typeof next === "string") return examineHold(d, "read");
  d.hold = { ...hold, pending };
  ask(
    d,
    { kind: "replace", base: known.stored, next },
    { kind: "renew", renewals },
    requestTime(d),
  );
}

/** The answers to what was asked while holding. */
export function answerHolding(d: Draft, flight: Flight, answer: Answer): void {
  const failure = answer.failure;
  const { purpose } = flight;
  if (failure === undefined) {
    if (answer.record === undefined) return;
    const source = purpose.kind === "renew" || purpose.kind === "mend" ? "write" : "read";
    learn(d, answer.record, source, flight.sentAt);
    d.conflicts = 0;
    if (purpose.kind === "renew") {
      const known = knownRecord(d.known);
      const mine = known === null ? undefined : holderOf(known.record, d.grant);
      if (mine !== undefined && mine.renewals >= purpose.renewals) {
        d.lastFailure = null;
        d.failures = 0;
        acknowledge(d, flight.sentAt);
      }
    }
    return examineHold(d, "read");
  }
  if (failure.kind === "conflict" || failure.kind === "missing") {
    d.mustRead = true;
    return;
  }
  // Whatever it is, others may hold only after the TTL: it is tried again until the deadline.
  noteFailure(d, failure);
  const soon = d.now + ttl(d) / 24;
  if (failure.retryAfterMs === undefined) d.retryAt = Math.min(d.retryAt, soon);
}
