/** What anybody may do for a record once record and tickets are read: the helping part of the driver. */
import { IDLE_PATIENCE_MS, TURN_PATIENCE_MS } from "./driver.ts";
import type { DoomedTicket } from "./driver.ts";
import { removal } from "./expiry.ts";
import type { Inquiry } from "./expiry.ts";
import type { Sight } from "./observer.ts";
import { encodeRecord } from "./record.ts";
import type { LockRecord, Mode } from "./record.ts";
import { call, fitsBeside, holderOf, modesHeld, unanswered } from "./queue.ts";
import { remove } from "./rules.ts";
import type { Queued } from "./queue.ts";
import { helpedOn, isOver, passOver } from "./sequential.ts";

/** Who helps, and what it has seen. */
export interface Helper {
  /** Of its present try to acquire; never passed over by itself. */
  readonly grant: string;
  /** How it wants to hold. */
  readonly mode: Mode;
  /** For people. */
  readonly holder: string;
  /** What it saw of this record, up to the state that is mended. */
  readonly sight: Sight;
  /** What it knows of the jobs of holders that fell silent. */
  readonly inquiries: readonly Inquiry[];
  /** Its own monotonic clock, in milliseconds. */
  readonly now: number;
  /** Its wall clock, ISO 8601. */
  readonly at: string;
}

/** What there is to do. */
export interface Mending {
  /** The record to write, or null when it is fine as it is. */
  readonly next: LockRecord | null;
  /** The silent, to be deleted before that write. */
  readonly passedOver: readonly Queued[];
  /** Tickets that do not wait any more once it is written. */
  readonly spent: readonly DoomedTicket[];
  /** For people; empty when nothing happened to anybody. */
  readonly told: string;
}

/** True when the call that stands was seen standing for long enough, and is not waiting for the helper's own answer. */
export function closeDue(record: LockRecord, tickets: readonly Queued[], helper: Helper): boolean {
  const { open, number, stands_seconds, grants } = record.roll_call;
  const seen = helper.sight.call;
  if (!open || seen?.number !== number) return false;
  if (helper.now < seen.since + stands_seconds * 1000) return false;
  const mine = tickets.find(({ ticket }) => ticket.grant === helper.grant);
  return !grants.includes(helper.grant) || mine === undefined || mine.ticket.answered === number;
}

/**
 * True when the helper would fit beside those who hold and nobody was named for so long that the first in line, who does not fit, may be
 * dead: nobody would find out before all others have given back.
 */
export function idleDue(record: LockRecord, { sight: { idle }, mode, now }: Helper): boolean {
  return idle !== null && now >= idle.since + IDLE_PATIENCE_MS &&
    fitsBeside(modesHeld(record), mode, record.capacity);
}

/**
 * What `helper` does for `record`: takes the silent holders off, closes a call that stood long enough, settles, and calls
 * the roll where a turn is not claimed, or where the first in line keeps those behind it from what is free.
 *
 * @param tickets as listed after `record` was read
 */
export function mend(record: LockRecord, tickets: readonly Queued[], helper: Helper): Mending {
  const { sight, now } = helper;
  const closing = closeDue(record, tickets, helper);
  const timeout = TURN_PATIENCE_MS + record.roll_call.stands_seconds * 1000;
  const stale = sight.turns.filter(({ since }) => now >= since + timeout).map(({ grant }) => grant);
  const passedOver = closing
    ? unanswered(record, tickets, stale).filter(({ ticket }) => ticket.grant !== helper.grant)
    : [];
  const left = tickets.filter((queued) => !passedOver.includes(queued));
  const told = passedOver.map(({ ticket }) =>
    `${ticket.holder} did not answer and was passed over`
  );

  let next = record;
  for (const seen of sight.holders) {
    const holder = holderOf(next, seen.grant);
    const may = holder === undefined ? null : removal(holder, seen, helper.inquiries);
    if (holder === undefined || may?.kind !== "at" || now < may.at) continue;
    const silence = `${Math.round((now - seen.since) / 1000)} s`;
    const known = may.why === "" ? "" : `, and ${may.why}`;
    const reason = `no renewal for ${silence}${known}`;
    const ending = { outcome: "expired", by: helper.holder, reason, at: helper.at } as const;
    const removed = remove(next, seen.grant, left, ending);
    if (removed === "not_holder") continue;
    told.push(`${holder.holder} was silent for ${silence}${known}: it was removed`);
    next = removed;
  }
  next = closing ? passOver(next, left) : helpedOn(next, left);
  const unclaimed = sight.turns.some(({ grant, since }) =>
    grant !== helper.grant && now >= since + TURN_PATIENCE_MS && next.turn.includes(grant)
  );
  const stuck = next.turn.length === 0 && idleDue(record, helper);
  if ((unclaimed || stuck) && !record.roll_call.open) next = call(next, left);

  const changed = encodeRecord(next) !== encodeRecord(record);
  return {
    next: changed ? next : null,
    passedOver,
    spent: left.filter(({ ticket }) => isOver(next, ticket) && ticket.grant !== helper.grant)
      .map(({ ticket, uid }) => ({ grant: ticket.grant, uid })),
    told: told.join("; "),
  };
}
