/** What people and scripts do to a lock from outside: look, check, renew once, break. */
import type { Lost } from "./driver.ts";
import { Damaged } from "./parse.ts";
import { encodeRecord, parseRecord, parseTicket } from "./record.ts";
import type { Holder, LockRecord } from "./record.ts";
import { lostBy } from "./resume.ts";
import { bar, breakHolder, holderOf, inOrder, pastOf, remove, renew, waiting } from "./rules.ts";
import type { Queued } from "./rules.ts";
import { StoreError } from "./store.ts";
import type { LockStore, StoredRecord } from "./store.ts";

/** A lock as it stands: the tickets were listed after the record was read. */
export interface Look {
  readonly stored: StoredRecord | null;
  readonly record: LockRecord | null;
  /** Those that wait, in order. */
  readonly queue: readonly Queued[];
  /** All of them, the spent as well. */
  readonly tickets: readonly Queued[];
}

/** How one calls goes on after answers that say nothing. */
export interface Patience {
  /** Until when, on `now`'s clock, in milliseconds. */
  readonly until: number;
  now(): number;
}

/** Waits between two tries, in milliseconds. */
const RETRY_MS = { first: 50, most: 2000 };

/** The record of a lock, or null. Rejects with {@link StoreError}; a damaged record is `unusable`. */
export async function readLock(
  store: LockStore,
  patience: Patience,
): Promise<{ stored: StoredRecord; record: LockRecord } | null> {
  const stored = await persistently(patience, () => store.readRecord());
  return stored === null ? null : { stored, record: understood(stored) };
}

/** A lock with its queue. Rejects with {@link StoreError}; a damaged record is `unusable`. */
export async function lookAt(store: LockStore, patience: Patience): Promise<Look> {
  const found = await readLock(store, patience);
  const listed = await persistently(patience, () => store.listTickets());
  const tickets: Queued[] = [];
  for (const { grant, uid, revision, text } of listed) {
    try {
      const ticket = parseTicket(text);
      if (ticket.grant === grant) tickets.push({ ticket, uid, revision });
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
    }
  }
  return {
    stored: found?.stored ?? null,
    record: found?.record ?? null,
    tickets: inOrder(tickets),
    queue: found === null ? inOrder(tickets) : waiting(found.record, tickets),
  };
}

function understood(stored: StoredRecord): LockRecord {
  try {
    return parseRecord(stored.text);
  } catch (error) {
    if (error instanceof Damaged) throw new StoreError("unusable", error.message);
    throw error;
  }
}

/** Calls `request` again after answers that say nothing, until the patience is over. For requests that change nothing. */
async function persistently<T>(patience: Patience, request: () => Promise<T>): Promise<T> {
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const passing = error.kind === "unknown" || error.kind === "throttled";
      const pause = Math.max(wait, error.retryAfterMs ?? 0);
      if (!passing || patience.now() + pause >= patience.until) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** What became of a grant. */
export type Standing =
  | { readonly kind: "held"; readonly holder: Holder }
  | { readonly kind: "lost"; readonly lost: Lost }
  | { readonly kind: "never_held" };

/** Whether `grant` holds in `record`. A broken entry does not. */
export function standing(record: LockRecord | null, grant: string): Standing {
  const holder = record === null ? undefined : holderOf(record, grant);
  if (holder?.state === "held") return { kind: "held", holder };
  if (holder !== undefined) {
    const { broken_by, broken_reason } = holder;
    const lost = { kind: "broken", by: broken_by ?? null, reason: broken_reason ?? null } as const;
    return { kind: "lost", lost };
  }
  const past = record === null ? undefined : pastOf(record, grant);
  const lost = past === undefined || past.token === null
    ? null
    : lostBy(past, record?.last_token ?? 0);
  return lost === null ? { kind: "never_held" } : { kind: "lost", lost };
}

/** Renews `grant` once. Rejects with {@link StoreError}. */
export async function renewOnce(
  store: LockStore,
  grant: string,
  patience: Patience,
): Promise<Standing> {
  let wanted: number | null = null;
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    const found = await readLock(store, patience);
    const now = standing(found?.record ?? null, grant);
    if (found === null || now.kind !== "held") return now;
    // An earlier sending without an answer was applied after all.
    if (wanted !== null && now.holder.renewals >= wanted) return now;
    const next = renew(found.record, grant, new Date().toISOString());
    if (typeof next === "string") return standing(found.record, grant);
    wanted = now.holder.renewals + 1;
    try {
      const stored = await store.replaceRecord(found.stored, encodeRecord(next));
      return standing(understood(stored), grant);
    } catch (error) {
      await again(error, patience, wait);
    }
  }
}

/** Rejects with `error` where trying again is no use; else waits. */
async function again(error: unknown, patience: Patience, wait: number): Promise<void> {
  if (!(error instanceof StoreError)) throw error;
  const useless = error.kind === "refused" || error.kind === "unusable";
  const pause = error.kind === "conflict" ? 0 : Math.max(wait, error.retryAfterMs ?? 0);
  if (useless || patience.now() + pause >= patience.until) throw error;
  if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
}

/** Whom to break, by whom and why. */
export interface BreakOrder {
  /** Holders and waiters to break; null for all holders. */
  readonly grants: readonly string[] | null;
  /** `now`: the entry is taken off at once, whatever its holder does. */
  readonly how: "in order" | "now";
  readonly by: string;
  readonly reason: string;
}

/** What a break did. */
export interface Broken {
  readonly holders: readonly Holder[];
  readonly waiters: readonly Queued[];
}

/** Marks or removes holders, drops waiters. Rejects with {@link StoreError}. */
export async function breakLock(
  store: LockStore,
  order: BreakOrder,
  patience: Patience,
): Promise<Broken> {
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    const look = await lookAt(store, patience);
    if (look.stored === null || look.record === null) return { holders: [], waiters: [] };
    const { next, broken } = broke(look.record, look, order);
    try {
      if (encodeRecord(next) !== encodeRecord(look.record)) {
        await store.replaceRecord(look.stored, encodeRecord(next));
      }
      // The record knows first: else the waiter would come back in its old place.
      for (const { ticket, uid } of broken.waiters) {
        await persistently(patience, () => dropTicket(store, ticket.grant, uid));
      }
      return broken;
    } catch (error) {
      await again(error, patience, wait);
    }
  }
}

async function dropTicket(store: LockStore, grant: string, uid: string): Promise<void> {
  try {
    await store.deleteTicket({ grant, uid });
  } catch (error) {
    const gone = error instanceof StoreError &&
      (error.kind === "missing" || error.kind === "conflict");
    if (!gone) throw error;
  }
}

function broke(
  record: LockRecord,
  look: Look,
  order: BreakOrder,
): { next: LockRecord; broken: Broken } {
  const at = new Date().toISOString();
  const ending = { outcome: "broken", by: order.by, reason: order.reason, at } as const;
  const wanted = (grant: string) => order.grants === null || order.grants.includes(grant);
  const holders = record.holders.filter(({ grant }) => wanted(grant));
  const waiters = order.grants === null
    ? []
    : look.queue.filter(({ ticket }) => wanted(ticket.grant));
  const left = look.tickets.filter((queued) => !waiters.includes(queued));
  let next = record;
  for (const { grant } of holders) {
    const changed = order.how === "now"
      ? remove(next, grant, left, ending)
      : breakHolder(next, grant, order.by, order.reason);
    if (typeof changed !== "string") next = changed;
  }
  for (const { ticket } of waiters) {
    const waitedSeconds = Math.max(0, (Date.now() - Date.parse(ticket.waiting_since)) / 1000 || 0);
    next = bar(next, { ...ticket, waitedSeconds }, left, ending);
  }
  return { next, broken: { holders, waiters } };
}
