/** One job of a soak: a real process of the program, what is done to it, and how it may end. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { allProcesses, environmentOf, processStatus } from "../../lib/host/processes.ts";
import type { WallClock } from "../support/faketime.ts";
import { type Ended, Program } from "../support/program.ts";
import type { Chance } from "../sim/random.ts";
import { type Journal, type Manner, workCommand } from "./journal.ts";

/** What happens to a job beside all that happens to the network, and how often (as a weight). */
export const FATES = {
  "run: left alone": 40,
  "run: killed at any time": 7,
  "run: killed while it works": 7,
  "run: stopped for a while at any time": 5,
  "run: stopped for a while while it works": 5,
  "run: ended by a signal at any time": 6,
  "run: ended by a signal while it works": 4,
  "run: its lifeline killed while it works": 4,
  "run: gives up after some seconds": 5,
  "run: tries once": 3,
  "acquire: left alone": 10,
  "acquire: its machine dies at any time": 4,
  "acquire: its renewer dies": 3,
  "acquire: ended by a signal at any time": 3,
} as const;

/** A key of {@link FATES}. */
export type Fate = keyof typeof FATES;

/** What a job lives in. */
export interface Place {
  readonly chance: Chance;
  readonly journal: Journal;
  /** The lock's TTL, in seconds. */
  readonly ttlSeconds: number;
  /** A folder for this job alone; removed by it. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** Null: the machine's. */
  readonly clock: WallClock | null;
}

/** What became of a job. */
export interface Report {
  readonly fate: Fate;
  /** Until its work began, in milliseconds; null where it never did. */
  readonly waitedMs: number | null;
  /** Its exit code, or the signal that killed it. */
  readonly end: string;
  /** It said that its hold was lost: what its work did from then on is its own. */
  readonly toldLost: boolean;
  readonly violations: readonly string[];
}

/** So long after its start at the latest nothing is done to a job any more, in milliseconds. */
const LATEST_MS = 20_000;

const RUN_VARIABLES = { grant: "K8S_LOCK_GRANT", token: "K8S_LOCK_TOKEN" };
// Not the lock's own names: a lifeline would take these steps for work of a `run`.
const STEP_VARIABLES = { grant: "SOAK_GRANT", token: "SOAK_TOKEN" };

/** A job that is started at once. Await {@link over}. */
export class Job {
  readonly over: Promise<Report>;
  readonly startedAt = performance.now();
  readonly #violations: string[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #waitedMs: number | null = null;
  #gone = false;

  constructor(readonly name: string, readonly fate: Fate, readonly place: Place) {
    place.journal.onBegin(name, () => {
      this.#waitedMs = performance.now() - this.startedAt;
      this.#begun();
    });
    this.over = (fate.startsWith("run") ? this.#run() : this.#acquire())
      .catch((error) => `the soak itself: ${error}`)
      .then(async (end) => {
        this.#gone = true;
        for (const timer of this.#timers) clearTimeout(timer);
        await killAllOf(place.folder);
        await place.clock?.[Symbol.asyncDispose]();
        await rm(place.folder, { recursive: true, force: true });
        return this.#report(end);
      });
  }

  /** What it says now, for a report that it was forgotten. */
  get words(): string {
    return this.#program?.stderr ?? "";
  }

  /** Ends all of it, in bad order. */
  async destroy(): Promise<void> {
    await killAllOf(this.place.folder);
  }

  #program: Program | undefined;
  #toldLost = false;

  /** What is done to it once its work has begun. */
  #begun: () => void = () => {};

  async #run(): Promise<string> {
    const { chance, journal, ttlSeconds } = this.place;
    const manner = mannerOf(chance);
    const limit = this.fate === "run: gives up after some seconds"
      ? ["--timeout", `${1 + chance.below(8)}s`]
      : this.fate === "run: tries once"
      ? ["--timeout", "0"]
      : [];
    const command = workCommand(journal.path, this.name, manner, RUN_VARIABLES);
    const program = await this.#start([
      "run",
      "soak",
      "--ttl",
      `${ttlSeconds}s`,
      ...limit,
      "--",
      ...command,
    ]);
    this.#befall(program, manner);
    const ended = await program.closed;
    this.#judge(ended, this.#allowed(manner.exitCode));
    this.#toldLost = ended.code === 12;
    return endOf(ended);
  }

  /** What may be the exit of `run` or `acquire`; `done` where all went well. */
  #allowed(done: number): (number | NodeJS.Signals)[] {
    // 11: no server was reached in time; 12: no renewal came through in time, or a person broke it.
    const anyway = [done, 11, 12];
    const { fate } = this;
    if (fate.includes("killed") && !fate.includes("lifeline") || fate.includes("machine")) {
      return [...anyway, "SIGKILL"];
    }
    // Killed by the signal itself: it came before the program had begun to listen.
    if (fate.includes("signal")) return [...anyway, 130, 143, "SIGTERM", "SIGINT"];
    if (fate.includes("gives up") || fate.includes("tries")) return [...anyway, 10];
    return anyway;
  }

  #befall(program: Program, { lastsMs }: Manner): void {
    const { chance } = this.place;
    const some = <T>(...all: readonly T[]): T => all[chance.below(all.length)] as T;
    const early = chance.between(0, LATEST_MS);
    const within = chance.between(0, lastsMs);
    // Up to twice the TTL: half of them are passed over, or lose what they hold.
    const pauseMs = chance.between(500, 2000 * this.place.ttlSeconds);
    const signal = some("SIGTERM", "SIGINT");
    const kill = () => program.kill("SIGKILL");
    const stop = () => {
      program.kill("SIGSTOP");
      this.#later(pauseMs, () => program.kill("SIGCONT"));
    };
    const end = () => program.kill(signal);
    const ways: Partial<Record<Fate, () => void>> = {
      "run: killed at any time": () => this.#later(early, kill),
      "run: stopped for a while at any time": () => this.#later(early, stop),
      "run: ended by a signal at any time": () => this.#later(early, end),
      "run: killed while it works": () => this.#begun = () => this.#later(within, kill),
      "run: stopped for a while while it works": () =>
        this.#begun = () => this.#later(within, stop),
      "run: ended by a signal while it works": () => this.#begun = () => this.#later(within, end),
      "run: its lifeline killed while it works": () => {
        this.#begun = () => this.#later(within, () => killLifeline(program.pid));
      },
      "acquire: ended by a signal at any time": () => this.#later(early, end),
    };
    ways[this.fate]?.();
    const { clock } = this.place;
    if (clock !== null) {
      this.#later(early, () => void clock.jump(some(-86_400, -3600, 3600, 86_400)));
    }
  }

  /** acquire, steps, release: as the steps of a job on a CI. */
  async #acquire(): Promise<string> {
    const { chance, journal, ttlSeconds, folder } = this.place;
    const manner: Manner = { ...mannerOf(chance), kind: "plain", exitCode: 0 };
    const died = Promise.withResolvers<string>();
    if (this.fate === "acquire: its machine dies at any time") {
      this.#later(chance.between(0, LATEST_MS), async () => {
        await killAllOf(folder);
        died.resolve("SIGKILL");
      });
    }
    return await Promise.race([died.promise, this.#steps(manner, journal, ttlSeconds, chance)]);
  }

  async #steps(
    manner: Manner,
    journal: Journal,
    ttlSeconds: number,
    chance: Chance,
  ): Promise<string> {
    const { folder } = this.place;
    const program = await this.#start(["acquire", "soak", "--ttl", `${ttlSeconds}s`, "-o", "json"]);
    this.#befall(program, manner);
    const acquired = await program.closed;
    this.#judge(acquired, this.#allowed(0));
    if (acquired.code !== 0) return endOf(acquired);
    const hold = JSON.parse(acquired.stdout) as { readonly grant: string; readonly token: number };
    const variables = { SOAK_GRANT: hold.grant, SOAK_TOKEN: String(hold.token) };
    const [shell = "", ...args] = workCommand(journal.path, this.name, manner, STEP_VARIABLES);
    const steps = spawn(shell, args, {
      stdio: "ignore",
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...variables },
    });
    if (this.fate === "acquire: its renewer dies") {
      this.#later(chance.between(0, manner.lastsMs), () => killRenewer(folder));
    }
    await new Promise((resolve) => steps.once("close", resolve));
    const release = await this.#start(["release", "soak"]);
    const released = await release.closed;
    this.#judge(released, this.#allowed(0));
    this.#toldLost = released.code !== 0;
    return endOf(released);
  }

  async #start(args: readonly string[]): Promise<Program> {
    const { folder, kubeconfig, clock } = this.place;
    await mkdir(join(folder, "state"), { recursive: true, mode: 0o700 });
    const env = {
      // All that is started for this job has it, and is found by it.
      HOME: folder,
      K8S_LOCK_STATE_DIR: join(folder, "state"),
      K8S_LOCK_HOLDER: this.name,
      KUBECONFIG: kubeconfig,
      ...clock?.env,
    };
    return this.#program = new Program(args, { env });
  }

  #judge({ code, signal, stderr }: Ended, allowed: readonly (number | NodeJS.Signals)[]): void {
    const end = signal ?? code ?? "";
    const said = `${this.name} (${this.fate}) ended with ${end}:\n${lastLines(stderr)}`;
    if (!allowed.includes(end as number | NodeJS.Signals)) {
      this.#violations.push(`not one of ${allowed}: ${said}`);
    }
    if (/^\s+at .*:\d+:\d+|Uncaught|panicked at/m.test(stderr)) {
      this.#violations.push(`a stack trace: ${said}`);
    }
    // Once it is in line it waits every outage out, unless its time is over in one.
    const waits = !this.fate.includes("gives up") && stderr.includes("waiting for soak");
    if (code === 11 && this.#waitedMs === null && waits) {
      this.#violations.push(`it did not wait an outage out: ${said}`);
    }
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#gone) act();
    }, ms);
    this.#timers.add(timer);
  }

  #report(end: string): Report {
    if (end.startsWith("the soak itself")) {
      this.#violations.push(`${this.name} (${this.fate}): ${end}`);
    }
    const { fate } = this;
    return {
      fate,
      waitedMs: this.#waitedMs,
      end,
      toldLost: this.#toldLost,
      violations: this.#violations,
    };
  }
}

function mannerOf(chance: Chance): Manner {
  const exitCode = chance.happens(0.05) ? 7 : 0;
  const kind = chance.happens(0.15) ? "deaf" : chance.happens(0.15) ? "forks" : "plain";
  // Some longer than the TTL.
  const lastsMs = chance.happens(0.1) ? chance.between(3000, 9000) : chance.between(100, 1200);
  return { lastsMs, exitCode, kind };
}

function endOf({ code, signal }: Ended): string {
  return signal ?? String(code);
}

function lastLines(text: string): string {
  return text.split("\n").slice(-12).map((line) => `    ${line}`).join("\n");
}

/** The pids of everything that was started with this HOME. */
export function processesOf(folder: string): number[] {
  const mark = `HOME=${folder}\0`;
  return allProcesses().filter((pid) =>
    `${environmentOf(pid)}\0`.includes(mark) && processStatus(pid)?.zombie === false
  );
}

/** Until there is nothing left, as at a machine's death. */
async function killAllOf(folder: string): Promise<void> {
  for (let left = processesOf(folder); left.length > 0; left = processesOf(folder)) {
    for (const pid of left) killQuietly(pid);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function killLifeline(holder: number): void {
  for (const pid of allProcesses()) {
    const arguments_ = readQuietly(`/proc/${pid}/cmdline`).split("\0");
    if (
      processStatus(pid)?.parent === holder && arguments_.some((one) => one.includes("lifeline"))
    ) killQuietly(pid);
  }
}

async function killRenewer(folder: string): Promise<void> {
  for (const path of statesIn(join(folder, "state"))) {
    const state = JSON.parse(await readFile(path, "utf8").catch(() => "{}")) as {
      renewer_pid?: number;
    };
    if (state.renewer_pid && processesOf(folder).includes(state.renewer_pid)) {
      killQuietly(state.renewer_pid);
    }
  }
}

function statesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
