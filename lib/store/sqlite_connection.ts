/** One connection to an SQLite file, and the module that makes it. */
import process from "node:process";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { StoreError } from "../lock/store.ts";

/** A row as SQLite returned it: all its columns are asked for as text. */
export type Row = Readonly<Record<string, unknown>>;

/** One open connection. Its methods throw what `node:sqlite` throws. */
export class Connection {
  readonly #statements = new Map<string, StatementSync>();

  /** `database` is open; whoever opened it closes it. */
  constructor(readonly database: DatabaseSync, /** Which file is open. */ readonly inode: string) {}

  /** The first row, or undefined. */
  row(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  /** All rows. */
  rows(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  /** Runs one statement that returns nothing. */
  run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  /** What `act` returns, in one transaction; nothing of it is kept when it throws. */
  transaction<T>(kind: "IMMEDIATE" | "EXCLUSIVE", act: () => T): T {
    this.run(`BEGIN ${kind}`);
    try {
      const result = act();
      this.run("COMMIT");
      return result;
    } catch (error) {
      try {
        this.run("ROLLBACK");
      } catch {
        // After some failures (a full disk) SQLite has rolled back already and says that there is nothing to roll back.
      }
      throw error;
    }
  }

  // Prepared, not `exec`: Deno (2.9) leaves the error's code out of what `exec` throws.
  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** `node:sqlite`, loaded when first needed, without Node's warning that it is experimental. */
export function loadSqlite(): typeof import("node:sqlite") {
  const { emitWarning } = process;
  process.emitWarning = (...given: unknown[]) => {
    if (!String(given[0]).startsWith("SQLite is an experimental")) {
      Reflect.apply(emitWarning, process, given);
    }
  };
  try {
    const loaded = process.getBuiltinModule("node:sqlite");
    if (loaded !== undefined) return loaded;
  } finally {
    process.emitWarning = emitWarning;
  }
  throw new StoreError(
    "unusable",
    "local locks need node:sqlite, which this runtime lacks: use Node 22.13 or newer, or Deno.",
  );
}
