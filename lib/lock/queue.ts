/** The queue: who waits, in which order, whose turn it is, and the roll call. Pure functions, as `rules.ts`. */
import { Damaged } from "./parse.ts";
import { parseTicket } from "./record.ts";
import type { Holder, LockRecord, Mode, Past, Ticket } from "./record.ts";
import { compareRevisions } from "./store.ts";
import type { StoredTicket } from "./store.ts";

/** A ticket as it was listed. */
export interface Queued {
  /** Parsed, and with the grant that its name tells. */
  readonly ticket: Ticket;
  /** The store's, so that no other ticket of that name is deleted in its place. */
  readonly uid: string;
  /** The ticket's own revision: its place, unless it names an `order_revision`. */
  readonly revision: string;
}

/** How many grants one roll call names at most. */
export const CALL_SIZE = 128;

/** How long the first roll call after a claim stands, in seconds. */
export const CALL_STANDS_SECONDS = 3;

/** How long any roll call stands at most: an overloaded server must not have everybody deleted. */
export const CALL_STANDS_AT_MOST_SECONDS = 60;

/** The same in version 3's form, where it stands for the longest TTL of those called. */
const NUMBER_STANDS_AT_MOST_SECONDS = 300;

/**
 * The tickets of a list. One that is damaged counts as absent: nobody could say whose it is.
 *
 * @returns `newer`: what is wrong with one that a newer program wrote, if there is one
 */
export function readTickets(
  stored: readonly StoredTicket[],
): { readonly tickets: Queued[]; readonly newer: string | null } {
  const tickets: Queued[] = [];
  let newer: string | null = null;
  for (const { grant, uid, revision, text } of stored) {
    try {
      const ticket = parseTicket(text);
      if (ticket.grant === grant) tickets.push({ ticket, uid, revision });
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      if (error.why === "newer") newer = error.message;
    }
  }
  return { tickets, newer };
}

/** Where a ticket stands among those of its priority: the revision that counts for it. */
export function placeOf(queued: Queued): string {
  return queued.ticket.order_revision ?? queued.revision;
}

/** The tickets in queue order: priority (high first), then order key, then the revision that counts. */
export function inOrder(tickets: readonly Queued[]): Queued[] {
  return [...tickets].sort((a, b) => {
    if (a.ticket.priority !== b.ticket.priority) return b.ticket.priority - a.ticket.priority;
    const [key, other] = [keyOf(a.ticket), keyOf(b.ticket)];
    if (key !== null && other !== null && key !== other) return key - other;
    return compareRevisions(placeOf(a), placeOf(b)) || compareRevisions(a.revision, b.revision);
  });
}

/** The number of the run that a ticket waits for a turn of; null for one that waits in another order. */
export function numberOf(ticket: Ticket): number | null {
  return ticket.order === "sequential" ? ticket.order_key : null;
}

/** A run's number decides who may hold at all (`waiting`), not the order of those that may. */
function keyOf(ticket: Ticket): number | null {
  return ticket.order === "sequential" ? null : ticket.order_key;
}

/** The entry of `grant` among the holders. */
export function holderOf(record: LockRecord, grant: string): Holder | undefined {
  return record.holders.find((holder) => holder.grant === grant);
}

/** What the history says of `grant`. */
export function pastOf(record: LockRecord, grant: string): Past | undefined {
  return record.history.find((past) => past.grant === grant);
}

/** True when `grant` holds or is in the history: a ticket with it is not waiting any more. */
export function isSpent(record: LockRecord, grant: string): boolean {
  return holderOf(record, grant) !== undefined || pastOf(record, grant) !== undefined;
}

/**
 * The tickets that wait, in queue order: all but the spent. In version 3's form those of the run whose number has come, and no others:
 * nobody else may hold.
 */
export function waiting(record: LockRecord, tickets: readonly Queued[]): Queued[] {
  const number = record.next_build;
  return unspent(record, tickets).filter(({ ticket }) =>
    number === undefined || numberOf(ticket) === number
  );
}

/** All that wait, also for a number that has not come yet, in the order in which they are going to hold. */
export function inLine(record: LockRecord, tickets: readonly Queued[]): Queued[] {
  const queue = unspent(record, tickets);
  if (record.next_build === undefined) return queue;
  const number = ({ ticket }: Queued) => numberOf(ticket) ?? Infinity;
  return queue.sort((a, b) => number(a) === number(b) ? 0 : number(a) - number(b));
}

function unspent(record: LockRecord, tickets: readonly Queued[]): Queued[] {
  const spent = new Set(record.holders.map((holder) => holder.grant));
  for (const past of record.history) spent.add(past.grant);
  return inOrder(tickets.filter((queued) => !spent.has(queued.ticket.grant)));
}

/** True when one more of `mode` may hold beside those of `taken`. */
export function fitsBeside(taken: readonly Mode[], mode: Mode, capacity: number): boolean {
  const exclusive = taken.filter((other) => other === "exclusive").length;
  if (mode === "shared") return exclusive === 0;
  return exclusive === taken.length && exclusive < capacity;
}

/** The modes of all entries: whatever their state, they fill their places. */
export function modesHeld(record: LockRecord): Mode[] {
  return record.holders.map((holder) => holder.mode);
}

/**
 * True when a settle might name somebody: more room than turns, as far as the record alone can tell (it does not
 * know the modes of the turns, so it takes them for exclusive ones).
 */
export function hasRoom(record: LockRecord): boolean {
  if (record.freeze !== null) return false;
  const taken = modesHeld(record);
  if (taken.includes("shared")) return record.turn.length === 0;
  return taken.length + record.turn.length < record.capacity;
}

/**
 * Names in `turn` the first tickets that fit into what is free, stopping at the first that does not: nobody overtakes.
 *
 * A turn whose ticket does not wait any more, or that no longer fits (the last in order first), is taken off; any
 * other is left, else each newcomer of a higher priority would take it back before it is claimed.
 */
export function settle(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  const queue = waiting(record, tickets);
  if (record.freeze !== null) return { ...record, turn: [], roll_call: callOver(record) };
  const taken = modesHeld(record);
  const turn: string[] = [];
  const named = new Set(record.turn);
  for (const { ticket } of queue) {
    if (!named.has(ticket.grant) || !fitsBeside(taken, ticket.mode, record.capacity)) continue;
    taken.push(ticket.mode);
    turn.push(ticket.grant);
  }
  const kept = new Set(turn);
  for (const { ticket } of queue) {
    if (kept.has(ticket.grant)) continue;
    if (!fitsBeside(taken, ticket.mode, record.capacity)) break;
    taken.push(ticket.mode);
    turn.push(ticket.grant);
  }
  const order = new Map(queue.map(({ ticket }, index) => [ticket.grant, index]));
  turn.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  return { ...record, turn, roll_call: queue.length === 0 ? callOver(record) : record.roll_call };
}

/** The roll call of `record`, taken off. */
export function callOver(record: LockRecord): LockRecord["roll_call"] {
  return record.roll_call.open
    ? { ...record.roll_call, open: false, grants: [] }
    : record.roll_call;
}

/** The record with a roll call that names the first of those who wait. Changes nothing while one stands. */
export function call(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  if (record.roll_call.open) return record;
  const called = waiting(record, tickets).slice(0, CALL_SIZE).map(({ ticket }) => ticket);
  if (called.length === 0) return record;
  const { number, calls } = record.roll_call;
  const stands = Math.max(
    leastStand(record, called),
    Math.min(CALL_STANDS_AT_MOST_SECONDS, CALL_STANDS_SECONDS * 2 ** Math.min(calls, 8)),
  );
  return {
    ...record,
    roll_call: {
      ...record.roll_call,
      number: number + 1,
      open: true,
      stands_seconds: stands,
      calls: calls + 1,
      grants: called.map(({ grant }) => grant),
    },
  };
}

/**
 * How long a call has to stand at least, in seconds. In version 3's form who is passed over has lost its number for good: it gets as
 * long as a holder.
 */
function leastStand(record: LockRecord, called: readonly Ticket[]): number {
  if (record.next_build === undefined) return 0;
  const longest = Math.max(...called.map(({ ttl_seconds }) => ttl_seconds));
  return Math.min(NUMBER_STANDS_AT_MOST_SECONDS, longest);
}

/**
 * Who is passed over when the standing call is closed: the called tickets without an answer to it, and those of `stale`,
 * whose own turn was seen unclaimed for the claim timeout (an answer does not protect one that cannot claim).
 */
export function unanswered(
  record: LockRecord,
  tickets: readonly Queued[],
  stale: readonly string[],
): Queued[] {
  if (!record.roll_call.open) return [];
  const called = new Set(record.roll_call.grants);
  const number = record.roll_call.number;
  return waiting(record, tickets).filter(({ ticket }) =>
    (called.has(ticket.grant) && ticket.answered !== number) ||
    (record.turn.includes(ticket.grant) && stale.includes(ticket.grant))
  );
}

/** The record with its call taken off, settled among the tickets that are left. */
export function close(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  return settle({ ...record, roll_call: callOver(record) }, tickets);
}
