/** A record from version 3's form into today's, and back: by a person, while nobody holds or waits. */
import { adopted } from "./identity.ts";
import { again, lookAt, RETRY_MS } from "./people.ts";
import type { Look, Patience } from "./people.ts";
import { callOver, inLine } from "./queue.ts";
import type { Queued } from "./queue.ts";
import { encodeRecord } from "./record.ts";
import type { Identity, LockRecord } from "./record.ts";
import { isV3 } from "./sequential.ts";
import type { LockStore } from "./store.ts";

/** Where a record is to be brought. */
export type Form = "today" | V3Form;

/** Version 3's form. */
export interface V3Form {
  /** The run that is to be next; null: the one that was when the record was in that form before, or this one's. */
  readonly nextBuild: number | null;
  /** This run's number, where there is one. */
  readonly runNumber: number | null;
}

/** Why a record stays as it is. */
export type Stays =
  /** There is none. */
  | { readonly kind: "missing" }
  /** It is in that form already. */
  | { readonly kind: "there" }
  /** Somebody holds, or waits: those go by the form that they found. */
  | { readonly kind: "in_use" }
  /** Version 3 made it and does not say whose it is, and nobody else has. */
  | { readonly kind: "nameless" }
  /** It is another lock's. */
  | { readonly kind: "another"; readonly identity: Identity }
  /** It is not known which run is to be next. */
  | { readonly kind: "numberless" }
  /** Version 3 knows one holder, and no pool. */
  | { readonly kind: "too_big" };

/** What became of a record, or would become of it. */
export type Migrated =
  | { readonly kind: "changed"; readonly before: LockRecord; readonly after: LockRecord }
  | (Stays & { readonly before: LockRecord | null; readonly queue: readonly Queued[] });

/**
 * The record in the form `to`, or why it stays as it is. History, tokens and what others added are kept. In today's form the number is
 * remembered, for the way back.
 *
 * @param identity whose it is, as far as its caller knows
 */
export function brought(
  record: LockRecord,
  tickets: readonly Queued[],
  to: Form,
  identity: Identity | null,
): LockRecord | Stays {
  const mine = adopted(record, identity);
  if (mine === null) return { kind: "another", identity: record.identity };
  if (isV3(mine) === (to !== "today")) return { kind: "there" };
  const isUsed = mine.holders.length > 0 || mine.turn.length > 0 ||
    inLine(mine, tickets).length > 0;
  if (isUsed) return { kind: "in_use" };
  if (isV3(mine)) {
    if (mine.identity.lock === "") return { kind: "nameless" };
    const { order: _, next_build, given_up: __, ...today } = mine;
    return { ...today, was_next_build: next_build };
  }
  if (to === "today") return { kind: "there" };
  if (mine.capacity !== 1 || mine.pool !== null) return { kind: "too_big" };
  const { was_next_build: before, ...others } = mine;
  const next = to.nextBuild ?? Math.max(before ?? -1, to.runNumber ?? -1);
  if (next < 0) return { kind: "numberless" };
  // A call in which nobody stands is the end of its run there: this one was of nobody's.
  return { ...others, order: "sequential", next_build: next, roll_call: callOver(mine) };
}

/** What is asked for. */
export interface MigrateOrder {
  /** The form that the record is to have. */
  readonly to: Form;
  /** Whose it is, as far as the caller knows. */
  readonly identity: Identity | null;
  /** `look`: nothing is written. */
  readonly how: "look" | "write";
}

/** Brings the record into another form, by compare-and-swap. Rejects with {@link StoreError}. */
export async function migrateLock(
  store: LockStore,
  { to, identity, how }: MigrateOrder,
  patience: Patience,
): Promise<Migrated> {
  let sent: Extract<Migrated, { kind: "changed" }> | null = null;
  for (let wait = RETRY_MS.first;; wait = Math.min(wait * 2, RETRY_MS.most)) {
    const look: Look = await lookAt(store, patience);
    const { stored, record: before, queue, tickets } = look;
    if (stored === null || before === null) return { kind: "missing", before: null, queue };
    const after = brought(before, tickets, to, identity);
    if ("kind" in after) {
      // An earlier sending without an answer was applied after all.
      return after.kind === "there" && sent !== null ? sent : { ...after, before, queue };
    }
    const changed: Migrated = { kind: "changed", before, after };
    if (how === "look") return changed;
    sent = changed;
    try {
      await store.replaceRecord(stored, encodeRecord(after));
      return changed;
    } catch (error) {
      await again(error, patience, wait);
    }
  }
}
