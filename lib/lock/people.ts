/** What people and scripts do to a lock from outside: look, check, renew once, break. */
import type { Lost } from "./driver.ts";
import { Damaged } from "./parse.ts";
import { encodeRecord, parseRecord } from "./record.ts";
import type { Holder, LockRecord } from "./record.ts";
import { lostBy } from "./resume.ts";
import { bar, breakHolder, release, remove, renew } from "./rules.ts";
import { holderOf, inLine, inOrder, numberOf, pastOf, readTickets } from "./queue.ts";
import type { Queued } from "./queue.ts";
import { StoreError } from "./store.ts";
import type { LockStore, StoredRecord } from "./store.ts";

/** A lock as it stands: the tickets were listed after the record was read. */
export interface Look {
  /** As the store returned it; null when there is no record. */
  readonly stored: StoredRecord | null;
  /** What `stored` says; null when there is no record. */
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
  /** A monotonic clock, in milliseconds. */
  now(): number;
}

/** Waits between two tries, in milliseconds. */
export const RETRY_MS = { first: 50, most: 2000 };

/** The record of a lock, or null. Rejects with {@link StoreError}; a damaged record is `unusable`. */
export async function readLock(
  store: LockStore,
  patience: Patience,
): Promise<{ stored: StoredRecord; record: LockRecord } | null> {
  const stored = await persistently(patience, () => store.readRecord());
  return stored === null ? null : { stored, record: understood(store, stored) };
}

/** A lock with its queue. Rejects with {@link StoreError}; a damaged record is `unusable`. */
export async function lookAt(store: LockStore, patience: Patience): Promise<Look> {
  const found = await readLock(store, patience);
  const listed = await persistently(patience, () => store.listTickets());
  const { tickets } = readTickets(listed);
  return {
    stored: found?.stored ?? null,
    record: found?.record ?? null,
    tickets: inOrder(tickets),
    queue: found === null ? inOrder(tickets) : inLine(found.record, tickets),
  };
}

function understood({ object }: LockStore, stored: StoredRecord): LockRecord {
  try {
    return parseRecord(stored.text);
  } catch (error) {
    if (error instanceof Damaged) {
      throw new StoreError("unusable", `${object} cannot be used: ${error.message}`);
    }
    throw error;
  }
}

/** Calls `request` again after answers that say nothing, until the patience is over. For requests that change nothing. */
export async function persistently<T>(patience: Patience, request: () => Promise<T>): Promise<T> {
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
  | { readonly kind: "given_back" }
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
  if (past?.outcome === "released") return { kind: "given_back" };
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
      return standing(understood(store, stored), grant);
    } catch (error) {
      await again(error, patience, wait);
    }
  }
}

/** Rejects with `error` where trying again is no use; else waits. */
export async function again(error: unknown, patience: Patience, wait: number): Promise<void> {
  if (!(error instanceof StoreError)) throw error;
  const useless = error.kind === "refused" || error.kind === "unusable";
  const pause = error.kind === "conflict" ? 0 : Math.max(wait, error.retryAfterMs ?? 0);
  if (useless || patience.now() + pause >= patience.until) throw error;
  if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
}

/** One whose process is gone, or about to go, without having held. */
export interface Withdrawn {
  /** Of its one try to acquire. */
  readonly grant: string;
  /** For the history, where it left no ticket. */
  readonly holder: string;
  /** Its run's, where it may have waited by that; null for none. */
  readonly number?: number | null;
}

/** What is to be done about one that is withdrawn. */
export interface Withdrawal {
  /** The record to write; null when there is none, or it says already what became of the grant. */
  readonly next: LockRecord | null;
  /** To be deleted after that. */
  readonly ticket: Queued | undefined;
  /** True when it holds. */
  readonly held: boolean;
}

/** How `grant` is taken back that is in `look`, if at all: given back if it holds, else barred, so that no late claim of it comes true. */
export function withdrawal(
  look: Pick<Look, "record" | "tickets">,
  { grant, holder, number = null }: Withdrawn,
  at: string,
): Withdrawal {
  const { record } = look;
  const ticket = look.tickets.find((queued) => queued.ticket.grant === grant);
  if (record === null || pastOf(record, grant) !== undefined) {
    return { next: null, ticket, held: false };
  }
  const left = look.tickets.filter((queued) => queued !== ticket);
  const released = release(record, grant, left, at);
  if (typeof released !== "string") return { next: released, ticket, held: true };
  const waiter = { grant, holder, link: "", mode: "exclusive", waitedSeconds: 0 } as const;
  const waitedFor = (ticket && numberOf(ticket.ticket)) ?? number;
  const ending = { outcome: "gave_up", by: null, reason: null, at } as const;
  const next = bar(record, { ...waiter, ...ticket?.ticket, number: waitedFor }, left, ending);
  return { next, ticket, held: false };
}

/**
 * Takes a grant back that was asked for and whose end is not known, as {@link withdrawal} says. Rejects with {@link StoreError}.
 *
 * @returns true when it held
 */
export async function withdraw(
  store: LockStore,
  withdrawn: Withdrawn,
  patience: Patience,
): Promise<boolean> {
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    const look = await lookAt(store, patience);
    const { next, ticket, held } = withdrawal(look, withdrawn, new Date().toISOString());
    try {
      if (look.stored !== null && next !== null) {
        await store.replaceRecord(look.stored, encodeRecord(next));
      }
      if (ticket !== undefined) {
        await persistently(patience, () => dropTicket(store, withdrawn.grant, ticket.uid));
      }
      return held;
    } catch (error) {
      await again(error, patience, wait);
    }
  }
}

/** Whom to break, by whom and why. */
export interface BreakOrder {
  /** Holders and waiters to break; null for all holders. */
  readonly grants: readonly string[] | null;
  /** `now`: the entry is taken off at once, whatever its holder does. */
  readonly how: "in order" | "now";
  /** Who breaks it, for the history and for who is broken. */
  readonly by: string;
  /** Why, for the same; may be empty. */
  readonly reason: string;
}

/** What a break did. */
export interface Broken {
  /** As they were before; with `in order` their entries stand until they give up. */
  readonly holders: readonly Holder[];
  /** In queue order; their tickets are deleted. */
  readonly waiters: readonly Queued[];
}

/** Marks or removes holders, drops waiters. Rejects with {@link StoreError}. */
export async function breakLock(
  store: LockStore,
  order: BreakOrder,
  patience: Patience,
): Promise<Broken> {
  let sent: Broken = { holders: [], waiters: [] };
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    const look = await lookAt(store, patience);
    if (look.stored === null || look.record === null) return { holders: [], waiters: [] };
    const { next, broken: found } = broke(look.record, look, order);
    // An earlier sending without an answer may have been applied: then the history tells of it.
    const done = (grant: string) => pastOf(next, grant)?.outcome === "broken";
    const broken: Broken = {
      holders: found.holders.length > 0
        ? found.holders
        : sent.holders.filter(({ grant }) => done(grant)),
      waiters: found.waiters.length > 0
        ? found.waiters
        : sent.waiters.filter(({ ticket }) => done(ticket.grant)),
    };
    sent = broken;
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
    next = bar(next, { ...ticket, waitedSeconds, number: numberOf(ticket) }, left, ending);
  }
  return { next, broken: { holders, waiters } };
}

/** How a broken holder's place came to be free. */
export type GivenUp = "given up" | "removed as silent";

/** How often the record is read while a holder is waited for, in milliseconds; a watch makes it faster. */
const LOOK_EVERY_MS = 1000;

/**
 * Waits until `broken` does not hold any more: its holder gives the place up, or else it is removed when it was silent for
 * its TTL. Failures of the store are waited out, but for those that will not pass.
 *
 * @param now a monotonic clock, in milliseconds
 * @param by who removes it then, for the history
 */
export async function untilGivenUp(
  store: LockStore,
  broken: Holder,
  by: string,
  now: () => number,
): Promise<GivenUp> {
  const grant = broken.grant;
  const ttlMs = broken.ttl_seconds * 1000;
  let renewals = -1;
  let since = now();
  for (;;) {
    const look = await lookAt(store, { until: now() + 2 * ttlMs, now });
    const holder = look.record === null ? undefined : holderOf(look.record, grant);
    if (look.stored === null || look.record === null || holder === undefined) {
      const past = look.record === null ? undefined : pastOf(look.record, grant);
      return past?.outcome === "expired" ? "removed as silent" : "given up";
    }
    if (holder.renewals !== renewals) {
      renewals = holder.renewals;
      since = now();
    } else if (now() - since >= ttlMs) {
      const reason = "silent for its TTL after it was broken";
      const at = new Date().toISOString();
      const next = remove(look.record, grant, look.tickets, { outcome: "expired", by, reason, at });
      if (typeof next === "string") continue;
      try {
        await store.replaceRecord(look.stored, encodeRecord(next));
        return "removed as silent";
      } catch (error) {
        await again(error, { until: Infinity, now }, RETRY_MS.first);
        continue;
      }
    }
    await news(store, look.stored.revision, Math.min(LOOK_EVERY_MS, since + ttlMs - now() + 1));
  }
}

/** Resolves at the next change of the record, after `mostMs` at the latest. */
async function news(store: LockStore, from: string, mostMs: number): Promise<void> {
  const changed = Promise.withResolvers<void>();
  const timer = setTimeout(changed.resolve, Math.max(1, mostMs));
  // One that ends at once is no news: then the timer decides.
  const watch = store.watchRecord(from, 1, (event) => event.kind !== "ended" && changed.resolve());
  await changed.promise;
  clearTimeout(timer);
  watch.close();
}
