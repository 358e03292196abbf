/**
 * Who looks dead. Only durations on one's own monotonic clock count, from the moment a value was first received: a value
 * can only have been written before that, so the count can only be too short, never too long.
 */
import { hasRoom } from "./queue.ts";
import type { LockRecord } from "./record.ts";

/** A holder as it was seen, and since when it is seen so. */
export interface SeenHolder {
  /** The entry that was seen. */
  readonly grant: string;
  /** Its count then: another count begins the silence anew. */
  readonly renewals: number;
  /** Its time then, which says the same, but for a store that was restored and counts once more. It is compared, and no clock is asked. */
  readonly renewedAt: string;
  /** Its own TTL, in milliseconds: silent for so long, it counts as dead. */
  readonly ttlMs: number;
  /** Monotonic, in milliseconds. */
  readonly since: number;
}

/** What one client has seen of a record, and since when. */
export interface Sight {
  /** Each with its own age, also the broken ones. */
  readonly holders: readonly SeenHolder[];
  /** Each turn has its own age. */
  readonly turns: readonly { readonly grant: string; readonly since: number }[];
  /** The roll call that stands. */
  readonly call: { readonly number: number; readonly since: number } | null;
  /** Since when there is room beside those who hold and nobody is named, with the number of the last roll call. */
  readonly idle: { readonly number: number; readonly since: number } | null;
}

/** Nothing seen yet. */
export const NOTHING_SEEN: Sight = { holders: [], turns: [], call: null, idle: null };

/** What is known after `record` was received at `now`: unchanged values keep their age. */
export function see(sight: Sight, record: LockRecord, now: number): Sight {
  return {
    holders: record.holders.map((holder) => {
      const before = sight.holders.find((seen) => seen.grant === holder.grant);
      const { grant, renewals, renewed_at: renewedAt } = holder;
      const ttlMs = holder.ttl_seconds * 1000;
      const stoodStill = before?.renewals === renewals && before.renewedAt === renewedAt;
      return before !== undefined && stoodStill
        ? { ...before, ttlMs }
        : { grant, renewals, renewedAt, ttlMs, since: now };
    }),
    turns: record.turn.map((grant) =>
      sight.turns.find((seen) => seen.grant === grant) ?? { grant, since: now }
    ),
    call: !record.roll_call.open
      ? null
      : sight.call?.number === record.roll_call.number
      ? sight.call
      : { number: record.roll_call.number, since: now },
    idle: !isIdle(record)
      ? null
      : sight.idle?.number === record.roll_call.number
      ? sight.idle
      : { number: record.roll_call.number, since: now },
  };
}

/** By run number those of another run than the present one are no reason to look. */
function isIdle(record: LockRecord): boolean {
  return record.next_build === undefined && record.holders.length > 0 &&
    record.turn.length === 0 && !record.roll_call.open && hasRoom(record);
}

/**
 * What is known after an outage that lasted `lostMs`: nobody knows who could have given a sign of life then, and a control
 * plane's upgrade must cost nobody the lock. So that time does not count for a holder's silence. (To begin anew each time would
 * leave the lock to a dead one for ever where requests fail now and then.) The short counts of turns and of a call do begin anew.
 */
export function seeAfterOutage(
  sight: Sight,
  record: LockRecord,
  now: number,
  lostMs: number,
): Sight {
  const holders = sight.holders.map((seen) => ({
    ...seen,
    since: Math.min(now, seen.since + lostMs),
  }));
  return see({ ...NOTHING_SEEN, holders }, record, now);
}

/** When the holder counts as silent: its `renewals` stood still for its own TTL. */
export function silentAt(seen: SeenHolder): number {
  return seen.since + seen.ttlMs;
}
