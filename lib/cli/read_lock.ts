/** One lock as it stands now, for those who only look. */
import { Damaged } from "../lock/parse.ts";
import { adopted } from "../lock/identity.ts";
import { emptyRecord, parseRecord } from "../lock/record.ts";
import type { Identity, LockRecord } from "../lock/record.ts";
import { inLine, readTickets } from "../lock/queue.ts";
import type { Queued } from "../lock/queue.ts";
import type { LockStore, StoredTicket } from "../lock/store.ts";
import { CliError, Exit } from "./errors.ts";
import { describeIdentity } from "./names.ts";
import type { Target } from "./options.ts";
import { neutral } from "./text.ts";
import { howToMendNumber } from "./v3.ts";
import type { SecretName } from "./v3.ts";

/** A record with its queue. */
export interface SeenLock {
  /** What the store calls the record. */
  readonly object: string;
  /** An empty one where there is none yet. */
  readonly record: LockRecord;
  /** Those who wait, in order. */
  readonly queue: readonly Queued[];
}

/**
 * Reads a lock. One that has no record yet is as nobody has held it.
 *
 * @throws {CliError} (exit 15) when the record is damaged, of a newer format, or another lock's
 * @throws {StoreError} as the store
 */
export async function readLock(store: LockStore, target: Target): Promise<SeenLock> {
  // The record first: the list of those who wait belongs to it or to a later one.
  const stored = await store.readRecord();
  if (stored === null && target.by === "object") {
    throw new CliError(
      Exit.unusable,
      `there is no record ${neutral(store.object)}; without --object a lock is found by its name`,
    );
  }
  const identity: Identity = target.identity ??
    { scope: "global", owner: "", repository: "", lock: target.lock };
  const found = stored === null ? emptyRecord(identity) : parsed(store.object, stored.text);
  const record = adopted(found, target.identity ?? (found.identity.lock === "" ? identity : null));
  if (record === null) throw otherIdentity(store.object, found.identity, identity);
  return { object: store.object, record, queue: queueOf(record, await store.listTickets()) };
}

/** What helps when a record cannot be used. */
export const HELP = {
  newer: "use a newer k8s-lock",
  damaged: "delete it if the lock is not in use; k8s-lock never overwrites what it cannot read",
} as const satisfies Record<Damaged["why"], string>;

/** The record in `text`. Throws {@link CliError} (exit 15). */
export function parsed(object: string, text: string): LockRecord {
  try {
    return parseRecord(text);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new CliError(
      Exit.unusable,
      `${object} cannot be used: ${neutral(error.message)}; ${
        howToMendNumber(error.message, secretOf(object)) ?? HELP[error.why]
      }`,
    );
  }
}

/** The Secret that `secret/<namespace>/<name>` names. */
function secretOf(object: string): SecretName {
  const [, namespace = "", name = ""] = object.split("/");
  return { namespace, context: null, name };
}

/** Those who wait, in order. Tickets that cannot be read wait for nothing. */
export function queueOf(record: LockRecord, stored: readonly StoredTicket[]): readonly Queued[] {
  return inLine(record, readTickets(stored).tickets);
}

/** The record is another lock's: their joined names are the same. */
function otherIdentity(object: string, stored: Identity, meant: Identity): CliError {
  return new CliError(
    Exit.unusable,
    `${object} keeps another lock: ${describeIdentity(stored)}, not ${
      describeIdentity(meant)
    }; give one of them another name, or use --object to mean the record itself`,
  );
}
