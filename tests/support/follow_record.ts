/** Follows a record by its store's watch as the lock does: one that has ended in good order is begun again. */
import type { LockStore, StoredRecord, Watch, WatchEvent } from "../../lib/lock/store.ts";

/** What a watch has reported so far, and what it is still to report. */
export interface Followed extends Disposable {
  readonly records: readonly StoredRecord[];
  readonly deletions: number;
  /** Resolves to the first record reported that is the one looked for; rejects when the watch breaks. */
  record(wanted: (record: StoredRecord) => boolean): Promise<StoredRecord>;
  /** Resolves once a deletion was reported; rejects when the watch breaks. */
  deletion(): Promise<void>;
}

/** Watches from revision `from` until disposed of. */
export function follow(lock: LockStore, from: string, place = 1): Followed {
  const records: StoredRecord[] = [];
  let deletions = 0;
  let closed = false;
  let broken: Error | undefined;
  let watch: Watch;
  const waiting = new Set<() => void>();

  function onEvent(event: WatchEvent): void {
    if (event.kind === "record") records.push(event.record);
    else if (event.kind === "deleted") deletions++;
    else if (event.error) broken = event.error;
    else void begin();
    for (const check of [...waiting]) check();
  }

  async function begin(): Promise<void> {
    try {
      const record = await lock.readRecord();
      if (closed) return;
      watch = lock.watchRecord(record?.revision ?? "", place, onEvent);
      onEvent(record === null ? { kind: "deleted" } : { kind: "record", record });
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      for (const check of [...waiting]) check();
    }
  }

  function until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found === undefined && !broken) return;
        waiting.delete(check);
        if (found !== undefined) resolve(found);
        else reject(broken);
      };
      waiting.add(check);
      check();
    });
  }

  watch = lock.watchRecord(from, place, onEvent);
  return {
    records,
    get deletions() {
      return deletions;
    },
    record: (wanted) => until(() => records.find(wanted)),
    deletion: () => until(() => deletions > 0 ? true : undefined).then(() => {}),
    [Symbol.dispose]() {
      closed = true;
      watch.close();
    },
  };
}
