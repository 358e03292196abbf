/** One server of the cluster as a child process: started, paused, ended and awaited by its process id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";

/** How long a server may take to stand still, in milliseconds. */
const STOPPED_MS = 5000;

/** How long a started server lives. */
export type Life =
  /** It is killed when this process ends, however that ends. */
  | "with us"
  /** It stays when this process ends, until somebody kills it by its id. */
  | "on its own";

/** What to start. */
export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its output is appended to this file. */
  readonly log: string;
  readonly life: Life;
  /** Its working folder. With a life that ends "with us", it is removed if we are killed. */
  readonly folder: string;
}

/** A running (or paused, or ended) server. */
export class ServerProcess {
  readonly #program: Program;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #watchdog: Watchdog | undefined;

  private constructor(program: Program, child: ChildProcess) {
    this.#program = program;
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("exit", () => {
        this.#hasEnded = true;
        resolve();
      });
    });
  }

  /** Starts it. Throws if the program cannot be executed. */
  static async start(program: Program): Promise<ServerProcess> {
    const log = openSync(program.log, "a");
    // A group of its own: Ctrl-C at a terminal reaches only us, so that tests can end in order.
    const child = spawn(program.command, program.args, {
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    await once(child, "spawn");
    const server = new ServerProcess(program, child);
    if (program.life === "with us") server.#watchdog = new Watchdog(server.pid, program.folder);
    else child.unref();
    return server;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Whether it has ended by now. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Stops it from running without ending it (SIGSTOP): its connections stay open and silent. */
  pause(): void {
    this.signal("SIGSTOP");
    // The signal is sent, not yet taken: a thread that runs may still answer somebody.
    for (const end = performance.now() + STOPPED_MS; !this.#isStopped();) {
      if (performance.now() > end) throw new Error(`${this.#program.name} does not stop`);
    }
  }

  /** Whether all of its threads stand still, by `/proc`; true where there is none. */
  #isStopped(): boolean {
    const tasks = `/proc/${this.pid}/task`;
    if (this.#hasEnded || !existsSync(tasks)) return true;
    return readdirSync(tasks).every((task) => {
      try {
        return /^State:\s+[TtZX]/m.test(readFileSync(`${tasks}/${task}/status`, "latin1"));
      } catch {
        // A thread that is gone runs nothing.
        return true;
      }
    });
  }

  /** Lets it go on after {@link pause}. */
  resume(): void {
    this.signal("SIGCONT");
  }

  /** Ends it with this signal and returns when it has ended. Nothing happens if it had. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.signal(signal);
    // One that is paused would never come to handle a SIGTERM.
    if (signal === "SIGTERM") this.signal("SIGCONT");
    await this.#ended;
    const watchdog = this.#watchdog;
    this.#watchdog = undefined;
    await watchdog?.end();
  }

  /** Waits until `isReady` says so. Throws, with the end of its log, if it ends before or takes `withinMs`. */
  async ready(isReady: () => Promise<boolean>, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!await isReady().catch(() => false)) {
      if (this.#hasEnded) throw await this.#failure("ended at its start");
      if (performance.now() > deadline) throw await this.#failure(`not ready in ${withinMs} ms`);
      // Servers do not say when they are ready: asking again is the only way.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends it a signal, unless it has ended. */
  signal(signal: NodeJS.Signals): void {
    // By process id: under Deno 2.9.6 a ChildProcess that was sent SIGSTOP takes itself for ended.
    if (!this.#hasEnded) process.kill(this.pid, signal);
  }

  async #failure(what: string): Promise<Error> {
    const log = await readFile(this.#program.log, "utf8").catch(() => "");
    return new Error(
      `${this.#program.name} ${what}:\n${log.trimEnd().split("\n").slice(-15).join("\n")}`,
    );
  }
}

/**
 * A shell that kills a process and removes its folder when our end of its stdin closes, which the kernel
 * does even if we are killed. Told by a line that all is done, it ends without either; that is when the
 * process has ended, so that the id cannot be another's by then.
 */
class Watchdog {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(pid: number, folder: string) {
    const script = 'read -r _ || { kill -9 "$0"; rm -rf "$1"; }';
    this.#child = spawn("sh", ["-c", script, String(pid), folder], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#ended = once(this.#child, "exit");
    this.#child.unref();
  }

  async end(): Promise<void> {
    this.#child.ref(); // while its end is awaited it may well keep us running
    this.#child.stdin?.end("done\n");
    await this.#ended;
  }
}

/**
 * Ends a server that another process started (see {@link Life}) and returns when it has ended.
 *
 * @param mark a part of its command line; a process with this id but without it is somebody else's by now
 * and is left alone.
 */
export async function endById(pid: number, mark: string): Promise<void> {
  while ((await commandLine(pid)).includes(mark)) {
    process.kill(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 20)); // not our child: there is no event to await
  }
}

/** Empty where there is no such process, and for one that has ended but was not yet waited for. */
async function commandLine(pid: number): Promise<string> {
  const ps = spawn("ps", ["-o", "args=", "-p", String(pid)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  ps.stdout.on("data", (chunk) => text += chunk);
  await once(ps, "close");
  return text;
}
