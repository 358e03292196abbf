/** `run`: holds the lock while a command runs. */
import process from "node:process";
import type { State } from "../lock/driver.ts";
import { runLock, SYSTEM_CLOCK } from "../lock/lock.ts";
import { begin } from "../lock/step.ts";
import { commandEnvironment, CommandError, findCommand, startCommand } from "../host/command.ts";
import { unreadableVariables } from "../host/environment.ts";
import { ownTerminal } from "../host/terminal.ts";
import { lifelineSupported } from "../host/lifeline.ts";
import type { EndSignal } from "../host/signals.ts";
import { bypassed } from "./bypass.ts";
import { openStores } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { afterWait, formatDuration } from "./durations.ts";
import { exitCodeOfSignal, watchEndings } from "./endings.ts";
import { CliError, Exit, usage } from "./errors.ts";
import type { RunOptions } from "./options.ts";
import { questionsBy } from "./questions.ts";
import { configFor, endOf, tellBy, WaitTeller } from "./take.ts";
import { neutral } from "./text.ts";
import { Work } from "./work.ts";

/** Resolves with the command's own exit code, or ours. Throws {@link CliError}. */
export async function runCommand(
  options: RunOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { log, env } = context;
  const [name, ...args] = options.command;
  const bypass = bypassed(context, "run", options.target.lock);
  // Before anybody waits for anything.
  const found = findCommand(name, env["PATH"], process.cwd());
  if (!found.found) throw new CliError(found.exitCode, `${neutral(name)}: ${found.why}`);
  const dropped = unreadableVariables();
  if (dropped.length > 0) {
    log.warn(
      `${neutral(dropped.join(", "))}: not valid UTF-8, so the command runs without ${
        dropped.length === 1 ? "this variable" : "these variables"
      }`,
    );
  }
  if (bypass) return await runWithout(found.path, args, context);
  if (!lifelineSupported() && options.onLost === "kill") {
    throw usage(
      "a command cannot be stopped for sure on this system when the lock is lost; say --on-lost warn to run it all the same",
    );
  }
  const config = configFor(options, {
    work: "command",
    onLost: options.onLost === "kill" ? "stop" : "warn",
    resumed: null,
  });
  const work = new Work({ command: found.path, args, options, context });
  work.expect(begin(config, SYSTEM_CLOCK.now(), SYSTEM_CLOCK.wall()).grant);
  const { stores, address } = await open(options, context).catch(async (error: unknown) => {
    await work.letGo();
    throw error;
  });
  const store = stores.open(options.target.object, options.target.lock);
  const waits = new WaitTeller(context, options, store, address);
  let began: State | null = null;

  const client = runLock(config, store, SYSTEM_CLOCK, {
    tell: tellBy(log),
    ...questionsBy(context),
    changed(state) {
      waits.changed(state);
      work.follow(state);
    },
    startWork(state) {
      began = state;
      waits.end();
      const waited = state.now - state.startedAt;
      log.info(
        `holds ${neutral(options.target.lock)} with token ${state.hold?.token}${afterWait(waited)}`,
        { lock: options.target.lock, grant: state.grant, token: state.hold?.token ?? 0 },
      );
      // What still runs keeps the place until its TTL is over: it is not given back.
      void work.start(state).then(() =>
        client.send({ kind: work.unreaped ? "hand_over" : "work_ended" })
      );
    },
    stopWork(how) {
      work.stop(how);
    },
  });
  const lock = neutral(options.target.lock);
  let warned = false;
  const endings = watchEndings(context, (signal) => {
    if (client.state.phase === "releasing") {
      const ttl = formatDuration(options.ttlMs);
      if (warned) {
        log.warn(
          `${lock} was not given back: nobody else holds it before the end of its TTL of ${ttl}`,
        );
        return "end";
      }
      warned = true;
      log.info(
        `gives ${lock} back; ${signal} again ends this at once, and leaves it to its TTL of ${ttl}`,
      );
      return "handled";
    }
    if (work.signal(signal)) return "handled";
    client.send({ kind: "give_up" });
    return "giving up";
  });
  try {
    // Should this fail, the lifeline is not let go: it kills the command as soon as this process ends.
    const state = await client.over;
    await work.letGo();
    const lost = work.unguarded ?? null;
    return ended(options, context, state, work, endings.first, began, lost);
  } finally {
    endings.stop();
    waits.end();
    stores.close();
  }
}

/** Says how it ended and whose exit code it is. */
function ended(
  options: RunOptions,
  context: Context,
  state: State,
  work: Work,
  signal: EndSignal | null,
  began: State | null,
  unguarded: string | null,
): number {
  const { log } = context;
  const end = endOf(state.result ?? { kind: "gave_up" }, options, state, options.conflictExitCode);
  if (state.leftBehind !== null) {
    log.warn(
      `${neutral(options.target.lock)}: ${
        neutral(state.leftBehind, 2000)
      }; it is free after its TTL of ${formatDuration(options.ttlMs)}`,
    );
  }
  const said = (code: number, by: "command" | "k8s-lock", message: string) => {
    const level = code === 0 || by === "command" ? "info" : end.level === "warn" ? "warn" : "error";
    log[level](message, { exit_code: code, exit_by: by });
    return code;
  };
  if (work.unreaped) {
    return said(
      Exit.lost,
      "k8s-lock",
      `lost ${
        neutral(options.target.lock)
      }, and not all of the command could be stopped: something of it still runs`,
    );
  }
  if (unguarded !== null) return said(Exit.lost, "k8s-lock", unguarded);
  if (
    end.code === Exit.lost && options.onLost === "warn" && state.result?.kind === "lost" &&
    state.result.lost.kind !== "max_hold" && work.exitCode !== null
  ) {
    log.warn(end.message);
    return said(work.exitCode, "command", commandEnded(work.exitCode));
  }
  if (signal !== null && (state.result?.kind === "gave_up" || end.code === Exit.done)) {
    return said(
      exitCodeOfSignal(signal),
      "k8s-lock",
      began === null
        ? `ended by ${signal} while waiting for ${
          neutral(options.target.lock)
        }; its place is given back`
        : `ended by ${signal}; ${neutral(options.target.lock)} ${
          state.leftBehind === null ? "is" : "could not be"
        } given back`,
    );
  }
  if (end.code !== Exit.done) return said(end.code, "k8s-lock", end.message);
  if (work.failure !== null) throw new CliError(work.failure.exitCode, work.failure.message);
  const code = work.exitCode ?? Exit.bug;
  const held = began === null ? 0 : state.now - began.now;
  const gone = state.leftBehind === null ? "gave it back" : "could not give it back";
  return said(code, "command", `${gone} after ${formatDuration(held)}; ${commandEnded(code)}`);
}

function commandEnded(code: number): string {
  return `the command ended with ${code}`;
}

/** The command alone, without any lock: the emergency door. */
async function runWithout(
  command: string,
  args: readonly string[],
  context: Context,
): Promise<number> {
  try {
    const env = commandEnvironment({ ...context.env }, {});
    const running = await startCommand({ command, args, env, terminal: ownTerminal() });
    const endings = watchEndings(context, (signal) => {
      running.signal(signal);
      return "handled";
    });
    const { exitCode } = await running.ended;
    endings.stop();
    return exitCode;
  } catch (error) {
    if (error instanceof CommandError) throw new CliError(error.exitCode, error.message);
    throw error;
  }
}
