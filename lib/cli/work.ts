/** The command under `run` with its lifeline, from the driver's orders to processes. */
import { commandEnvironment, CommandError, startCommand } from "../host/command.ts";
import type { RunningCommand } from "../host/command.ts";
import { lifelineSupported, startLifeline } from "../host/lifeline.ts";
import type { Lifeline, LifelineDeath } from "../host/lifeline.ts";
import { ownTerminal } from "../host/terminal.ts";
import type { State } from "../lock/driver.ts";
import { PART } from "../lock/hold.ts";
import type { Context } from "./context.ts";
import type { RunOptions } from "./options.ts";

/** How long it may take until all of a command that is killed is reaped, in milliseconds. */
const REAP_MS = 30_000;
/** A group that is not gone so soon after its command is spoken of, in milliseconds. */
const LINGERS_MS = 1000;
/** A shell says 128 + N of what signal N ended; there are 64 of them. */
const BY_SIGNAL = { first: 129, last: 192 };
/** How long the command has between TERM and KILL when it is not guarded any more. */
const UNGUARDED_GRACE_MS = 1000;

/** What to run. */
export interface WorkOptions {
  /** The program's path. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
  /** Those of `run`. */
  readonly options: RunOptions;
  /** Its `env` is handed on to the command, with the lock's variables. */
  readonly context: Context;
  /** How long it may take until all of a killed command is reaped, in milliseconds; default 30 s. */
  readonly reapMs?: number;
}

/** One command, started once. */
export class Work {
  /** The command's exit code, once it has ended. */
  exitCode: number | null = null;
  /** The command could not be started. */
  failure: CommandError | null = null;
  /** Why the command ran without a lifeline, if it did: then the lock counts as lost. */
  unguarded: string | null = null;
  /** Something of the command still runs that cannot be stopped, such as another user's process. */
  unreaped = false;
  readonly #asked: WorkOptions;
  #lifeline: { readonly grant: string; readonly up: Promise<Lifeline>; giveUp(): void } | null =
    null;
  #lettingGo: Promise<"let go" | "killed"> = Promise.resolve("let go");
  #guard: Lifeline | null = null;
  #running: RunningCommand | null = null;
  #stopping: "term" | "kill" | null = null;
  #signalled: NodeJS.Signals | null = null;
  #toldAckedAt = -1;
  #guardedAt: number | null = null;
  #begun = false;
  /** Aborted when what was killed has had its time to be gone. */
  readonly #patience = new AbortController();

  /** Starts nothing yet. */
  constructor(asked: WorkOptions) {
    this.#asked = asked;
  }

  /**
   * Begins the lifeline while the lock is looked at: it takes as long to start as finding the lock free does, and the command does not
   * start without it.
   */
  expect(grant: string): void {
    if (lifelineSupported()) this.#begin(grant);
  }

  /** Called after each step of the driver: keeps the lifeline ready, and tells it how long the work may go on. */
  follow(state: State): void {
    const { options } = this.#asked;
    if (options.onLost === "warn" && !lifelineSupported()) return;
    if (state.phase === "waiting") {
      // Those far back do not pay for a process that they will not need for long.
      if (state.position > 1) void this.letGo();
      else if (state.ticket !== null) this.#begin(state.grant);
    }
    const hold = state.hold;
    if (hold === null || hold.ackedAt === this.#toldAckedAt || hold.gone) return;
    // The lifeline kills when the driver would: one moment, written down once.
    this.#guardedAt = hold.ackedAt + options.ttlMs * PART.kill;
    this.#toldAckedAt = hold.ackedAt;
    this.#tellTime(state.now);
  }

  #tellTime(now: number): void {
    if (this.#guardedAt === null || this.#asked.options.onLost === "warn") return;
    this.#guard?.aliveFor(Math.max(0, this.#guardedAt - now));
  }

  #begin(grant: string): void {
    if (this.#lifeline?.grant === grant) return;
    void this.letGo();
    const unwanted = new AbortController();
    const up = startLifeline({
      grants: [grant],
      onDeath: (death) => this.#bereft(death),
      unwanted: unwanted.signal,
    });
    // Whoever needs it looks at how it went.
    up.catch(() => {});
    this.#lifeline = { grant, up, giveUp: () => unwanted.abort() };
  }

  #bereft(death: LifelineDeath): void {
    const { log } = this.#asked.context;
    if (death === "replaced") return log.warn("the lifeline died; another one guards the command");
    if (death === "killed") {
      log.error("the lifeline killed the command: no renewal was heard of in time");
      // A command that this process, stopped for so long, has just begun to start is none that the lifeline found.
      return this.stop("kill");
    }
    this.#loseGuard("the lifeline died and no other could be started");
  }

  #loseGuard(why: string): void {
    if (this.#asked.options.onLost === "warn") {
      this.#asked.context.log.warn(`${why}; the command goes on without one (--on-lost warn)`);
      return;
    }
    this.unguarded =
      `${why}: a lock whose holder cannot be stopped counts as lost, so the command was stopped`;
    this.stop("term");
    setTimeout(() => this.stop("kill"), UNGUARDED_GRACE_MS).unref();
  }

  /** Starts the command. Resolves when it has ended and, where it was stopped, all of it is reaped. */
  async start(state: State): Promise<void> {
    const { command, args, options, context } = this.#asked;
    this.#begun = true;
    try {
      if (lifelineSupported()) {
        this.#begin(state.grant);
        this.#guard = await this.#lifeline?.up ?? null;
        this.#tellTime(performance.now());
      }
    } catch (error) {
      this.#loseGuard(error instanceof Error ? error.message : String(error));
      if (this.unguarded !== null) return;
    }
    // A stop or a signal may have come while the lifeline began, or all the time may have gone by.
    if (this.#stopping !== null || this.#signalled !== null) return;
    if (this.#guardedAt !== null && performance.now() >= this.#guardedAt) return;
    const env = commandEnvironment(context.env, {
      K8S_LOCK_NAME: options.target.lock,
      K8S_LOCK_GRANT: state.grant,
      K8S_LOCK_TOKEN: String(state.hold?.token ?? 0),
      K8S_LOCK_SLOT: String(state.hold?.slot ?? 0),
      K8S_LOCK_SLOT_NAME: "",
    });
    try {
      this.#running = await startCommand({ command, args, env, terminal: ownTerminal() });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.failure = error;
      return;
    }
    this.#guard?.guard(this.#running.pid);
    if (this.#stopping === "kill") void this.#running.killAll();
    else if (this.#stopping === "term") this.#running.signal("SIGTERM");
    else if (this.#signalled !== null) this.#running.signal(this.#signalled);
    this.exitCode = (await this.#running.ended).exitCode;
    // What a command leaves running when it ends by itself is its own affair. What a signal ended did not end by itself.
    const { first, last } = BY_SIGNAL;
    const signalled = this.#signalled !== null || (this.exitCode >= first && this.exitCode <= last);
    if (signalled && this.#stopping === null) await this.#restGone(this.#running);
    // Past its time the lifeline may have killed the command, and be about to kill the rest of it.
    const late = this.#guardedAt !== null && performance.now() >= this.#guardedAt;
    if (late && this.#stopping === null && await this.letGo() === "killed") this.stop("kill");
    // Only what is reaped counts as stopped.
    if (this.#stopping !== null) await this.#reap();
    // Nothing is left to guard: it ends beside the requests that give the lock back.
    void this.letGo();
  }

  /**
   * What of it still ends in good order is at work, and holds the lock: the process group, which got the signal, too; and where that was passed
   * on by us all the rest, which gets it now. What was left running before a command was ended by others may be meant to stay.
   */
  async #restGone(running: RunningCommand): Promise<void> {
    const lingers = setTimeout(
      () =>
        this.#asked.context.log.info(
          `the command was ended by a signal, but something of it (process group ${running.pid}) still runs: the lock is held until that has ended`,
        ),
      LINGERS_MS,
    );
    try {
      const { signal } = this.#patience;
      await (this.#signalled === null
        ? running.groupGone(signal)
        : running.restGone(this.#signalled, signal));
    } catch {
      // It was to be killed in the meantime, and could not: so says the reaping.
    } finally {
      clearTimeout(lingers);
    }
  }

  /** One that was only told to stop has until it is killed: the driver says when. */
  async #reap(): Promise<void> {
    try {
      await this.#running?.gone(this.#patience.signal);
    } catch {
      this.unreaped = true;
    }
  }

  /** TERM, or KILL to all of it. */
  stop(how: "term" | "kill"): void {
    this.#stopping = how;
    if (how === "term") {
      this.#running?.signal("SIGTERM");
      return;
    }
    void this.#running?.killAll();
    setTimeout(() => this.#patience.abort(), this.#asked.reapMs ?? REAP_MS).unref();
  }

  /** Passes a signal on. @returns false when there is no command to get it */
  signal(name: NodeJS.Signals): boolean {
    // From when it is to be started, which waits for the lifeline: one that has been told to end does not begin.
    if (!this.#begun) return false;
    this.#signalled = name;
    this.#running?.signal(name);
    return true;
  }

  /** Lets the lifeline go. @returns `killed` when it had to kill the command */
  letGo(): Promise<"let go" | "killed"> {
    const lifeline = this.#lifeline;
    this.#lifeline = null;
    if (lifeline !== null) this.#lettingGo = end(lifeline);
    return this.#lettingGo;
  }
}

async function end(
  { up, giveUp }: { readonly up: Promise<Lifeline>; giveUp(): void },
): Promise<"let go" | "killed"> {
  giveUp();
  try {
    return await (await up).done();
  } catch {
    // It never came up.
    return "let go";
  }
}
