/** Helping a record on: what any waiter does for all of them. */
import {
  ask,
  at,
  backOff,
  backOffConflict,
  due,
  isCurrent,
  random,
  record as knownRecord,
  tell,
} from "./draft.ts";
import type { Draft } from "./draft.ts";
import { IDLE_PATIENCE_MS, TURN_PATIENCE_MS } from "./driver.ts";
import type { Answer, Flight } from "./driver.ts";
import { noteHole } from "./hole.ts";
import { removal } from "./expiry.ts";
import { FAR_BACK } from "./learn.ts";
import { mend } from "./mend.ts";
import type { Helper } from "./mend.ts";
import { fitsBeside, hasRoom, holderOf, modesHeld, waiting } from "./queue.ts";
import type { Queued } from "./queue.ts";
import type { LockRecord } from "./record.ts";
import type { StoredRecord } from "./store.ts";

/**
 * A place further back adds so much to the longest random wait before helping, up to a limit; half of that is waited in any case, so that those
 * near the head, if they live, are done before a thousand others list all tickets as well.
 */
const HELP_SPREAD_MS = { place: 25, most: 2500 };

/** True while it leaves a new record alone, because the one it knew was deleted. */
export function embargoed(d: Draft): boolean {
  return d.embargoUntil !== null && !due(d, d.embargoUntil);
}

/** What a list of tickets depends on: while it is the same, another list would settle nothing. */
export function signature(record: LockRecord): string {
  const { holders, turn, capacity, freeze, next_build } = record;
  const held = holders.map(({ grant, mode }) => [grant, mode]);
  return JSON.stringify([held, turn, capacity, freeze, next_build]);
}

function helper(d: Draft): Helper {
  const { grant, sight, inquiries, now } = d;
  return { grant, mode: d.config.mode, holder: d.config.holder, sight, inquiries, now, at: at(d) };
}

/** Helps the record on where that is needed. @returns true when something was asked for */
export function decideHelp(d: Draft, record: LockRecord): boolean {
  const reason = reasonToHelp(d, record);
  if (reason === null) {
    d.helpAt = null;
    return false;
  }
  const next = d.position <= 1 || reason === "settle";
  const most = Math.min(HELP_SPREAD_MS.most, HELP_SPREAD_MS.place * d.position);
  d.helpAt ??= next ? d.now : d.now + (1 + random(d)) / 2 * most;
  if (!due(d, d.helpAt)) return false;
  d.helpAt = null;
  ask(d, reason === "room" ? { kind: "list", when: "now" } : { kind: "survey" }, { kind: "help" });
  return true;
}

function reasonToHelp(d: Draft, record: LockRecord): "settle" | "room" | "look" | null {
  if (d.mustSettle) return "settle";
  if (hasRoom(record) && d.settledFor !== signature(record)) return "room";
  let look = false;
  for (const { grant, since } of d.sight.turns) {
    // Whether its ticket is gone, and a settle can do without the end of the call, is for those near the head to look after.
    const checked = record.roll_call.open &&
      (d.turnsChecked.includes(grant) || d.position > FAR_BACK);
    if (grant !== d.grant && !checked && due(d, since + TURN_PATIENCE_MS)) look = true;
  }
  for (const seen of d.sight.holders) {
    const holder = holderOf(record, seen.grant);
    const may = holder === undefined ? null : removal(holder, seen, d.inquiries);
    if (may?.kind === "at" && due(d, may.at)) look = true;
  }
  const { call, idle } = d.sight;
  const wouldFit = fitsBeside(modesHeld(record), d.config.mode, record.capacity);
  if (idle !== null && d.ticket !== null && wouldFit && due(d, idle.since + IDLE_PATIENCE_MS)) {
    look = true;
  }
  if (call !== null && due(d, call.since + record.roll_call.stands_seconds * 1000)) {
    const named = record.roll_call.grants.includes(d.grant);
    if (!named || d.ticket?.ticket.answered === call.number) look = true;
  }
  return look ? "look" : null;
}

/** Record and tickets are read: does what there is to do. */
export function help(d: Draft, tickets: readonly Queued[]): void {
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
  } else writeMending(d, known, mending, tickets);
}

function writeMending(
  d: Draft,
  { stored: base, record }: { readonly stored: StoredRecord; readonly record: LockRecord },
  mending: ReturnType<typeof mend>,
  tickets: readonly Queued[],
): void {
  noteHole(d, mending.next ?? record, tickets);
  if (mending.next === null) {
    d.leftovers = [...d.leftovers, ...mending.spent];
    const { idle } = d.sight;
    // It looked, and there was nothing to do: not at once again.
    if (idle !== null && d.now >= idle.since + IDLE_PATIENCE_MS) {
      d.sight = { ...d.sight, idle: { ...idle, since: d.now } };
    }
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
export function closeCall(d: Draft, flight: Flight, left: readonly Queued[], answer: Answer): void {
  const known = knownRecord(d.known);
  if (known === null || !isCurrent(d, flight) || (answer.undeleted?.length ?? 0) > 0) {
    // One of them changed, or the record did: it may have answered after all. Everything is read again.
    d.mustRead = true;
    d.mustSettle = true;
    return answer.hindered === undefined ? backOffConflict(d) : backOff(d, answer.hindered);
  }
  d.queueLength = waiting(known.record, left).length;
  const mending = mend(known.record, left, helper(d));
  // Somebody else's turn has become stale in the meantime: it has to be deleted first, too.
  if (mending.passedOver.length === 0) writeMending(d, known, mending, left);
  else d.mustSettle = true;
}
