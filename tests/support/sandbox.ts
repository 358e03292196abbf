/** The program as its users start it: processes over a store of their own, in an environment of their own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { allProcesses, environmentOf, processStatus } from "../../lib/host/processes.ts";
import { parseRecord, parseTicket } from "../../lib/lock/record.ts";
import type { LockRecord, Ticket } from "../../lib/lock/record.ts";
import type { LockStore, LockStores } from "../../lib/lock/store.ts";
import { sqliteStores } from "../../lib/store/sqlite_store.ts";
import { follow } from "./follow_record.ts";
import { programLine } from "./started.ts";
import { atTerminalLine } from "./terminal.ts";

/** How long anything may take before a test gives up: no promise of ours, only the end of a hanging test. */
const GIVE_UP_MS = 30_000;
/** How often is looked for what no event tells. */
const LOOK_MS = 15;

/** What a process left. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process is started with beside its arguments. */
export interface Start {
  /** Variables beside the sandbox's own; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Another program that starts ours: `setsid`, `bash -c …`. */
  readonly by?: readonly string[];
  readonly cwd?: string;
}

/** A process of the program under way. */
export class Program {
  #stdout = "";
  #stderr = "";
  readonly #waiting = new Set<() => void>();
  /** Resolves when it has ended and nobody has its outputs open any more. */
  readonly ended: Promise<Ended>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding("utf8").on("data", (part) => {
      this.#stdout += part;
      this.#wake();
    });
    child.stderr?.setEncoding("utf8").on("data", (part) => {
      this.#stderr += part;
      this.#wake();
    });
    child.stdin?.on("error", () => {});
    const closed = new Promise<Ended>((resolve) => {
      child.on("close", (code, signal) => {
        const { stdout, stderr } = this;
        resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 128), stdout, stderr });
        this.#wake();
      });
    });
    this.ended = within(() => `its end, after ${this.stderr}`, closed);
    this.ended.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }
  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves once it has said this, on either output. */
  async says(what: string | RegExp): Promise<void> {
    const said = () => {
      const text = this.#stdout + this.#stderr;
      return typeof what === "string" ? text.includes(what) : what.test(text);
    };
    while (!said()) {
      const news = new Promise<void>((wake) => this.#waiting.add(wake));
      if (this.child.exitCode !== null && !said()) {
        await this.ended;
        if (!said()) throw new Error(`it never said ${what}, but: ${this.stdout}${this.stderr}`);
      } else await within(() => `${what} after ${this.#stderr}`, news);
    }
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** A folder with a database, and the processes that were started with it. Disposing of it ends them all. */
export class Sandbox implements AsyncDisposable {
  readonly #mark = randomUUID();
  readonly #stores: LockStores;

  private constructor(readonly folder: string, readonly env: Readonly<Record<string, string>>) {
    this.#stores = sqliteStores(this.database, { requestTimeoutMs: 5000 });
  }

  static async create(env: Readonly<Record<string, string>> = {}): Promise<Sandbox> {
    return new Sandbox(await mkdtemp(join(tmpdir(), "k8s-lock-test-")), env);
  }

  get database(): string {
    return join(this.folder, "locks.db");
  }
  get stateFolder(): string {
    return join(this.folder, "state");
  }

  /** The environment of every process of this sandbox. */
  environment(more: Start["env"] = {}): Record<string, string> {
    const all = {
      PATH: process.env["PATH"],
      HOME: this.folder,
      // The runtime's own folder is the tests', not the home's.
      DENO_DIR: process.env["DENO_DIR"] ?? `${process.env["HOME"]}/.cache/deno`,
      NO_COLOR: "1",
      TEST_SANDBOX: this.#mark,
      K8S_LOCK_STORE: "local",
      K8S_LOCK_LOCAL_PATH: this.database,
      K8S_LOCK_STATE_DIR: this.stateFolder,
      ...this.env,
      ...more,
    };
    return Object.fromEntries(
      Object.entries(all).filter((one): one is [string, string] => one[1] !== undefined),
    );
  }

  /** The command line that starts the program. */
  line(...args: readonly string[]): string[] {
    return [...programLine(), ...args];
  }

  /** Starts the program. */
  start(args: readonly string[], { env, by = [], cwd }: Start = {}): Program {
    const [command = "", ...rest] = [...by, ...this.line(...args)];
    return new Program(
      spawn(command, rest, { env: this.environment(env), ...(cwd === undefined ? {} : { cwd }) }),
    );
  }

  /** Starts the program at a terminal of its own. */
  startAtTerminal(args: readonly string[], { env }: Pick<Start, "env"> = {}): Program {
    const [command = "", ...rest] = atTerminalLine(this.line(...args));
    return new Program(spawn(command, rest, { env: this.environment(env) }));
  }

  /** Runs the program to its end, with nothing on its standard input. */
  run(args: readonly string[], start: Start = {}): Promise<Ended> {
    const program = this.start(args, start);
    program.child.stdin?.end();
    return program.ended;
  }

  /** What the program printed as JSON; throws when it failed. */
  async json<T>(args: readonly string[], start: Start = {}): Promise<T> {
    const { code, stdout, stderr } = await this.run(args, start);
    if (code !== 0) throw new Error(`${args.join(" ")}: exit ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** The lock's store, read and watched by this process. */
  store(lock: string): LockStore {
    return this.#stores.open(`k8s-lock-${lock}`, lock);
  }

  /** The first record for which `wanted` is true, by the store's own watch. */
  async until(lock: string, wanted: (record: LockRecord) => boolean): Promise<LockRecord> {
    const store = this.store(lock);
    using followed = follow(store, (await store.readRecord())?.revision ?? "");
    const now = await store.readRecord();
    if (now !== null && wanted(parseRecord(now.text))) return parseRecord(now.text);
    const found = followed.record((stored) => wanted(parseRecord(stored.text)));
    const last = () => JSON.stringify(followed.records.at(-1)?.text ?? now?.text ?? null);
    return parseRecord((await within(() => `a record, after ${last()}`, found)).text);
  }

  async record(lock: string): Promise<LockRecord | null> {
    const stored = await this.store(lock).readRecord();
    return stored === null ? null : parseRecord(stored.text);
  }

  /** Changes the record as a person might by hand. */
  async edit(lock: string, change: (text: string) => string): Promise<void> {
    const store = this.store(lock);
    const stored = await store.readRecord();
    if (stored !== null) await store.replaceRecord(stored, change(stored.text));
  }

  async tickets(lock: string): Promise<Ticket[]> {
    return (await this.store(lock).listTickets()).map(({ text }) => parseTicket(text));
  }

  /** Resolves once so many wait. */
  async waiters(lock: string, count: number): Promise<Ticket[]> {
    await eventually(`${count} waiters`, async () => (await this.tickets(lock)).length === count);
    return await this.tickets(lock);
  }

  /** The pids of this sandbox's processes whose arguments have this word. */
  processes(word: string): number[] {
    return allProcesses().filter((pid) =>
      pid !== process.pid && environmentOf(pid).includes(`TEST_SANDBOX=${this.#mark}`) &&
      processStatus(pid)?.zombie === false && argumentsOf(pid).includes(word)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stores.close();
    await eventually("the end of all processes", () => {
      const left = this.processes("");
      for (const pid of left) kill(pid, "SIGKILL");
      return left.length === 0;
    });
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The arguments that a process was started with, with spaces between them. Empty when it is gone. */
export function argumentsOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Sends a signal; one that is gone is passed over. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  // It would be the group of the tests themselves.
  if (pid === 0) throw new Error(`there is no process to send ${signal} to`);
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Resolves when `is` is true: for what sends no event. */
export async function eventually(
  what: string,
  is: () => boolean | Promise<boolean>,
): Promise<void> {
  const until = performance.now() + GIVE_UP_MS;
  while (!await is()) {
    if (performance.now() > until) throw new Error(`waited ${GIVE_UP_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function within<T>(what: () => string, event: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${GIVE_UP_MS / 1000} s for ${what()}`)),
      GIVE_UP_MS,
    );
  });
  try {
    return await Promise.race([event, late]);
  } finally {
    clearTimeout(timer);
  }
}
