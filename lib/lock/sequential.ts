/**
 * Turns by run number, as version 3 of this program takes them: the rules that come on top of the others where a record is in its
 * form. Pure functions, as `rules.ts`.
 *
 * Version 3 knows one number, `next_build`. The run with just that number may hold; at its end it writes its own number plus one,
 * over whatever stands there. So a number is never equal again once it was passed, and one whose run never comes stops all the
 * others. Here the number moves on also when the waiter or the holder of a run has gone or died, and when a run is known to be over.
 */
import { callOver, close, isSpent, numberOf, settle, waiting } from "./queue.ts";
import type { Queued } from "./queue.ts";
import type { LockRecord, Ticket } from "./record.ts";

/** How many numbers to come are remembered whose waiters have gone. */
const GIVEN_UP_LENGTH = 256;

/** A record in version 3's form. */
export type V3Record = LockRecord & { readonly next_build: number };

/** True for a record in version 3's form. */
export function isV3(record: LockRecord): record is V3Record {
  return record.next_build !== undefined;
}

/** True when a ticket of run `number` waits. */
function waitsFor(record: LockRecord, number: number, tickets: readonly Queued[]): boolean {
  return tickets.some(({ ticket }) =>
    numberOf(ticket) === number && !isSpent(record, ticket.grant)
  );
}

/** True for a ticket that waits for nothing any more: it held or was barred, or its number was passed. */
export function isOver(record: LockRecord, ticket: Ticket): boolean {
  if (isSpent(record, ticket.grant)) return true;
  const number = numberOf(ticket);
  return isV3(record) && number !== null && number < record.next_build;
}

/**
 * The record, settled, after one of run `number` is done with the lock: while others of that run wait the number stays, else the next
 * one may come. Not while somebody holds, and not when the number has moved on already: then it is not this run's any more.
 *
 * A number that is lower than the run's was set back by a `replace` that came late: all before this run had their turn.
 */
export function handOn(
  record: LockRecord,
  number: number | undefined,
  tickets: readonly Queued[],
): LockRecord {
  const done = number ?? record.next_build ?? 0;
  const isTheirs = isV3(record) && record.holders.length === 0 && record.next_build <= done;
  if (!isTheirs) return settle(record, tickets);
  return movedTo(record, waitsFor(record, done, tickets) ? done : done + 1, tickets);
}

/** The record, settled, after the last try of run `number` (null: of none) came to nothing: nobody is to wait for that number. */
export function withoutComer(
  record: LockRecord,
  number: number | null,
  tickets: readonly Queued[],
): LockRecord {
  if (number === null || !isV3(record) || number < record.next_build) {
    return helpedOn(record, tickets);
  }
  if (number === record.next_build) return handOn(record, number, tickets);
  // The nearest ones matter, should there ever be so many.
  const numbers = [...new Set([...record.given_up ?? [], number])].sort((a, b) => a - b)
    .slice(0, GIVEN_UP_LENGTH);
  return helpedOn({ ...record, given_up: numbers }, tickets);
}

/**
 * The record, settled, by whoever helps it on. A call that nobody stands in any more is over, and so is the run that it named: whoever
 * took the silent away did not come to say so.
 */
export function helpedOn(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  const deserted = isV3(record) && record.roll_call.open && waiting(record, tickets).length === 0;
  return deserted ? passOver(record, tickets) : settle(record, tickets);
}

/** The record with its call taken off; where that was the last of a run, none of which answered, the next run may come. */
export function passOver(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  return handOn(close(record, tickets), undefined, tickets);
}

/**
 * The number that everybody waits for although nobody of ours who has it holds or waits, or null. Its run has not come yet, or never
 * will, or is at work by version 3, which holds by the number alone.
 */
export function holeIn(record: LockRecord, tickets: readonly Queued[]): number | null {
  const isFree = isV3(record) && record.freeze === null && record.holders.length === 0;
  return isFree && !waitsFor(record, record.next_build, tickets) ? record.next_build : null;
}

/** The record without the hole `number`, settled; null when that is no hole any more. */
export function passHole(
  record: LockRecord,
  number: number,
  tickets: readonly Queued[],
): LockRecord | null {
  return holeIn(record, tickets) === number ? movedTo(record, number + 1, tickets) : null;
}

/** The record, settled, with `number` next, or the first after it that somebody may still come for. */
function movedTo(record: LockRecord, number: number, tickets: readonly Queued[]): LockRecord {
  const { given_up = [], ...others } = record;
  let next = number;
  while (given_up.includes(next) && !waitsFor(record, next, tickets)) next++;
  if (next === record.next_build) return settle(record, tickets);
  const left = given_up.filter((one) => one > next);
  return settle({
    ...others,
    ...(left.length > 0 ? { given_up: left } : {}),
    next_build: next,
    turn: [],
    roll_call: callOver(record),
  }, tickets);
}

/**
 * True when somebody who does not know our key wrote over the record: an entry of `before` is gone without a trace. So does version
 * 3 at each of its ends, and its runbook's command. (The history is as long as it gets where so much happened that an entry may have
 * left it: then nobody can tell.)
 */
export function isWiped(before: LockRecord, after: LockRecord, length: number): boolean {
  if (!isV3(after) || after.history.length >= length) return false;
  return before.holders.some(({ grant }) => !isSpent(after, grant)) ||
    (!isV3(before) && after.last_token < before.last_token);
}
