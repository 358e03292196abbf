/** What is known about a lock, as `status -o json` and `list -o json` give it to programs. */
import type { Holder, LockRecord, Past } from "../lock/record.ts";
import type { Queued } from "../lock/queue.ts";
import { neutral } from "./text.ts";

/** A holder. */
export interface HolderView {
  /** What `--grant` takes. */
  readonly grant: string;
  /** Who it is, for people. */
  readonly holder: string;
  /** The fencing token. */
  readonly token: number;
  /** `exclusive` or `shared`. */
  readonly mode: string;
  /** From 0. */
  readonly slot: number;
  /** Of the pool's resource; null where slots have no names. */
  readonly slot_name: string | null;
  /** `held`, `broken` or `cooling`. */
  readonly state: string;
  /** Silent for so long, it may be taken off, if `on_expiry` lets it. */
  readonly ttl_seconds: number;
  /** `verify` or `never`; not there for `takeover`. */
  readonly on_expiry?: string;
  /** Wall clock, ISO 8601. */
  readonly acquired_at: string;
  /** The same, at the last renewal. */
  readonly renewed_at: string;
  /** May be empty. */
  readonly description: string;
  /** May be empty. */
  readonly link: string;
}

/** One who waits. */
export interface WaiterView {
  /** 1 for the next in line. */
  readonly position: number;
  /** What `break --grant` takes; another one after a try that came to nothing. */
  readonly grant: string;
  /** Who it is, for people. */
  readonly holder: string;
  /** `exclusive` or `shared`. */
  readonly mode: string;
  /** The higher is served first. */
  readonly priority: number;
  /** `fifo`, `build`, `newest` or `sequential`. */
  readonly order: string;
  /** Wall clock, ISO 8601. */
  readonly waiting_since: string;
  /** May be empty. */
  readonly description: string;
  /** May be empty. */
  readonly link: string;
  /** There while its turn is named. */
  readonly turn?: true;
}

/** A hold, or a try, that is over. */
export interface PastView {
  /** Never used again. */
  readonly grant: string;
  /** Who it was, for people. */
  readonly holder: string;
  /** May be empty. */
  readonly link: string;
  /** The fencing token; null for one that never held. */
  readonly token: number | null;
  /** Wall clock, ISO 8601; null for one that never held. */
  readonly acquired_at: string | null;
  /** When it ended, whatever the outcome. */
  readonly released_at: string;
  /** Until it held, or gave up. */
  readonly waited_seconds: number;
  /** `released`, `expired`, `broken` or `gave_up`. */
  readonly outcome: string;
  /** Who ended it; null where it did so itself. */
  readonly by: string | null;
  /** Why somebody else ended it; null where it did so itself. */
  readonly reason: string | null;
}

/** A lock. Every text in it is harmless, whoever wrote it. */
export interface LockView {
  /** The name that its record has. */
  readonly lock: string;
  /** `secret/<namespace>/<name>` or `local/<name>`. */
  readonly object: string;
  /** `sequential` in version 3's form, where turns go by run number; else `fifo`. */
  readonly order: string;
  /** The number of the run that may hold in version 3's form; null in today's. */
  readonly next_build: number | null;
  /** How many may hold at once. */
  readonly capacity: number;
  /** The last fencing token; 0 before the first hold. */
  readonly token: number;
  /** Nobody new holds while it is there; times are ISO 8601, `until` null without an end. */
  readonly frozen: {
    readonly by: string;
    readonly reason: string;
    readonly since: string;
    readonly until: string | null;
  } | null;
  /** In the order of their claims. */
  readonly holders: readonly HolderView[];
  /** The next in line first. */
  readonly queue: readonly WaiterView[];
}

/** A lock with its last holders. */
export interface StatusView extends LockView {
  /** The newest first. */
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
    order: record.order ?? "fifo",
    next_build: record.next_build ?? null,
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
    ...((holder.on_expiry ?? "takeover") === "takeover" ? {} : { on_expiry: holder.on_expiry }),
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
