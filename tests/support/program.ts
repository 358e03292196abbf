/** The program as a process of its own, as users start it: what it says, when it ends, and everything gone afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { programLine } from "./started.ts";

/** Nothing that is waited for takes longer than this, unless the program is broken; in milliseconds. */
const LIMIT_MS = 120_000;

/** How it is started. */
export interface Start {
  /** All of its environment besides PATH and what the runtime needs. */
  readonly env?: Readonly<Record<string, string>>;
  /** A descriptor instead of the pipe that is read here; `closed`: a pipe whose reader has gone. */
  readonly stdout?: number | "closed";
  readonly stderr?: number | "closed";
}

/** How it ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running (or stopped, or ended) program. Disposing of it kills it and, by its lifeline, its command. */
export class Program implements AsyncDisposable {
  /** Resolves when it has ended and nobody has its outputs open any more: its command included. */
  readonly closed: Promise<Ended>;
  /** Resolves when it has ended itself. */
  readonly exited: Promise<number>;
  readonly args: readonly string[];
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<() => void>();
  #stdout = "";
  #over = false;

  constructor(args: readonly string[], { env = {}, stdout, stderr }: Start = {}) {
    this.args = args;
    const [command = "", ...before] = programLine();
    this.#child = spawn(command, [...before, ...args], {
      stdio: [
        "ignore",
        typeof stdout === "number" ? stdout : "pipe",
        typeof stderr === "number" ? stderr : "pipe",
      ],
      env: { ...runtimeEnvironment(), ...env },
    });
    if (stdout === "closed") this.#child.stdout?.destroy();
    if (stderr === "closed") this.#child.stderr?.destroy();
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    if (this.#child.stderr && stderr !== "closed") {
      createInterface({ input: this.#child.stderr }).on("line", (line) => {
        this.#lines.push(line);
        this.#changed();
      });
    }
    this.exited = new Promise((resolve) =>
      this.#child.once("exit", (code, signal) => {
        this.#over = true;
        this.#changed();
        resolve(code ?? (signal === null ? -1 : -2));
      })
    );
    this.closed = new Promise((resolve) =>
      this.#child.once("close", (code, signal) => {
        this.#over = true;
        this.#changed();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.stderr });
      })
    );
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** What it has said so far. */
  get stderr(): string {
    return this.#lines.join("\n");
  }

  /** Resolves with the first line of stderr that has `part` in it; rejects if it ends without one. */
  line(part: string): Promise<string> {
    return this.#until(
      `a line with "${part}"`,
      () => this.#lines.find((one) => one.includes(part)),
    );
  }

  /** Resolves once its stdout (and so its command's) has `part` in it; rejects if it ends without. */
  async output(part: string): Promise<void> {
    await this.#until(`"${part}" on stdout`, () => this.#stdout.includes(part) || undefined);
  }

  /** Resolves when it has ended, with its exit code; rejects where that takes too long. */
  end(): Promise<Ended> {
    return within(this.closed, () => `the end of ${this.#name()}`);
  }

  /** By process id: under Deno a ChildProcess that was sent SIGSTOP takes itself for ended. */
  kill(signal: NodeJS.Signals): void {
    if (!this.#over) process.kill(this.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await within(this.closed, () => `the end of the command of ${this.#name()}`);
  }

  #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const found = new Promise<T>((resolve, reject) => {
      const check = () => {
        const seen = look();
        if (seen === undefined && !this.#over) return;
        this.#listeners.delete(check);
        if (seen !== undefined) resolve(seen);
        else reject(new Error(`it ended without ${what}: ${this.#name()}`));
      };
      this.#listeners.add(check);
      check();
    });
    return within(found, () => `${what} of ${this.#name()}`);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #name(): string {
    return `k8s-lock ${
      this.args.join(" ")
    }\n--- its stdout\n${this.#stdout}--- its stderr\n${this.stderr}`;
  }
}

/** Runs the program to its end. */
export async function runToEnd(args: readonly string[], start: Start = {}): Promise<Ended> {
  await using program = new Program(args, start);
  return await program.end();
}

/** `promise`; rejects when it takes longer than anything in these tests may. */
export async function within<T>(
  promise: Promise<T>,
  what: () => string,
  limitMs = LIMIT_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${limitMs / 1000} s: ${what()}`)),
      limitMs,
    );
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** No variable of a CI, of a cluster or of the lock: those are each test's own. */
function runtimeEnvironment(): Record<string, string> {
  const { PATH = "", HOME = "", DENO_DIR = `${HOME}/.cache/deno` } = process.env;
  return { PATH, DENO_DIR, DENO_NO_UPDATE_CHECK: "1" };
}
