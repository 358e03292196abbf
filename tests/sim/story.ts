/** What happened in a simulated run, told for people. */
import type { LockRecord } from "../../lib/lock/record.ts";
import type { Fault, Mishap } from "./mishaps.ts";

/** One thing that happened. */
export interface Line {
  /** True time, in milliseconds. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
}

/** A story is cut to its last lines when it is longer. */
const MOST_LINES = 120;

/** By fault, what becomes of the request, the client or the lock that it meets. */
const SENTENCES: Readonly<Record<Fault, string>> = {
  lost: "never arrives",
  unanswered: "is carried out, and its answer is lost",
  late: "arrives late",
  twice: "arrives twice",
  slow: "is answered late",
  throttled: "is turned away with 429",
  failed: "is answered 500, and not carried out",
  "failed, applied": "is answered 500, and carried out",
  refused: "is answered 403",
  overtaken: "is answered 409 or 404: somebody else was first",
  "store away": "the store cannot be reached",
  "stale list": "shows the tickets as they stood a moment ago",
  "watch broken": "breaks the watch",
  "watch silent": "is the last that the watch brings, and is lost: from now on it is silent",
  "event late": "comes a second time, late",
  killed: "is killed",
  paused: "is stopped for a while",
  asleep: "has its machine sleep for a while",
  signalled: "is told to end",
  "wall clock set": "has its wall clock set",
  "clock rate": "has clocks that run at another rate",
  "record deleted": "the record is deleted",
  "ticket deleted": "somebody's ticket is deleted",
  "ticket touched": "somebody's ticket is touched",
  "broken now": "the lock is broken at once",
  "broken in order": "the lock is broken in good order",
  "waiter dropped": "a waiter is dropped from the queue",
};

/** A mishap as a sentence: `c1 claim 2 never arrives`. */
export function sentence({ id, fault, where, whom }: Mishap): string {
  if (fault === null) return id;
  const isOfAll = fault === "store away" || /^(record|ticket|broken|waiter)/.test(fault);
  const told = `${whom}${isOfAll ? ":" : ""} ${SENTENCES[fault]}`;
  return where.startsWith(whom) ? told : `${told} (${where})`;
}

/** The difference between two states of a record, in words. `named`: whose grant that is. */
export function change(
  before: LockRecord | null,
  after: LockRecord,
  named: (grant: string) => string,
): string {
  const words: string[] = before === null ? ["makes the record"] : [];
  const old = new Map(before?.holders.map((holder) => [holder.grant, holder]));
  for (const holder of after.holders) {
    const { grant, token, renewals, state, slot } = holder;
    const was = old.get(grant);
    old.delete(grant);
    const place = after.capacity > 1 ? ` in slot ${slot}` : "";
    if (was === undefined) words.push(`${named(grant)} holds with token ${token}${place}`);
    else if (was.renewals !== renewals) words.push(`${named(grant)} renews`);
    if (was !== undefined && was.state !== state) words.push(`${named(grant)} is ${state}`);
  }
  for (const grant of old.keys()) {
    const past = after.history.find((one) => one.grant === grant);
    const by = past?.by ? ` by ${past.by}` : "";
    words.push(`${named(grant)} does not hold any more (${past?.outcome ?? "wiped"}${by})`);
  }
  const isBarred = ({ grant }: { readonly grant: string }) =>
    !before?.history.some((one) => one.grant === grant) &&
    !before?.holders.some((one) => one.grant === grant);
  for (const past of before === null ? [] : after.history.filter(isBarred)) {
    words.push(`${named(past.grant)} is not to hold (${past.outcome})`);
  }
  if (`${before?.turn ?? ""}` !== `${after.turn}`) {
    words.push(after.turn.length === 0 ? "no turn" : `turn: ${after.turn.map(named).join(", ")}`);
  }
  const { number, open, grants } = after.roll_call;
  if (open && before?.roll_call.number !== number) {
    words.push(`calls the roll ${number}: ${grants.map(named).join(", ")}`);
  }
  if (!open && before?.roll_call.open) words.push(`the roll ${before.roll_call.number} is closed`);
  if (before?.next_build !== after.next_build) words.push(`the number is ${after.next_build}`);
  if (before !== null && before.capacity !== after.capacity) {
    words.push(`the capacity is ${after.capacity}`);
  }
  return words.join("; ") || "changes nothing that counts";
}

/** Lines of a story in columns: when (seconds), who, what. What somebody does again and again is told once. */
export function told(lines: readonly Line[]): string[] {
  const told: { line: Line; times: number; until: number }[] = [];
  for (const line of lines) {
    const last = told.at(-1);
    if (last !== undefined && last.line.who === line.who && last.line.what === line.what) {
      last.times++;
      last.until = line.at;
    } else told.push({ line, times: 1, until: line.at });
  }
  const left = told.slice(-MOST_LINES);
  const wide = Math.max(...left.map(({ line }) => line.who.length), 0);
  const texts = left.map(({ line: { at, who, what }, times, until }) => {
    const again = times > 1 ? ` (${times} times, until ${seconds(until)} s)` : "";
    return `${seconds(at).padStart(10)} s  ${who.padEnd(wide)}  ${what}${again}`;
  });
  const more = told.length - left.length;
  return more > 0 ? [`  (${more} lines before that)`, ...texts] : texts;
}

/** Milliseconds as seconds. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
