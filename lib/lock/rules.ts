/**
 * The rules of the lock: pure functions from a record (and the tickets that were listed after it was read) to the next
 * record. No IO, no clock: times enter as ISO 8601 texts and serve people only.
 */
import type { Holder, LockRecord, Mode, Outcome, Past, Ticket } from "./record.ts";
import { HISTORY_LENGTH } from "./record.ts";
import { compareRevisions } from "./store.ts";

/** A ticket as it was listed. */
export interface Queued {
  readonly ticket: Ticket;
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

/** Where a ticket stands among those of its priority: the revision that counts for it. */
export function placeOf(queued: Queued): string {
  return queued.ticket.order_revision ?? queued.revision;
}

/** The tickets in queue order: priority (high first), then order key, then the revision that counts. */
export function inOrder(tickets: readonly Queued[]): Queued[] {
  return [...tickets].sort((a, b) => {
    if (a.ticket.priority !== b.ticket.priority) return b.ticket.priority - a.ticket.priority;
    const [key, other] = [a.ticket.order_key, b.ticket.order_key];
    if (key !== null && other !== null && key !== other) return key - other;
    return compareRevisions(placeOf(a), placeOf(b)) || compareRevisions(a.revision, b.revision);
  });
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

/** The tickets that wait, in queue order: all but the spent. */
export function waiting(record: LockRecord, tickets: readonly Queued[]): Queued[] {
  const spent = new Set(record.holders.map((holder) => holder.grant));
  for (const past of record.history) spent.add(past.grant);
  return inOrder(tickets.filter((queued) => !spent.has(queued.ticket.grant)));
}

/** True when one more of `mode` may hold beside those of `taken`. */
function fitsBeside(taken: readonly Mode[], mode: Mode, capacity: number): boolean {
  const exclusive = taken.filter((other) => other === "exclusive").length;
  if (mode === "shared") return exclusive === 0;
  return exclusive === taken.length && exclusive < capacity;
}

/** The modes of all entries: whatever their state, they fill their places. */
function modesHeld(record: LockRecord): Mode[] {
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

function callOver(record: LockRecord): LockRecord["roll_call"] {
  return record.roll_call.open
    ? { ...record.roll_call, open: false, grants: [] }
    : record.roll_call;
}

/**
 * The token of the next claim: greater than every earlier one, also than those of a record that was deleted, because
 * each claim was a write and revisions never go back.
 *
 * @param revision the record's, as last read
 */
export function nextToken(record: LockRecord, revision: string): number {
  const fromRevision = BigInt(revision);
  const next = BigInt(record.last_token) + 1n;
  return Number(next > fromRevision ? next : fromRevision);
}

/** Who claims. */
export interface Claimant {
  readonly grant: string;
  readonly holder: string;
  readonly mode: Mode;
  readonly ttlSeconds: number;
  readonly waitedSeconds: number;
  readonly description: string;
  readonly link: string;
}

/** Why a claim is not allowed. */
export type ClaimRefusal = "frozen" | "no_room" | "not_my_turn" | "spent" | "tokens_used_up";

/** How a claim may be made: named in `turn`, or past an empty queue. */
export type ClaimWay = "turn" | { readonly tickets: readonly Queued[] };

/** Why `me` may not claim in `record`, or null when it may. */
export function claimRefusal(
  record: LockRecord,
  me: { readonly grant: string; readonly mode: Mode },
  way: ClaimWay,
): ClaimRefusal | null {
  if (isSpent(record, me.grant)) return "spent";
  if (record.freeze !== null) return "frozen";
  if (way === "turn") {
    const place = record.turn.indexOf(me.grant);
    if (place < 0) return "not_my_turn";
    // Who was named before me takes room as well. Their modes are in their tickets, not here: with capacity left for
    // all of them as exclusive ones there is room for sure, and beside shared holders a settle decides.
    const before = me.mode === "shared" ? [] : record.turn.slice(0, place);
    const taken = [...modesHeld(record), ...before.map((): Mode => "exclusive")];
    return fitsBeside(taken, me.mode, record.capacity) ? null : "no_room";
  }
  if (record.turn.length > 0 || waiting(record, way.tickets).length > 0) return "not_my_turn";
  return fitsBeside(modesHeld(record), me.mode, record.capacity) ? null : "no_room";
}

/** The lowest slot that nobody fills. */
function freeSlot(record: LockRecord): number {
  const filled = new Set(record.holders.map((holder) => holder.slot));
  let slot = 0;
  while (filled.has(slot)) slot++;
  return slot;
}

/**
 * The record with `me` as a holder: the only way to hold. A roll call that stands goes on (else the call would begin
 * again and again).
 *
 * @param revision the record's, as last read
 * @param at now, for people
 */
export function claim(
  record: LockRecord,
  me: Claimant,
  way: ClaimWay,
  revision: string,
  at: string,
): LockRecord | ClaimRefusal {
  const refusal = claimRefusal(record, me, way);
  if (refusal !== null) return refusal;
  const token = nextToken(record, revision);
  if (!Number.isSafeInteger(token)) return "tokens_used_up";
  const holder: Holder = {
    grant: me.grant,
    holder: me.holder,
    mode: me.mode,
    slot: me.mode === "shared" ? 0 : freeSlot(record),
    token,
    state: "held",
    ttl_seconds: me.ttlSeconds,
    renewals: 0,
    acquired_at: at,
    renewed_at: at,
    waited_seconds: me.waitedSeconds,
    description: me.description,
    link: me.link,
  };
  return {
    ...record,
    last_token: token,
    holders: [...record.holders, holder],
    turn: record.turn.filter((grant) => grant !== me.grant),
    roll_call: { ...record.roll_call, calls: 0 },
  };
}

/** The record with one more sign of life of `grant`, or why there can be none. */
export function renew(
  record: LockRecord,
  grant: string,
  at: string,
): LockRecord | "not_holder" | "broken" {
  const mine = holderOf(record, grant);
  if (mine === undefined) return "not_holder";
  if (mine.state !== "held") return "broken";
  return {
    ...record,
    holders: record.holders.map((holder) =>
      holder.grant === grant ? { ...holder, renewals: holder.renewals + 1, renewed_at: at } : holder
    ),
  };
}

/** How a hold or a try ended, and through whom. */
export interface Ending {
  readonly outcome: Outcome;
  /** Who ended it, where that was not the holder. */
  readonly by: string | null;
  readonly reason: string | null;
  /** Now, for people. */
  readonly at: string;
}

/** `record` with one more entry in its history, the oldest dropped. */
function remember(record: LockRecord, past: Past): LockRecord {
  return { ...record, history: [past, ...record.history].slice(0, HISTORY_LENGTH) };
}

/** The record without the holder `grant`, settled: for `release` and `remove`. */
function end(
  record: LockRecord,
  grant: string,
  tickets: readonly Queued[],
  ending: Ending,
): LockRecord | "not_holder" {
  const gone = holderOf(record, grant);
  if (gone === undefined) return "not_holder";
  // What a person broke stays told as broken, whoever takes the entry off in the end.
  const told: Ending = gone.state === "broken"
    ? {
      ...ending,
      outcome: "broken",
      by: gone.broken_by ?? null,
      reason: gone.broken_reason ?? null,
    }
    : ending;
  const without = {
    ...record,
    holders: record.holders.filter((holder) => holder.grant !== grant),
  };
  const remembered = remember(without, {
    grant,
    holder: gone.holder,
    link: gone.link,
    mode: gone.mode,
    token: gone.token,
    acquired_at: gone.acquired_at,
    released_at: told.at,
    waited_seconds: gone.waited_seconds,
    outcome: told.outcome,
    by: told.by,
    reason: told.reason,
  });
  return settle(remembered, tickets);
}

/** The record after `grant` gave its place back; the write that frees it names the next. */
export function release(
  record: LockRecord,
  grant: string,
  tickets: readonly Queued[],
  at: string,
): LockRecord | "not_holder" {
  return end(record, grant, tickets, { outcome: "released", by: null, reason: null, at });
}

/** The record after somebody else took `grant`'s entry off: it was silent, or broken with `--now`. */
export function remove(
  record: LockRecord,
  grant: string,
  tickets: readonly Queued[],
  ending: Ending,
): LockRecord | "not_holder" {
  return end(record, grant, tickets, ending);
}

/**
 * The record with `grant`'s entry marked broken: it fills its place until its holder gave it up or was found silent.
 */
export function breakHolder(
  record: LockRecord,
  grant: string,
  by: string,
  reason: string,
): LockRecord | "not_holder" | "broken" {
  const mine = holderOf(record, grant);
  if (mine === undefined) return "not_holder";
  if (mine.state === "broken") return "broken";
  return {
    ...record,
    holders: record.holders.map((holder) =>
      holder.grant === grant
        ? { ...holder, state: "broken", broken_by: by, broken_reason: reason }
        : holder
    ),
  };
}

/** One that never came to hold. */
export interface Waiter {
  readonly grant: string;
  readonly holder: string;
  readonly link: string;
  readonly mode: Mode;
  readonly waitedSeconds: number;
}

/**
 * The record that knows `waiter`'s grant as ended (`gave_up`, or `broken` by a person), off `turn` and settled: no late
 * claim of that grant can come true after this write.
 */
export function bar(
  record: LockRecord,
  waiter: Waiter,
  tickets: readonly Queued[],
  ending: Ending,
): LockRecord {
  const without = { ...record, turn: record.turn.filter((grant) => grant !== waiter.grant) };
  const remembered = remember(without, {
    grant: waiter.grant,
    holder: waiter.holder,
    link: waiter.link,
    mode: waiter.mode,
    token: null,
    acquired_at: null,
    released_at: ending.at,
    waited_seconds: waiter.waitedSeconds,
    outcome: ending.outcome,
    by: ending.by,
    reason: ending.reason,
  });
  return settle(remembered, tickets);
}

/** The record with a roll call that names the first of those who wait. Changes nothing while one stands. */
export function call(record: LockRecord, tickets: readonly Queued[]): LockRecord {
  if (record.roll_call.open) return record;
  const grants = waiting(record, tickets).slice(0, CALL_SIZE).map(({ ticket }) => ticket.grant);
  if (grants.length === 0) return record;
  const { number, calls } = record.roll_call;
  const stands = Math.min(
    CALL_STANDS_AT_MOST_SECONDS,
    CALL_STANDS_SECONDS * 2 ** Math.min(calls, 8),
  );
  return {
    ...record,
    roll_call: {
      ...record.roll_call,
      number: number + 1,
      open: true,
      stands_seconds: stands,
      calls: calls + 1,
      grants,
    },
  };
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
