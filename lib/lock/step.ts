/** The pure step of one client: `(state, event) → (state, effects)`. */
import type { Config, Effect, Event, Flight, State } from "./driver.ts";
import { takeFate } from "./expiry.ts";
import { clearAway, finish, freshState, leave, LEAVE_PATIENCE_MS } from "./draft.ts";
import { learn } from "./learn.ts";
import type { Draft } from "./draft.ts";
import { answerHolding, decideHolding, endWork, examineHold } from "./hold.ts";
import { answerReleasing, beginRelease, decideReleasing } from "./give_back.ts";
import { holderOf } from "./queue.ts";
import { takeRunTold } from "./hole.ts";
import { answerLeaving, decideLeaving } from "./leave.ts";
import { answerResuming, decideResuming } from "./resume.ts";
import { answerWaiting, decideWaiting } from "./wait.ts";

/** Wall clock and monotonic clock parted by more than this: the machine slept, or somebody set the clock. */
const CLOCK_JUMP_MS = 2000;
/** Before a watch that broke is begun again. */
const WATCH_RETRY_MS = { ended: 10, broken: 1000 };

/** A client that is about to acquire, or with `config.resumed` to go on holding. */
export function begin(config: Config, now: number, wall: number): State {
  const state = freshState(config, now, wall);
  return config.resumed === null ? state : { ...state, phase: "holding", mustRead: true };
}

/** What a client knows and has to do after one event. */
export function step(state: State, event: Event): { state: State; effects: Effect[] } {
  const d: Draft = { ...state, effects: [], now: event.now, wall: event.wall, wakeAt: null };
  if (state.phase === "over" && state.clearing === null) return { state, effects: [] };
  noteClocks(d, state);
  take(d, event);
  decide(d);
  if (d.phase === "over") d.wakeAt = null;
  if (d.watch.open && state.watch.open && d.position !== state.position) {
    d.effects.push({ kind: "move", place: d.position });
  }
  const { effects, ...next } = d;
  return { state: next, effects };
}

/**
 * A holder whose clocks part looks whether it still holds before it goes on. What was sent before that and is answered
 * after it proves nothing: the monotonic clock may have stood still while others counted on.
 */
function noteClocks(d: Draft, before: State): void {
  const parted = Math.abs((d.wall - before.wall) - (d.now - before.now));
  if (parted <= CLOCK_JUMP_MS) return;
  const { ttlMs } = d.config;
  const longAgo = (sentAt: number) => sentAt - ttlMs;
  const { flight, claim, hold } = d;
  if (flight !== null && ["claim", "renew"].includes(flight.purpose.kind)) {
    d.flight = { ...flight, sentAt: longAgo(flight.sentAt) };
  }
  if (claim !== null) d.claim = { ...claim, firstSentAt: longAgo(claim.firstSentAt) };
  if (hold === null) return;
  d.hold = {
    ...hold,
    ackedAt: hold.work === "none" ? longAgo(hold.ackedAt) : hold.ackedAt,
    renewAt: Math.min(hold.renewAt, d.now),
    pending: hold.pending === null
      ? null
      : { ...hold.pending, firstSentAt: longAgo(hold.pending.firstSentAt) },
  };
}

function take(d: Draft, { what }: Event): void {
  switch (what.kind) {
    case "answer":
      return takeAnswer(d, what);
    case "watched":
      if (what.id !== d.watch.id || !d.watch.open) return;
      if (what.record === null) d.mustRead = true;
      else if (d.known === null) d.mustRead = true;
      else if (learn(d, what.record, "event", d.now)) {
        examineHold(d, "event");
        noteClaimed(d);
      }
      return;
    case "watch_ended":
      if (what.id !== d.watch.id || !d.watch.open) return;
      if (what.failure?.kind === "refused") d.pollOnly = true;
      d.watch = {
        ...d.watch,
        open: false,
        retryAt: d.now + (what.failure === null ? WATCH_RETRY_MS.ended : WATCH_RETRY_MS.broken),
      };
      // Whether the store can be reached is for the read to find out.
      d.mustRead = true;
      return;
    case "give_up":
      return takeGiveUp(d);
    case "work_ended":
      return endWork(d);
    case "hand_over":
      return takeHandOver(d);
    case "run_told":
      return takeRunTold(d, what);
    case "job_told":
      return takeFate(d, what.id, what.fate);
    case "tick":
      return;
  }
}

/** My claim is seen in the record before its answer has come, or although that is lost: nobody waits for it any more. */
function noteClaimed(d: Draft): void {
  if (d.flight?.purpose.kind !== "claim" || !d.known?.record) return;
  if (holderOf(d.known.record, d.grant)?.state === "held") d.flight = null;
}

function takeAnswer(
  d: Draft,
  { id, answer }: Extract<Event["what"], { kind: "answer" }>,
): void {
  if (id === d.clearing?.id) {
    // What could not be deleted is deleted when a list shows that it still stands.
    const left = answer.undeleted ?? d.clearing.tickets.map(({ grant }) => grant);
    d.strays = [...d.strays, ...left];
    d.clearing = null;
    if (d.phase === "over") clearAway(d);
    return;
  }
  if (d.flight === null || d.flight.id !== id) return;
  const flight: Flight = d.flight;
  d.flight = null;
  switch (d.phase) {
    case "arriving":
    case "trying":
    case "waiting":
      return answerWaiting(d, flight, answer);
    case "giving_up":
      return answerLeaving(d, flight, answer);
    case "holding":
      return d.hold === null ? answerResuming(d, flight, answer) : answerHolding(d, flight, answer);
    case "releasing":
      return answerReleasing(d, flight, answer);
    case "over":
      return;
  }
}

function takeGiveUp(d: Draft): void {
  if (d.phase === "holding") {
    // Work that runs is stopped by whoever runs it; its end gives the lock back.
    if (d.hold === null) finish(d, { kind: "gave_up" });
    else if (d.hold.work === "none" || d.hold.handsOver) beginRelease(d, { kind: "gave_up" });
    return;
  }
  if (d.phase === "arriving" || d.phase === "trying" || d.phase === "waiting") {
    leave(d, { kind: "gave_up" }, LEAVE_PATIENCE_MS);
  }
}

/**
 * The steps of a job begin with this, and nobody can stop them: so the hold is renewed first where a renewal is due, as it is after this
 * process, or its machine, stood still. Everybody else just stops.
 */
function takeHandOver(d: Draft): void {
  if (d.phase !== "holding") return;
  const { hold, config } = d;
  const stepsBegin = config.work === "steps" && config.resumed === null;
  if (hold !== null && stepsBegin) d.hold = { ...hold, handsOver: true };
  else finish(d, { kind: "handed_over" });
}

function decide(d: Draft): void {
  for (;;) {
    const phase = d.phase;
    const grant = d.grant;
    switch (phase) {
      case "arriving":
      case "trying":
      case "waiting":
        decideWaiting(d);
        break;
      case "giving_up":
        decideLeaving(d);
        break;
      case "holding":
        if (d.hold === null) decideResuming(d);
        else decideHolding(d);
        break;
      case "releasing":
        decideReleasing(d);
        break;
      case "over":
        return;
    }
    if (d.phase === phase && d.grant === grant) return;
  }
}
