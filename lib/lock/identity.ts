/** Whose lock a record is: the one rule for it. */
import type { Extra } from "./parse.ts";
import type { LockRecord } from "./record.ts";

/** The full identity of a lock: what its record's name is made from, kept because joining is ambiguous. */
export interface Identity {
  /** What the name is unique in: a repository, an owner's repositories, or the whole place where locks are kept. */
  readonly scope: "repo" | "owner" | "global";
  /** The owner on GitHub (or the group elsewhere); empty where the scope does not need it. */
  readonly owner: string;
  /** The repository or project; empty where the scope does not need it. */
  readonly repository: string;
  /** The lock's name as its user wrote it. */
  readonly lock: string;
  /** Fields of a newer version, written back as they are. */
  readonly extra?: Extra;
}

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
