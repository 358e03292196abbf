/** Arriving, trying once, and the claim. */
import {
  ask,
  at,
  due,
  finish,
  leave,
  LEAVE_PATIENCE_MS,
  record as knownRecord,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import { TURN_PATIENCE_MS } from "./driver.ts";
import { embargoed, signature } from "./help.ts";
import { tryHole } from "./hole.ts";
import { owesNumber } from "./leave.ts";
import { CALL_STANDS_SECONDS } from "./queue.ts";
import type { Queued } from "./queue.ts";
import type { LockRecord } from "./record.ts";
import { claim, claimRefusal } from "./rules.ts";
import type { Claimant, ClaimWay } from "./rules.ts";
import type { StoredRecord } from "./store.ts";

/** While nobody knows whether the last holder is at work the lock is as good as held for one that tries once. */
export function tryNoMore(d: Draft): void {
  if (d.phase === "trying") endTry(d);
}

/** It was not free. By number nobody is to wait for this run any more, which has to be said. */
function endTry(d: Draft): void {
  if (owesNumber(d)) leave(d, { kind: "busy" }, LEAVE_PATIENCE_MS);
  else finish(d, { kind: "busy" });
}

/** Who claims, as the rules need it. */
export function claimant(d: Draft): Pick<Claimant, "grant" | "mode" | "number"> {
  return { grant: d.grant, mode: d.config.mode, number: d.config.orderKey };
}

/** How one goes on that cannot hold at once. */
export function queueing(d: Draft): "trying" | "waiting" {
  return d.config.timeoutMs === 0 ? "trying" : "waiting";
}

/** A claim that is answered late is worth little: what became of it is found out within its deadline. */
export function claimTime(d: Draft): number {
  return Math.min(d.config.requestTimeoutMs, d.config.ttlMs / 2);
}

/** Writes me in. */
export function sendClaim(
  d: Draft,
  known: { stored: StoredRecord; record: LockRecord },
  way: ClaimWay,
): void {
  const { holder, mode, orderKey, ttlMs, description, link, expiry } = d.config;
  const me = {
    grant: d.grant,
    holder,
    mode,
    number: orderKey,
    ttlSeconds: ttlMs / 1000,
    waitedSeconds: Math.round(d.now - d.startedAt) / 1000,
    description,
    link,
    expiry,
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

/** Record and tickets as they were found on arrival. */
export function arrive(d: Draft, tickets: readonly Queued[]): void {
  const known = knownRecord(d.known);
  if (known === null) {
    d.mustRead = false;
    return;
  }
  if (!embargoed(d) && claimRefusal(known.record, claimant(d), { tickets }) === null) {
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
    ask(d, { kind: "list", when: "now" }, { kind: "help" });
  } else if (d.phase === "waiting") tell(d, "debug", `${tickets.length} wait already`);
}

/** With `--timeout 0`: stays while what stands looks dead, tries once more, else is done. */
export function decideTrying(d: Draft): void {
  const known = knownRecord(d.known);
  if (known === null || tryHole(d)) return;
  if (d.tryUntil === null) {
    const patience = suspicion(d, known.record);
    d.tryUntil = d.now + patience;
  }
  const me = claimant(d);
  const open = d.queueLength === 0 && claimRefusal(known.record, me, { tickets: [] }) === null;
  if (open && d.settledFor === signature(known.record)) {
    return ask(d, { kind: "look" }, { kind: "arrive" });
  }
  if (known.record.turn.length === 0 && !open && suspicion(d, known.record) === 0) {
    return endTry(d);
  }
  if (due(d, d.tryUntil)) endTry(d);
}

/** How long it is worth staying to see whether what stands is dead, in milliseconds. 0: it looks alive. */
function suspicion(d: Draft, record: LockRecord): number {
  const slack = 1000;
  const stands = Math.max(CALL_STANDS_SECONDS, record.roll_call.stands_seconds) * 1000;
  if (record.turn.length > 0) return TURN_PATIENCE_MS + stands + slack;
  const silent = record.holders.filter((holder) => {
    // Nobody but a person takes that one off, however long it is watched.
    if (holder.state === "held" && holder.on_expiry === "never") return false;
    const renewed = Date.parse(holder.renewed_at);
    return !(d.wall - renewed < holder.ttl_seconds * 1000);
  });
  return Math.max(0, ...silent.map((holder) => holder.ttl_seconds * 1000 + slack));
}
