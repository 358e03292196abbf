/**
 * The holder's side of the lifeline (`lifeline_main.ts`): a killed or stopped holder must not leave its work
 * running.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { parse } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import { sharedNow } from "./clock.ts";
import { LIFELINE_MODE } from "./lifeline_main.ts";
import { helperEnvironment, selfCommand } from "./self.ts";
import type { SelfCommand } from "./self.ts";

/**
 * What became of a lifeline that did not end in good order.
 *
 * - `replaced`: it died, and another guards the work now. Nothing to do.
 * - `gone`: it died and no other could be started: the work is unguarded, the lock counts as lost.
 * - `killed`: it found this process silent past its time and killed the work.
 */
export type LifelineDeath = "replaced" | "gone" | "killed";

/** What the lifeline guards and whom it tells. */
export interface LifelineOptions {
  /** The grants of the work: the values of `K8S_LOCK_GRANT` that its processes were started with. */
  readonly grants: readonly string[];
  /** Told when the lifeline ended by itself, for each time that it did. */
  readonly onDeath: (death: LifelineDeath) => void;
  /** How the lifeline is started; by default this program in its hidden mode. */
  readonly self?: SelfCommand;
  /** Aborted when it is not wanted any more: one that is not up yet does not come up. One that is up is let go by `done`. */
  readonly unwanted?: AbortSignal;
}

/** A helper that has answered and guards the work. */
export interface Lifeline {
  /** The helper's pid; another one after it was replaced. */
  readonly pid: number;
  /** Tells it the process group of the work. Until then it finds the work by its grants only. */
  guard(group: number): void;
  /**
   * Tells it how long the work may go on from now, in milliseconds. It kills the work then, unless told a new
   * time before. Before the first call it waits for the death of the holder only.
   */
  aliveFor(ms: number): void;
  /**
   * Lets it go: call this once nothing of the work runs. Resolves when it has ended, with `killed` when it had killed the work
   * because this process was silent past its time: then the work did not end by itself. `onDeath` is not called any more.
   */
  done(): Promise<"let go" | "killed">;
}

/** No lifeline came up. `message` is a sentence for people. */
export class LifelineError extends Error {
  /** What kind of error it is. */
  override readonly name = "LifelineError";
}

/** How long a lifeline may take to come up. */
const START_MS = 10_000;
/** How long it may take to answer a line before it counts as dead, and to end when it was let go. */
const ANSWER_MS = 2_000;
/** This many dead lifelines in a minute are not an accident: the work cannot be guarded here. */
const MOST_DEATHS = 5;

/** False where no lifeline can work: on Windows a process cannot be made to own its whole work. */
export function lifelineSupported(platform: string = process.platform): boolean {
  return platform !== "win32";
}

/** One helper process. */
interface Helper {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly pid: number;
  /** What to add to this process's clock to get the helper's; null when both read the same clock. */
  readonly offsetMs: number | null;
  /** The last `until` that it has answered. */
  answered: number;
  /** True once it said that it kills a work whose holder lives. */
  killed: boolean;
  readonly ended: Promise<void>;
}

function spawnHelper(
  { command, args }: SelfCommand,
): ChildProcessByStdio<Writable, Readable, null> {
  return spawn(command, [...args], {
    // A session of its own: what reaches the holder's terminal or process group does not reach it.
    detached: true,
    // None of our own outputs: a step whose output somebody holds open does not end.
    stdio: ["pipe", "pipe", "ignore"],
    cwd: parse(process.execPath).root,
    env: helperEnvironment(process.env),
  });
}

/** Starts a helper and waits for its first line. */
function startHelper(self: SelfCommand, unwanted?: AbortSignal): Promise<Helper> {
  return new Promise((resolve, reject) => {
    const child = spawnHelper(self);
    const fail = (why: string) => {
      clearTimeout(timer);
      unwanted?.removeEventListener("abort", giveUp);
      child.kill("SIGKILL");
      reject(new LifelineError(`the lifeline (${self.command}) did not come up: ${why}`));
    };
    const timer = setTimeout(() => fail(`no answer within ${START_MS / 1000} s`), START_MS);
    const giveUp = () => fail("it is not wanted any more");
    unwanted?.addEventListener("abort", giveUp);
    const ended = new Promise<void>((over) => {
      // Not at its "exit": what it said last may still be in the pipe then.
      child.on("close", (code, signal) => {
        fail(`it ended with ${signal ?? code}`);
        over();
      });
      child.on("error", (error) => {
        fail(error.message);
        over();
      });
    });
    // Writing to a helper that has just died is no error of ours: its end is reported by `ended`.
    child.stdin.on("error", () => {});
    let helper: Helper | null = null;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [word, value] = line.split(" ");
      if (word === "ready" && helper === null) {
        clearTimeout(timer);
        unwanted?.removeEventListener("abort", giveUp);
        // Its clock was read before the line arrived: the offset is too small if anything, never too large.
        const offsetMs = value === "shared" ? null : Number(value) - performance.now();
        helper = { child, pid: child.pid ?? 0, offsetMs, answered: 0, killed: false, ended };
        resolve(helper);
      }
      if (helper === null) return;
      if (word === "ok") helper.answered = Number(value);
      if (word === "killed") helper.killed = true;
    });
  });
}

/**
 * Starts a lifeline and waits until it guards. Begin it before the work; it takes about as long to start as this
 * program.
 *
 * @throws {LifelineError} when it does not come up.
 */
export async function startLifeline(options: LifelineOptions): Promise<Lifeline> {
  const self = options.self ?? selfCommand(LIFELINE_MODE, [options.grants.join(",")]);
  let helper = await startHelper(self, options.unwanted);
  let over = false;
  let group: number | null = null;
  /** When the work must be dead, on the shared clock and on this process's own. */
  let deadline: { readonly shared: number | null; readonly own: number } | null = null;
  let sent = 0;
  const deaths: number[] = [];

  const tell = (line: string) => helper.child.stdin.write(`${line}\n`);

  function tellDeadline(): void {
    if (deadline === null) return;
    const { offsetMs } = helper;
    // Where the shared clock has just become unreadable nothing can be told, and the old time stands.
    const at = offsetMs === null ? deadline.shared : deadline.own + offsetMs;
    if (at === null) return;
    tell(`until ${at} ${++sent}`);
    expectAnswer(helper, sent);
  }

  /**
   * How to start a helper that knows the work and its time from its first moment: this process may be stopped before it can
   * tell them.
   */
  function informed(): SelfCommand {
    const known = [String(group ?? ""), String(deadline?.shared ?? "")];
    return { ...self, args: [...self.args, ...known] };
  }

  /** A stopped lifeline guards nothing: it is as good as dead. */
  function expectAnswer(asked: Helper, number: number): void {
    const unanswered = () => !over && helper === asked && asked.answered < number;
    setTimeout(() => {
      if (!unanswered()) return;
      // It may be us who were stopped: an answer that came meanwhile is read before a second timer fires.
      setTimeout(() => unanswered() && asked.child.kill("SIGKILL"), ANSWER_MS / 4).unref();
    }, ANSWER_MS).unref();
  }

  async function watch(): Promise<void> {
    for (;;) {
      await helper.ended;
      if (over) return;
      if (helper.killed) return end("killed");
      const minuteAgo = performance.now() - 60_000;
      deaths.push(performance.now());
      if (deaths.filter((at) => at > minuteAgo).length > MOST_DEATHS) return end("gone");
      try {
        helper = await startHelper(informed());
      } catch {
        return over ? undefined : end("gone");
      }
      if (over) {
        tell("done");
        return;
      }
      // The time may have moved meanwhile, and a helper with a clock of its own could not be told before it was up.
      if (group !== null) tell(`guard ${group}`);
      tellDeadline();
      options.onDeath("replaced");
    }
  }

  function end(death: LifelineDeath): void {
    over = true;
    options.onDeath(death);
  }

  void watch();
  return {
    get pid() {
      return helper.pid;
    },
    guard(id) {
      group = id;
      tell(`guard ${id}`);
    },
    aliveFor(ms) {
      const shared = sharedNow();
      deadline = { shared: shared === null ? null : shared + ms, own: performance.now() + ms };
      tellDeadline();
    },
    async done() {
      over = true;
      const last = helper;
      last.child.stdin.end("done\n");
      const timer = setTimeout(() => last.child.kill("SIGKILL"), ANSWER_MS);
      await last.ended;
      clearTimeout(timer);
      return last.killed ? "killed" : "let go";
    },
  };
}
