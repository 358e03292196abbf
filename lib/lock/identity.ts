/** Whose lock a record is: the one rule for it. */
import type { Identity, LockRecord } from "./record.ts";

/**
 * Of a record that version 3 made: it says nothing but a number. No lock has an empty name, so nobody else's is like it; the first
 * of ours that writes puts its own there.
 */
export const UNKNOWN_IDENTITY: Identity = { scope: "global", owner: "", repository: "", lock: "" };

/** True when both mean the same lock. Owners and repositories are compared as CI products do: whatever the case of letters. */
export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.scope === b.scope && foldCase(a.owner) === foldCase(b.owner) &&
    foldCase(a.repository) === foldCase(b.repository) && a.lock === b.lock;
}

/** `text` as owners and repositories are compared. */
export function foldCase(text: string): string {
  return text.toLowerCase();
}

/** The record, with `identity` where nobody has said yet whose it is; null when it is another lock's. */
export function adopted(record: LockRecord, identity: Identity | null): LockRecord | null {
  if (identity === null) return record;
  if (record.identity.lock === "" && record.next_build !== undefined) {
    return { ...record, identity };
  }
  return sameIdentity(record.identity, identity) ? record : null;
}
