/** The background renewer of `acquire`, in a process of its own: renews until it is told to stop, and says how it goes. */
import process from "node:process";
import { detectCi } from "../ci/detect.ts";
import { readEnvironment } from "../host/environment.ts";
import { processAlive } from "../host/processes.ts";
import { readRenewerInput, signalReady } from "../host/renewer.ts";
import { changeState, isStopped } from "../host/state.ts";
import type { LockState } from "../host/state.ts";
import type { State } from "../lock/driver.ts";
import { runLock, SYSTEM_CLOCK } from "../lock/lock.ts";
import type { LockClient } from "../lock/lock.ts";
import { openStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { Exit } from "./errors.ts";
import { Logger } from "./log.ts";
import type { AcquireOptions } from "./options.ts";
import { openOutput } from "./output.ts";
import { LOOK_MS, noteOfEnd, renewing, whyToStop } from "./renewing.ts";
import { configFor, tellBy } from "./take.ts";
import { VERSION } from "./version.ts";

/** What `acquire` tells its renewer. Secrets come apart from it. */
export interface RenewerJob {
  /** What it renews, acquired a moment ago. */
  readonly grant: string;
  /** The job's state folder. */
  readonly folder: string;
  /** When the process of `--watch-pid` started, to tell it from a later one with its pid. */
  readonly watchStarted: string | null;
  /** Those of the `acquire` that started it. */
  readonly options: Omit<AcquireOptions, "kubeconfigData">;
}

/** Resolves with the exit code, when there is nothing to renew any more. */
export async function renewerMain(_args: readonly string[]): Promise<number> {
  const input = await readRenewerInput();
  // Written by the same program a moment ago; nobody else can start this mode with a pipe to it.
  const job = input.job as RenewerJob;
  const options: AcquireOptions = { ...job.options, kubeconfigData: input.secrets || null };
  const log = new Logger(openOutput(2), { format: "text", level: "info", colour: "off" });
  const env = readEnvironment();
  const context: Context = {
    env,
    ci: detectCi(env),
    log,
    stdout() {},
    stdinIsTerminal: false,
    stderrIsTerminal: false,
    wall: () => new Date(),
    monotonicMs: () => performance.now(),
    version: VERSION,
  };
  // A cancelled step or a closed terminal is not the end of the job: the job's end is.
  for (const name of ["SIGINT", "SIGHUP"] as const) process.on(name, () => {});
  const { stores } = await openStores(options, context);
  const store = stores.open(options.target.object, options.target.lock);
  signalReady();
  const diary = new Diary(job);
  const manner = renewing(job.grant);
  const config = configFor({ ...options, timeoutMs: manner.timeoutMs }, manner);
  const client: LockClient = runLock(config, store, SYSTEM_CLOCK, {
    tell(level, text) {
      tellBy(log)(level, text);
      if (level === "warn") diary.warn(text);
    },
    changed: (state) => diary.follow(state),
    startWork() {},
    stopWork() {},
  });
  const timer = setInterval(() => {
    if (stopReason(job) !== null) client.send({ kind: "hand_over" });
  }, LOOK_MS);
  const end = await client.over;
  clearInterval(timer);
  stores.close();
  const why = stopReason(job);
  log.info(why ?? `ended: ${end.result?.kind ?? "nothing"}`);
  if (why === null) diary.end(end);
  else diary.warn(`it is not renewed any more: ${why}`);
  return Exit.done;
}

function stopReason({ folder, grant, options: { watchPid: pid }, watchStarted }: RenewerJob) {
  return whyToStop({
    stopped: isStopped(folder, grant),
    watched: pid === null ? null : { pid, alive: processAlive(pid, watchStarted) },
  });
}

/** Keeps the state file true, for `verify` and `release`. */
class Diary {
  #ackedAt = -1;
  #warned = "";

  constructor(readonly job: RenewerJob) {}

  /** A renewal was acknowledged: writes when. */
  follow({ hold }: State): void {
    if (hold === null || hold.pending !== null || hold.ackedAt === this.#ackedAt) return;
    const first = this.#ackedAt < 0;
    this.#ackedAt = hold.ackedAt;
    if (!first) this.note({ last_renewed_at: new Date().toISOString() });
  }

  /** The renewing is over although nobody stopped it. */
  end({ result }: State): void {
    const note = noteOfEnd(result);
    if (note !== null) this.note(note);
  }

  /** Keeps the last two warnings: that there was a gap, and that it is over. */
  warn(text: string): void {
    const both = this.#warned === "" ? text : `${this.#warned}; ${text}`;
    this.#warned = text;
    this.note({ last_error: both });
  }

  note(change: Partial<LockState>): void {
    try {
      changeState(this.job.folder, this.job.grant, change);
    } catch {
      // The lock matters more than what is said of it.
    }
  }
}
