/**
 * The SQLite file in which `--local` keeps its locks: how it is made, opened, found deleted and opened again.
 *
 * Many processes use one file at the same time. Everything in here is synchronous and short; who waits for a locked file does so in
 * `sqlite_store.ts`, without blocking this process.
 */
import fs from "node:fs";
import path from "node:path";
import { compareRevisions, StoreError } from "../lock/store.ts";
import { Connection, loadSqlite } from "./sqlite_connection.ts";
import { Busy, explained } from "./sqlite_errors.ts";

/** The newest schema that this program reads, and the one it writes (`PRAGMA user_version`). */
export const SCHEMA_VERSION = 1;

/** "k8sl" in the file's header tells our databases from those of other programs. */
const APPLICATION_ID = 0x6b38736c;

/**
 * How long SQLite itself may wait for a lock, in milliseconds. It blocks the whole process, renewals included; a transaction of
 * ours takes less than one.
 */
const BUSY_TIMEOUT_MS = 20;

const SCHEMA = `
  CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
  INSERT INTO meta VALUES (1, 0);
  CREATE TABLE records (
    object TEXT PRIMARY KEY, label TEXT NOT NULL, uid TEXT NOT NULL,
    created INTEGER NOT NULL, revision INTEGER NOT NULL, text TEXT NOT NULL
  );
  CREATE TABLE tickets (
    object TEXT NOT NULL, grant_id TEXT NOT NULL, holder TEXT NOT NULL, uid TEXT NOT NULL,
    revision INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (object, grant_id)
  );
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * The file under a path, opened when first needed.
 *
 * A person may delete it (or move it away) while it is open. SQLite would go on working in the file that has no name any more, alone
 * with those who opened it before, while newcomers share another: two would hold one lock. So each use first compares the inode under
 * the path (5 µs), and what was committed while the file went away is answered with `unknown`. The same goes for its `-wal` and `-shm`,
 * which a person may take for litter: what is committed stands in them, and newcomers would make others.
 */
export class SqliteFile {
  #connection: Connection | undefined;
  /** Which `-wal` and `-shm` that has open. */
  #logs = "";
  #generation = 0;
  #ownWrites = 0;
  #newestRevision = "0";

  /** Opens nothing yet: there need not be a file. */
  constructor(
    readonly path: string,
    /** The most pages the file may have; without it as many as the disk holds. */
    private readonly maxPages?: number,
  ) {}

  /** What `act` reads, or `absent` when there is no file. Throws {@link Busy} and {@link StoreError}. */
  read<T>(absent: T, act: (connection: Connection) => T): T {
    return this.#attempt(() => {
      const connection = this.#existing();
      return connection === undefined ? absent : act(connection);
    });
  }

  /**
   * What `act` returns, its changes committed; the file is made when there is none. Throws {@link Busy} when nothing was done
   * because somebody else is writing, and {@link StoreError}.
   */
  write<T>(act: (connection: Connection) => T): T {
    return this.#attempt(() => {
      const connection = this.#existing() ?? this.#open();
      const result = connection.transaction("IMMEDIATE", () => act(connection));
      this.#ownWrites++;
      if (!this.#isGone(connection.inode) && this.#logs === this.#logsNow()) return result;
      throw new StoreError(
        "unknown",
        `the lock database ${this.path} was deleted or replaced while it was being written`,
      );
    });
  }

  /** Another text whenever something may have changed, by whomever. Throws as {@link read}. */
  state(): string {
    return this.read(`none ${this.#generation}`, (connection) => {
      // data_version counts the commits of all other connections, and not our own.
      const others = connection.row("PRAGMA data_version")?.data_version;
      return `${this.#generation} ${others} ${this.#ownWrites}`;
    });
  }

  /** The next revision, to be used within {@link write}. */
  nextRevision(connection: Connection): string {
    const row = connection.row(
      "UPDATE meta SET revision = revision + 1 RETURNING CAST(revision AS TEXT) AS revision",
    );
    return this.#newest(String(row?.revision));
  }

  /** Lets go of the file; the next use opens it again. */
  close(): void {
    const open = this.#connection;
    this.#connection = undefined;
    // SQLite leaves the write-ahead log alone when the file under the path is another one by now (SQLITE_FCNTL_HAS_MOVED).
    open?.database.close();
  }

  #newest(revision: string): string {
    if (compareRevisions(revision, this.#newestRevision) > 0) this.#newestRevision = revision;
    return revision;
  }

  #attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof StoreError || error instanceof Busy) throw error;
      // A file pulled away from under SQLite looks damaged in many ways: no need to tell them apart, the next try opens it anew.
      if (this.#connection !== undefined && this.#isGone(this.#connection.inode)) throw new Busy();
      throw explained(error, this.path);
    }
  }

  /** The connection to the file that has the path now; undefined when there is none. */
  #existing(): Connection | undefined {
    const inode = this.#inode();
    const open = this.#connection;
    if (open !== undefined && (open.inode !== inode || this.#logs !== this.#logsNow())) {
      this.#letGo(open);
    }
    if (inode === undefined) return undefined;
    return this.#connection ?? this.#open();
  }

  /** Closes a file that has lost its name. */
  #letGo(connection: Connection): void {
    try {
      this.#newest(newestRevision(connection));
    } catch {
      // A help only, so that the next file goes on counting where this one stood.
    }
    this.close();
    this.#generation++;
  }

  /** Whether the path leads elsewhere by now, or cannot be looked at any more. */
  #isGone(inode: string | undefined): boolean {
    try {
      return inode === undefined || this.#inode() !== inode;
    } catch {
      return true;
    }
  }

  #inode(): string | undefined {
    return inodeOf(this.path);
  }

  #logsNow(): string {
    return `${inodeOf(`${this.path}-wal`)} ${inodeOf(`${this.path}-shm`)}`;
  }

  #open(): Connection {
    makeFolder(path.dirname(this.path));
    createPrivately(this.path);
    const inode = this.#inode();
    const database = new (loadSqlite().DatabaseSync)(this.path);
    try {
      const connection = new Connection(database, inode ?? "");
      if (this.#isGone(inode)) throw new Busy();
      this.#prepare(connection);
      this.#connection = connection;
      this.#logs = this.#logsNow();
      return connection;
    } catch (error) {
      database.close();
      throw this.#isGone(inode) ? new Busy() : error;
    }
  }

  #prepare(connection: Connection): void {
    connection.row(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (this.maxPages !== undefined) connection.row(`PRAGMA max_page_count = ${this.maxPages}`);
    if (connection.row("PRAGMA page_count")?.page_count === 0) this.#make(connection);
    this.#check(connection);
    if (connection.row("PRAGMA journal_mode")?.journal_mode !== "wal") {
      connection.row("PRAGMA journal_mode = WAL");
    }
    // NORMAL writes each commit to the operating system and syncs at checkpoints only: the kill of a process loses nothing. A power
    // cut may lose the last commits (never the file); it also ends every process that could have held a lock of this machine. FULL
    // would make each renewal and hand-over wait for the disk, some 1 to 20 ms.
    connection.row("PRAGMA synchronous = NORMAL");
    this.#keepGrowing(connection);
  }

  /** Makes the tables in a file of zero bytes. */
  #make(connection: Connection): void {
    // As long as a file is empty SQLite uses neither a write-ahead log nor the memory shared through `-shm`, so that the exclusive
    // lock on it is enough to be alone. Of a database deleted before us, SQLite drops a `-wal` that stayed behind, but not a `-shm`:
    // those who still have the deleted file open use it, and would take our pages for theirs and we theirs for ours.
    connection.transaction("EXCLUSIVE", () => {
      // Somebody else may have made them meanwhile. (Within a transaction even an empty file has a page.)
      if (connection.row("PRAGMA schema_version")?.schema_version !== 0) return;
      fs.rmSync(`${this.path}-shm`, { force: true });
      connection.database.exec(SCHEMA);
    });
  }

  #check(connection: Connection): void {
    if (connection.row("PRAGMA application_id")?.application_id !== APPLICATION_ID) {
      throw new StoreError(
        "unusable",
        `${this.path} is a database of another program. It was left as it is; ` +
          "name another file with --local-path.",
      );
    }
    const version = Number(connection.row("PRAGMA user_version")?.user_version);
    if (version > SCHEMA_VERSION) {
      throw new StoreError(
        "unusable",
        `the lock database ${this.path} was written by a newer k8s-lock (schema ${version}; this one knows ` +
          `${SCHEMA_VERSION}). Update this k8s-lock, or name another file with --local-path.`,
      );
    }
  }

  /** After a deletion the file counts from 0; what this process has seen shall not come again. */
  #keepGrowing(connection: Connection): void {
    const revision = newestRevision(connection);
    if (compareRevisions(this.#newestRevision, revision) > 0) {
      connection.run(
        "UPDATE meta SET revision = max(revision, CAST(? AS INTEGER))",
        this.#newestRevision,
      );
    }
    this.#newest(revision);
  }
}

function inodeOf(file: string): string | undefined {
  const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev} ${stat.ino}`;
}

function newestRevision(connection: Connection): string {
  const row = connection.row("SELECT CAST(revision AS TEXT) AS revision FROM meta");
  return String(row?.revision);
}

/** Makes a folder for this user only, with those above it. Node's own `recursive` never ends in a place such as /proc. */
function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!exists(error)) throw error;
  }
}

/** Whether somebody else has made it meanwhile. */
function exists(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

/** Makes an empty file that only its owner may read, unless there is one. SQLite gives `-wal` and `-shm` the same rights. */
function createPrivately(file: string): void {
  try {
    // Only ever a file that is new: to open and close one that SQLite has open drops SQLite's locks on it (POSIX advisory locks
    // belong to the process, https://sqlite.org/howtocorrupt.html, 2.2).
    fs.closeSync(fs.openSync(file, "ax", 0o600));
  } catch (error) {
    if (!exists(error)) throw error;
  }
}
