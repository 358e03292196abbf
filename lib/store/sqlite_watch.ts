/**
 * A watch of a record in an SQLite file. SQLite tells nobody of changes, and `fs.watch` fires before a commit can be read and misses
 * some; but to ask whether anything changed costs some microseconds. So the next in line asks every 5 ms, those further back less often.
 */
import { compareRevisions, StoreError } from "../lock/store.ts";
import type { StoredRecord, Watch, WatchEvent } from "../lock/store.ts";
import { Busy, stillLocked } from "./sqlite_errors.ts";

/** A record, and the revision at which it was made. */
export interface DatedRecord {
  /** As it stands. */
  readonly record: StoredRecord;
  /** Later than what was read before: another record of that name. */
  readonly created: string;
}

/** What is polled. Both throw {@link Busy} and {@link StoreError}. */
export interface Polled {
  /** Another text whenever something may have changed. Cheap. */
  state(): string;
  /** The record as it stands, or null when there is none. */
  read(): DatedRecord | null;
}

const SHORTEST_MS = 5;
const LONGEST_MS = 250;

/** How long one at `place` in the queue waits between two looks, in milliseconds. */
export function pollEveryMs(place: number): number {
  return Math.min(LONGEST_MS, SHORTEST_MS * Math.max(1, place));
}

/**
 * Reports what changed since revision `from` and then each change.
 *
 * @param patienceMs for how long the file may stay locked before the watch ends
 * @param onClose called once, when the watch is closed or has ended
 */
export function poll(
  { path, polled, from, place, patienceMs, onEvent, onClose }: {
    path: string;
    polled: Polled;
    from: string;
    place: number;
    patienceMs: number;
    onEvent: (event: WatchEvent) => void;
    onClose: (watch: Watch) => void;
  },
): Watch {
  let open = true;
  let state: string | undefined;
  /** The record as last seen; undefined before the first look. */
  let seen: StoredRecord | null | undefined;
  let lockedSince: number | undefined;
  let timer = setTimeout(look, 0);

  const watch: Watch = {
    close() {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      onClose(watch);
    },
  };

  function look(): void {
    // Set first: a listener that throws shall not end the watch. Referenced: it may be all that keeps a waiter's process alive.
    timer = setTimeout(look, pollEveryMs(place));
    try {
      for (const event of news()) if (open) onEvent(event);
    } catch (error) {
      if (error instanceof Busy) lockedSince ??= performance.now();
      else if (error instanceof StoreError) return end(error);
      else throw error;
      const lockedMs = performance.now() - lockedSince;
      if (lockedMs > patienceMs) end(stillLocked(path, lockedMs));
    }
  }

  function news(): WatchEvent[] {
    const now = polled.state();
    if (now === state) return [];
    const found = polled.read();
    // Only now: a read that failed is to be tried again.
    state = now;
    lockedSince = undefined;
    const events = seen === undefined ? changesSince(from, found) : changesBetween(seen, found);
    seen = found?.record ?? null;
    return events;
  }

  function end(error: StoreError): void {
    if (!open) return;
    watch.close();
    onEvent({ kind: "ended", error });
  }

  return watch;
}

function changesSince(from: string, found: DatedRecord | null): WatchEvent[] {
  if (found === null) return from === "" ? [] : [{ kind: "deleted" }];
  const { record, created } = found;
  if (from === "") return [{ kind: "record", record }];
  const age = compareRevisions(record.revision, from);
  if (age === 0) return [];
  // Older than what was read: the whole file is another one.
  const another = age < 0 || compareRevisions(created, from) > 0;
  return another ? [{ kind: "deleted" }, { kind: "record", record }] : [{ kind: "record", record }];
}

function changesBetween(seen: StoredRecord | null, found: DatedRecord | null): WatchEvent[] {
  if (found === null) return seen === null ? [] : [{ kind: "deleted" }];
  const { record } = found;
  if (seen === null) return [{ kind: "record", record }];
  if (seen.uid !== record.uid) return [{ kind: "deleted" }, { kind: "record", record }];
  return seen.revision === record.revision ? [] : [{ kind: "record", record }];
}
