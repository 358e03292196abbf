/** Helpers of the tests of the SQLite store. */
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";

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

/** What SQLite finds wrong with the file: `ok`, if nothing. */
export function integrity(path: string): string {
  return byHand(path, (database) => {
    const rows = database.prepare("PRAGMA integrity_check").all();
    return rows.map((row) => String(row.integrity_check)).join("; ");
  });
}

/** The file whose modes `sqlite_child.ts` explains. */
export const CHILD = fileURLToPath(new URL("sqlite_child.ts", import.meta.url));

/** The command that runs {@link CHILD} on the Deno that runs the tests. */
export const DENO = [Deno.execPath(), "run", "--allow-all", "--no-config", CHILD];

/** A process under test. */
export interface Child extends AsyncDisposable {
  /** The next line that it says, or null once it has ended. */
  line(): Promise<string | null>;
  /** SIGKILL. */
  kill(): void;
  /** How it ended, with all that it wrote to stderr. */
  ended(): Promise<{ readonly success: boolean; readonly stderr: string }>;
}

/** Starts `command` with `args` added. */
export function start(command: readonly string[], args: readonly string[]): Child {
  const [program = "", ...first] = command;
  const child = new Deno.Command(program, {
    args: [...first, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // Colours would be part of stderr.
    env: { NO_COLOR: "1" },
  }).spawn();
  const lines = linesOf(child.stdout);
  const stderr = new Response(child.stderr).text();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  return {
    async line() {
      const { value, done } = await lines.next();
      return done ? null : value;
    },
    kill,
    ended: async () => ({ success: (await child.status).success, stderr: await stderr }),
    async [Symbol.asyncDispose]() {
      kill();
      await Promise.all([child.status, stderr, lines.return(undefined)]);
    },
  };
}

async function* linesOf(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const [...lines] = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
