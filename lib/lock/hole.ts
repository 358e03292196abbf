/** A number of version 3's that nobody comes with: when it may be passed. */
import { ask, due, random, record as knownRecord, tell } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Happening, Hole } from "./driver.ts";
import type { Queued } from "./queue.ts";
import type { LockRecord } from "./record.ts";
import { holeIn, passHole } from "./sequential.ts";

/** How often the next in line looks for tickets of the number and asks about its run; those further back do so less often. */
const LOOK_EVERY_MS = { next: 15_000, most: 300_000 };

/** One that tries once waits for an answer about a run for so long, in milliseconds. */
const TRY_MS = 10_000;

/** An answer counts for so long, in milliseconds: a run that is over may be run again, and version 3 lets it in while its number stands. */
const ANSWER_COUNTS_MS = 10_000;

/** Record and tickets are read, and `record` is how it is going to stand: notes whether everybody waits for one that is not here. */
export function noteHole(d: Draft, record: LockRecord, tickets: readonly Queued[]): void {
  const number = holeIn(record, tickets);
  if (number === null || d.config.orderKey === null || number >= d.config.orderKey) {
    d.hole = null;
    return;
  }
  const before = d.hole?.number === number ? d.hole : null;
  d.hole = before ?? {
    number,
    since: d.now,
    listAt: d.now + lookEvery(d),
    // Those behind the next in line leave it to that one, at first.
    askAt: d.now + (d.position <= 1 ? 0 : lookEvery(d)),
    fate: null,
    toldAt: d.now,
  };
}

/** The record has moved on, or requests have failed: what was counted does not count any more. */
export function forgetHole(d: Draft, record: LockRecord, why: "news" | "outage"): void {
  const { hole } = d;
  if (hole === null) return;
  const stands = record.next_build === hole.number && record.holders.length === 0 &&
    record.turn.length === 0;
  if (!stands) {
    d.hole = null;
    // It may come to stand as it did when the tickets were listed last.
    d.settledFor = null;
  } else if (why === "outage") d.hole = { ...hole, since: d.now };
}

/**
 * Keeps in mind who gave up: the next end of version 3 wipes that. A number that has been passed is forgotten, as a person may set it
 * again for a re-run.
 */
export function noteGivenUp(d: Draft, { next_build, given_up = [] }: LockRecord): void {
  if (next_build === undefined) return;
  d.gaveUp = [...new Set([...d.gaveUp, ...given_up])].filter((number) => number >= next_build);
}

function lookEvery(d: Draft): number {
  const every = Math.min(LOOK_EVERY_MS.most, LOOK_EVERY_MS.next * d.position);
  return every * (0.75 + random(d) / 2);
}

/** Passes a number, or finds out whether it may be passed. @returns true when something was asked for */
export function decideHole(d: Draft): boolean {
  const { hole } = d;
  if (hole === null) return false;
  const why = reasonToPass(d, hole);
  if (why !== null) {
    const told = `passes run ${hole.number}: ${why}`;
    ask(d, { kind: "survey" }, { kind: "pass", number: hole.number, told });
    return true;
  }
  if (hole.askAt !== null && due(d, hole.askAt)) {
    d.hole = { ...hole, askAt: null };
    d.effects.push({ kind: "ask_run", number: hole.number });
  }
  if (!due(d, hole.listAt)) return false;
  d.hole = { ...d.hole ?? hole, listAt: d.now + lookEvery(d) };
  ask(d, { kind: "survey" }, { kind: "help" });
  return true;
}

/**
 * What one that tries once does about a number: else a lock that only such use would stand at a run that never came for ever.
 *
 * @returns true while that is under way
 */
export function tryHole(d: Draft): boolean {
  const { hole } = d;
  if (hole === null) return false;
  if (decideHole(d)) return true;
  // Those that wait in line before it ask themselves.
  const isAsked = d.hole?.askAt === null && d.hole.fate === null;
  return isAsked && !due(d, hole.since + TRY_MS);
}

function reasonToPass(d: Draft, hole: Hole): string | null {
  if (d.gaveUp.includes(hole.number)) return "who waited for it has given up";
  const isFresh = d.now < hole.toldAt + ANSWER_COUNTS_MS;
  if (hole.fate?.kind === "over" && isFresh) return hole.fate.why;
  const { skipAfterMs } = d.config;
  if (skipAfterMs === null || !due(d, hole.since + skipAfterMs)) return null;
  return `it did not show up for ${Math.round(skipAfterMs / 1000)} s (--skip-after)`;
}

/** The answer to `ask_run`. No answer is none: it is asked again. */
export function takeRunTold(
  d: Draft,
  { number, fate }: Extract<Happening, { kind: "run_told" }>,
): void {
  if (d.hole?.number !== number) return;
  const { fate: before } = d.hole;
  // It may say itself how long it wants to be left alone.
  const least = "retryAfterMs" in fate ? fate.retryAfterMs ?? 0 : 0;
  d.hole = { ...d.hole, fate, toldAt: d.now, askAt: d.now + Math.max(least, lookEvery(d)) };
  // The same again is no news.
  if (fate.why !== before?.why) tell(d, "info", `everybody waits for run ${number}: ${fate.why}`);
}

/** Record and tickets are read once more: passes the number if it is still nobody's. */
export function passNumber(
  d: Draft,
  { number, told }: { readonly number: number; readonly told: string },
  tickets: readonly Queued[],
): void {
  const known = knownRecord(d.known);
  const next = known === null ? null : passHole(known.record, number, tickets);
  d.hole = null;
  if (known === null || next === null) {
    d.mustSettle = true;
    return;
  }
  ask(d, { kind: "replace", base: known.stored, next }, { kind: "mend", spent: [], told });
}
