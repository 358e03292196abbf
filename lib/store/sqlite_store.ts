/**
 * Locks in an SQLite file, for jobs on one machine (`--local`). Records and tickets are rows; one revision for the whole file grows with
 * each change and survives the deletion of rows.
 */
import { StoreError } from "../lock/store.ts";
import type {
  LockStore,
  LockStores,
  NewTicket,
  StoredRecord,
  StoredTicket,
  Version,
  Watch,
  WatchEvent,
} from "../lock/store.ts";
import type { Connection, Row } from "./sqlite_connection.ts";
import { Busy, stillLocked } from "./sqlite_errors.ts";
import { SqliteFile } from "./sqlite_file.ts";
import { type DatedRecord, poll } from "./sqlite_watch.ts";

/** How an SQLite file is used. */
export interface SqliteOptions {
  /**
   * How long a request waits for a locked file before it rejects with `throttled`, in milliseconds; a watch ends after as long.
   * Default 15,000.
   */
  readonly requestTimeoutMs?: number;
  /** The most pages (of 4 kB) the file may have: a request that needs more is `refused`. Default: what the disk holds. */
  readonly maxPages?: number;
}

const RECORD = "uid, CAST(revision AS TEXT) AS revision, text";
const TICKET = "grant_id, uid, CAST(revision AS TEXT) AS revision, text";

/**
 * The locks in the SQLite file `path`. It is opened at the first request, and made (0600, in a folder 0700) at the first write: to look
 * at locks makes no file.
 *
 * Besides what {@link LockStore} names, requests reject with `unusable` where the file cannot be read or written, is not ours, damaged or of
 * a newer schema; with `refused` on a full disk; with `throttled` where it stays locked.
 */
export function sqliteStores(path: string, options: SqliteOptions = {}): LockStores {
  const { requestTimeoutMs = 15_000, maxPages } = options;
  const file = new SqliteFile(path, maxPages);
  const watches = new Set<Watch>();
  const closing = new AbortController();

  /** What `act` returns once the file is free. */
  async function request<T>(signal: AbortSignal | undefined, act: () => T): Promise<T> {
    const began = performance.now();
    let busy = false;
    while (true) {
      if (signal?.aborted) {
        if (busy) throw stillLocked(path, performance.now() - began);
        throw new StoreError("unknown", "the request was given up");
      }
      if (closing.signal.aborted) throw new StoreError("unusable", "the store has been closed");
      try {
        return act();
      } catch (error) {
        if (!(error instanceof Busy)) throw error;
        busy = true;
      }
      const waited = performance.now() - began;
      if (waited > requestTimeoutMs) throw stillLocked(path, waited);
      // At random, so that those who wait do not all come back at the same moment.
      await pause(5 + 25 * Math.random(), [closing.signal, ...(signal ? [signal] : [])]);
    }
  }

  function watchRecord(
    object: string,
    from: string,
    place: number,
    onEvent: (event: WatchEvent) => void,
  ): Watch {
    const watch = poll({
      path,
      polled: { state: () => file.state(), read: () => readDated(file, object) },
      from,
      place,
      patienceMs: requestTimeoutMs,
      onEvent,
      onClose: (ended) => watches.delete(ended),
    });
    watches.add(watch);
    return watch;
  }

  return {
    open: (object, label): LockStore => ({
      object: `local/${object}`,
      readRecord: (signal) => request(signal, () => readDated(file, object)?.record ?? null),
      createRecord: (text, signal) =>
        request(signal, () => createRecord(file, { object, label }, text)),
      replaceRecord: (base, text, signal) =>
        request(signal, () => replaceRecord(file, object, base, text)),
      listTickets: (signal) => request(signal, () => listTickets(file, object)),
      readTicket: (grant, signal) =>
        request(signal, () => file.read(null, (on) => findTicket(on, object, grant))),
      createTicket: (ticket, signal) => request(signal, () => createTicket(file, object, ticket)),
      patchTicket: (base, text, signal) =>
        request(signal, () => patchTicket(file, object, base, text)),
      deleteTicket: (ticket, signal) => request(signal, () => deleteTicket(file, object, ticket)),
      watchRecord: (from, place, onEvent) => watchRecord(object, from, place, onEvent),
    }),
    listRecords: (signal) => request(signal, () => listRecords(file)),
    close() {
      closing.abort();
      for (const watch of [...watches]) watch.close();
      file.close();
    },
  };
}

function readDated(file: SqliteFile, object: string): DatedRecord | null {
  return file.read(null, (on) => {
    const row = on.row(
      `SELECT ${RECORD}, CAST(created AS TEXT) AS created FROM records WHERE object = ?`,
      object,
    );
    return row === undefined ? null : { record: record(row), created: cell(row, "created") };
  });
}

function findRecord(on: Connection, object: string): StoredRecord | null {
  const row = on.row(`SELECT ${RECORD} FROM records WHERE object = ?`, object);
  return row === undefined ? null : record(row);
}

function createRecord(
  file: SqliteFile,
  { object, label }: { object: string; label: string },
  text: string,
): StoredRecord {
  return file.write((on) => {
    if (findRecord(on, object) !== null) {
      throw new StoreError("exists", `record local/${object} exists already`);
    }
    const made = { uid: crypto.randomUUID(), revision: file.nextRevision(on), text };
    on.run(
      "INSERT INTO records (object, label, uid, created, revision, text) " +
        "VALUES (?, ?, ?, CAST(? AS INTEGER), CAST(? AS INTEGER), ?)",
      object,
      label,
      made.uid,
      made.revision,
      made.revision,
      text,
    );
    return made;
  });
}

function replaceRecord(
  file: SqliteFile,
  object: string,
  base: Version,
  text: string,
): StoredRecord {
  return file.write((on) => {
    const present = demanded(findRecord(on, object), base, `record local/${object}`);
    if (present.text === text) return present;
    const revision = file.nextRevision(on);
    on.run(
      "UPDATE records SET text = ?, revision = CAST(? AS INTEGER) WHERE object = ?",
      text,
      revision,
      object,
    );
    return { uid: present.uid, revision, text };
  });
}

function listRecords(file: SqliteFile): { object: string; record: StoredRecord }[] {
  return file.read(
    [],
    (on) =>
      on.rows(`SELECT object, ${RECORD} FROM records ORDER BY object`)
        .map((row) => ({ object: cell(row, "object"), record: record(row) })),
  );
}

function listTickets(file: SqliteFile, object: string): StoredTicket[] {
  return file.read(
    [],
    (on) => on.rows(`SELECT ${TICKET} FROM tickets WHERE object = ?`, object).map(ticket),
  );
}

function findTicket(on: Connection, object: string, grant: string): StoredTicket | null {
  const row = on.row(
    `SELECT ${TICKET} FROM tickets WHERE object = ? AND grant_id = ?`,
    object,
    grant,
  );
  return row === undefined ? null : ticket(row);
}

function createTicket(
  file: SqliteFile,
  object: string,
  { grant, holder, text }: NewTicket,
): StoredTicket {
  return file.write((on) => {
    if (findTicket(on, object, grant) !== null) {
      throw new StoreError("exists", `ticket ${grant} of local/${object} exists already`);
    }
    const made = { grant, uid: crypto.randomUUID(), revision: file.nextRevision(on), text };
    on.run(
      "INSERT INTO tickets (object, grant_id, holder, uid, revision, text) " +
        "VALUES (?, ?, ?, ?, CAST(? AS INTEGER), ?)",
      object,
      grant,
      holder,
      made.uid,
      made.revision,
      text,
    );
    return made;
  });
}

function patchTicket(
  file: SqliteFile,
  object: string,
  base: StoredTicket,
  text: string,
): StoredTicket {
  const { grant } = base;
  return file.write((on) => {
    const present = demanded(
      findTicket(on, object, grant),
      base,
      `ticket ${grant} of local/${object}`,
    );
    if (present.text === text) return present;
    const revision = file.nextRevision(on);
    on.run(
      "UPDATE tickets SET text = ?, revision = CAST(? AS INTEGER) WHERE object = ? AND grant_id = ?",
      text,
      revision,
      object,
      grant,
    );
    return { grant, uid: present.uid, revision, text };
  });
}

function deleteTicket(
  file: SqliteFile,
  object: string,
  { grant, uid, revision }: {
    readonly grant: string;
    readonly uid: string;
    readonly revision?: string;
  },
): void {
  file.write((on) => {
    const present = findTicket(on, object, grant);
    const base = { uid, revision: revision ?? present?.revision ?? "" };
    demanded(present, base, `ticket ${grant} of local/${object}`);
    on.run("DELETE FROM tickets WHERE object = ? AND grant_id = ?", object, grant);
    file.nextRevision(on);
  });
}

/** `present`, if it is `base` and unchanged. Throws `conflict`, `missing`. */
function demanded<T extends Version>(present: T | null, base: Version, what: string): T {
  if (present === null) throw new StoreError("missing", `there is no ${what}`);
  if (present.uid !== base.uid || present.revision !== base.revision) {
    throw new StoreError("conflict", `${what} was changed by somebody else`);
  }
  return present;
}

function record(row: Row): StoredRecord {
  return { uid: cell(row, "uid"), revision: cell(row, "revision"), text: cell(row, "text") };
}

function ticket(row: Row): StoredTicket {
  return { grant: cell(row, "grant_id"), ...record(row) };
}

function cell(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new StoreError("unusable", `the lock database is damaged: column ${column} is not a text`);
}

/** Resolves after `ms`, or as soon as one of `signals` is aborted. */
function pause(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal.addEventListener("abort", done);
  });
}
