/** Helpers of the tests of the SQLite store. */
import { DatabaseSync } from "node:sqlite";

/** A folder that is deleted when it is disposed of. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = Deno.makeTempDirSync({ prefix: "k8s-lock-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Does something to the database as a person with the `sqlite3` program would. */
export function byHand<T>(path: string, act: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    return act(database);
  } finally {
    database.close();
  }
}
