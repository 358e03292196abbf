/**
 * The rules of the lock: pure functions from a record (and the tickets that were listed after it was read) to the next
 * record. No IO, no clock: times enter as ISO 8601 texts and serve people only.
 */
import { fitsBeside, holderOf, isSpent, modesHeld, waiting } from "./queue.ts";
import type { Queued } from "./queue.ts";
import { HISTORY_LENGTH } from "./record.ts";
import type { Holder, HolderJob, LockRecord, Mode, Outcome, Past } from "./record.ts";
import { handOn, isV3, withoutComer } from "./sequential.ts";

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
  /** Its own, never used for another hold. */
  readonly grant: string;
  /** For people. */
  readonly holder: string;
  /** A shared one takes slot 0, an exclusive one the lowest free slot. */
  readonly mode: Mode;
  /** Its run's: needed in a record in version 3's form. */
  readonly number: number | null;
  /** How long it may be silent before others take its entry off. */
  readonly ttlSeconds: number;
  /** Since it began to ask for the lock. */
  readonly waitedSeconds: number;
  /** For people; may be empty. */
  readonly description: string;
  /** For people; may be empty. */
  readonly link: string;
  /** What others may do when it falls silent; for `verify`, by asking about this job. */
  readonly expiry: Expiry;
}

/** What others may do about a holder that fell silent. */
export type Expiry = "takeover" | "never" | { readonly verify: HolderJob };

/** `expiry` as an entry says it: nothing for what everybody understands. */
function policyOf(expiry: Expiry): Pick<Holder, "on_expiry" | "job"> {
  if (expiry === "takeover") return {};
  return expiry === "never" ? { on_expiry: "never" } : { on_expiry: "verify", job: expiry.verify };
}

/** Why a claim is not allowed. */
export type ClaimRefusal = "frozen" | "no_room" | "not_my_turn" | "spent" | "tokens_used_up";

/** How a claim may be made: named in `turn`, or past an empty queue. */
export type ClaimWay = "turn" | { readonly tickets: readonly Queued[] };

/** Why `me` may not claim in `record`, or null when it may. */
export function claimRefusal(
  record: LockRecord,
  me: Pick<Claimant, "grant" | "mode" | "number">,
  way: ClaimWay,
): ClaimRefusal | null {
  if (isSpent(record, me.grant)) return "spent";
  if (record.freeze !== null) return "frozen";
  if (isV3(record) && me.number !== record.next_build) return "not_my_turn";
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
    ...(isV3(record) ? { run_number: record.next_build } : {}),
    ...policyOf(me.expiry),
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
  /** A holder that was broken is told as `broken`, whatever stands here. */
  readonly outcome: Outcome;
  /** Who ended it, where that was not the holder. */
  readonly by: string | null;
  /** Why, for people; null where the holder ended it. */
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
  return handOn(remembered, gone.run_number, tickets);
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
  /** Barred from now on. */
  readonly grant: string;
  /** For people. */
  readonly holder: string;
  /** For people; may be empty. */
  readonly link: string;
  /** How it wanted to hold. */
  readonly mode: Mode;
  /** From its start to now. */
  readonly waitedSeconds: number;
  /** Its run's, where it waited by number. */
  readonly number: number | null;
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
  return withoutComer(remembered, waiter.number, tickets);
}
