/** What is known about a lock, as `status -o json` and `list -o json` give it to programs. */
import type { Holder, LockRecord, Past } from "../lock/record.ts";
import type { Queued } from "../lock/queue.ts";
import { neutral } from "./text.ts";

/** A holder. */
export interface HolderView {
  readonly grant: string;
  readonly holder: string;
  readonly token: number;
  readonly mode: string;
  readonly slot: number;
  readonly slot_name: string | null;
  readonly state: string;
  readonly ttl_seconds: number;
  readonly acquired_at: string;
  readonly renewed_at: string;
  readonly description: string;
  readonly link: string;
}

/** One who waits. */
export interface WaiterView {
  readonly position: number;
  readonly grant: string;
  readonly holder: string;
  readonly mode: string;
  readonly priority: number;
  readonly order: string;
  readonly waiting_since: string;
  readonly description: string;
  readonly link: string;
  /** There while its turn is named. */
  readonly turn?: true;
}

/** A hold, or a try, that is over. */
export interface PastView {
  readonly grant: string;
  readonly holder: string;
  readonly link: string;
  readonly token: number | null;
  readonly acquired_at: string | null;
  readonly released_at: string;
  readonly waited_seconds: number;
  readonly outcome: string;
  readonly by: string | null;
  readonly reason: string | null;
}

/** A lock. Every text in it is harmless, whoever wrote it. */
export interface LockView {
  readonly lock: string;
  readonly object: string;
  readonly capacity: number;
  readonly token: number;
  readonly frozen: {
    readonly by: string;
    readonly reason: string;
    readonly since: string;
    readonly until: string | null;
  } | null;
  readonly holders: readonly HolderView[];
  readonly queue: readonly WaiterView[];
}

/** A lock with its last holders. */
export interface StatusView extends LockView {
  readonly history: readonly PastView[];
}

/**
 * One lock's view.
 *
 * @param object what the store calls the record: `secret/<namespace>/<name>`
 * @param queue those who wait, in queue order
 */
export function statusJson(
  object: string,
  record: LockRecord,
  queue: readonly Queued[],
): StatusView {
  return { ...lockJson(object, record, queue), history: record.history.map(pastView) };
}

/** {@link statusJson} without the history. */
export function lockJson(object: string, record: LockRecord, queue: readonly Queued[]): LockView {
  const { freeze } = record;
  return {
    lock: neutral(record.identity.lock),
    object,
    capacity: record.capacity,
    token: record.last_token,
    frozen: freeze === null ? null : {
      by: neutral(freeze.by),
      reason: neutral(freeze.reason),
      since: neutral(freeze.since),
      until: freeze.until === null ? null : neutral(freeze.until),
    },
    holders: record.holders.map((holder) => holderView(holder, record.pool)),
    queue: queue.map((queued, index) => waiterView(queued, index + 1, record.turn)),
  };
}

function holderView(holder: Holder, pool: readonly string[] | null): HolderView {
  const name = pool?.[holder.slot];
  return {
    grant: neutral(holder.grant),
    holder: neutral(holder.holder),
    token: holder.token,
    mode: holder.mode,
    slot: holder.slot,
    slot_name: name === undefined ? null : neutral(name),
    state: holder.state,
    ttl_seconds: holder.ttl_seconds,
    acquired_at: neutral(holder.acquired_at),
    renewed_at: neutral(holder.renewed_at),
    description: neutral(holder.description),
    link: neutral(holder.link),
  };
}

function waiterView({ ticket }: Queued, position: number, turn: readonly string[]): WaiterView {
  return {
    position,
    grant: neutral(ticket.grant),
    holder: neutral(ticket.holder),
    mode: ticket.mode,
    priority: ticket.priority,
    order: ticket.order,
    waiting_since: neutral(ticket.waiting_since),
    description: neutral(ticket.description),
    link: neutral(ticket.link),
    ...(turn.includes(ticket.grant) ? { turn: true as const } : {}),
  };
}

function pastView(past: Past): PastView {
  return {
    grant: neutral(past.grant),
    holder: neutral(past.holder),
    link: neutral(past.link),
    token: past.token,
    acquired_at: past.acquired_at === null ? null : neutral(past.acquired_at),
    released_at: neutral(past.released_at),
    waited_seconds: past.waited_seconds,
    outcome: past.outcome,
    by: past.by === null ? null : neutral(past.by),
    reason: past.reason === null ? null : neutral(past.reason),
  };
}
