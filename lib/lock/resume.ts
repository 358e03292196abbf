/** Going on with a grant that another process of this job acquired: to renew it, or to give it back. */
import type { Answer, Flight, Lost } from "./driver.ts";
import { ask, due, finish, noteFailure, record as knownRecord } from "./draft.ts";
import { learn } from "./learn.ts";
import type { Draft } from "./draft.ts";
import { beginRelease } from "./give_back.ts";
import { enterHold } from "./hold.ts";
import type { Past } from "./record.ts";
import { holderOf, pastOf } from "./queue.ts";
import { isV3 } from "./sequential.ts";

/** Finds the grant's entry. */
export function decideResuming(d: Draft): void {
  const patience = d.config.resumed?.then === "hold"
    ? Math.max(d.config.ttlMs, d.config.requestTimeoutMs)
    : d.config.requestTimeoutMs;
  const failure = d.lastFailure;
  if (d.flight === null && failure !== null && due(d, d.startedAt + patience)) {
    return finish(d, { kind: "unreachable", message: failure.message });
  }
  if (d.flight !== null || !due(d, d.retryAt)) return;
  const left = d.startedAt + patience - d.now;
  ask(d, { kind: "read" }, { kind: "read" }, Math.min(d.config.requestTimeoutMs, left));
}

/** Why `grant` does not hold, as far as the record tells. */
export function lostBy(past: Past | undefined, lastToken: number): Lost | null {
  if (past === undefined) return null;
  if (past.outcome === "expired") return { kind: "expired", by: past.by, token: lastToken };
  if (past.outcome === "broken") return { kind: "broken", by: past.by, reason: past.reason };
  return { kind: "gone" };
}

/** The record, or why there is none. */
export function answerResuming(d: Draft, flight: Flight, answer: Answer): void {
  const failure = answer.failure;
  if (failure !== undefined) {
    if (failure.kind === "refused" || failure.kind === "unusable") {
      return finish(d, { kind: failure.kind, message: failure.message });
    }
    return noteFailure(d, failure);
  }
  if (answer.record === undefined) return;
  learn(d, answer.record, "read", flight.sentAt);
  if (d.phase !== "holding") return;
  const known = knownRecord(d.known);
  if (known === null) return finish(d, { kind: "lost", lost: { kind: "deleted" } });
  const mine = holderOf(known.record, d.grant);
  if (mine === undefined) {
    const past = pastOf(known.record, d.grant);
    if (past === undefined && d.config.resumed?.then === "release" && isV3(known.record)) {
      const { next_build: next } = known.record;
      // Only who knows that it held was given a number.
      if (d.config.orderKey !== null) {
        return beginRelease(d, { kind: "lost", lost: { kind: "wiped", next } });
      }
    }
    const lost = lostBy(past, known.record.last_token);
    return finish(d, lost === null ? { kind: "not_holder" } : { kind: "lost", lost });
  }
  // What others wait for counts, whatever this process was told.
  d.config = { ...d.config, ttlMs: mine.ttl_seconds * 1000 };
  enterHold(d, mine, d.now);
  if (d.config.resumed?.then === "release") beginRelease(d, { kind: "released" });
  // When it was renewed last is not known here: so at once.
  else if (d.hold !== null) d.hold = { ...d.hold, renewAt: d.now };
}
