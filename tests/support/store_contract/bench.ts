/** What the parts of the contract share: the store under test, and shorthands. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../lib/lock/store.ts";
import type { LockStore, LockStores, StoreFailureKind } from "../../../lib/lock/store.ts";

/** A store under test. */
export interface OpenedStores {
  readonly stores: LockStores;
  /** Lets go of everything that was opened for the test. */
  close(): Promise<void>;
  /** Deletes a record as a person does by hand. @param object the name given to `stores.open` */
  deleteRecord(object: string): Promise<void>;
}

/** A store under test, and one lock in it. */
export interface Bench extends OpenedStores {
  readonly object: string;
  readonly lock: LockStore;
}

/** Registers one test of the contract. */
export type Register = (sentence: string, body: (bench: Bench) => Promise<void>) => void;

/** The error of a request that has to fail as one of `kinds`. */
export async function failsWith(
  kinds: readonly StoreFailureKind[],
  asked: Promise<unknown>,
): Promise<StoreError> {
  const error = await assertRejects(() => asked, StoreError);
  assert(kinds.includes(error.kind), `${error.kind} instead of ${kinds}: ${error.message}`);
  return error;
}

/** The result of the only try that succeeded; all others have to have failed as `kind`. */
export function onlyOne<T>(tried: readonly PromiseSettledResult<T>[], kind: StoreFailureKind): T {
  const won = tried.filter((each) => each.status === "fulfilled");
  for (const each of tried) {
    if (each.status === "fulfilled") continue;
    assert(each.reason instanceof StoreError, String(each.reason));
    assertEquals(each.reason.kind, kind, each.reason.message);
  }
  assertEquals(won.length, 1);
  const [first] = won;
  assert(first !== undefined);
  return first.value;
}

export function sequence(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

export function newName(): string {
  return `k8s-lock-contract-${newGrant().slice(0, 8)}`;
}

export function newGrant(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

export function newTicket(): { grant: string; holder: string; text: string } {
  return { grant: newGrant(), holder: "someone", text: "waits" };
}
