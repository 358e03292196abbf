/**
 * The command that runs while the lock is held: how it is found, started, signalled and seen to be gone.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import { errorCode, processStatus } from "./processes.ts";
import { spawnAtTerminal } from "./terminal.ts";
import {
  GRANT_VARIABLE,
  killWork,
  OUTER_GRANTS_VARIABLE,
  signalTo,
  survivors,
  workGone,
} from "./work.ts";

/** Variables that hold a secret of ours: no command inherits them. */
const SECRETS = ["K8S_LOCK_KUBECONFIG_DATA", "K8S_LOCK_GITHUB_TOKEN"];

/** Where a command is, or why it cannot be run; the exit codes for that are those of a shell. */
export type FoundCommand =
  | { readonly found: true; readonly path: string }
  | {
    readonly found: false;
    readonly why: "not found" | "not executable";
    readonly exitCode: 127 | 126;
  };

/** How a command ended. */
export interface CommandEnd {
  /** Its exit code; for one that was killed by signal N, 128 + N, as shells say it. */
  readonly exitCode: number;
  /** The signal that killed it, where that is known (at a terminal only the code is). */
  readonly signal: NodeJS.Signals | null;
}

/** A command that runs. */
export interface RunningCommand {
  /** Its pid, which is also the id of its process group. */
  readonly pid: number;
  /** Resolves when the command itself has ended; processes that it left may still run ({@link gone}). */
  readonly ended: Promise<CommandEnd>;
  /** Sends a signal to its whole process group. */
  signal(name: NodeJS.Signals): void;
  /**
   * Kills the group and, on Linux, every process with the command's grants in its environment, until nothing of it is left.
   * Rejects with the signal's reason when that is given up.
   */
  killAll(signal?: AbortSignal): Promise<void>;
  /** Resolves when nothing of it runs any more. Rejects with the signal's reason when that is given up. */
  gone(signal?: AbortSignal): Promise<void>;
  /**
   * As {@link gone}; but first what of it has left its process group is sent that signal, as the group was. For when the command itself
   * has ended: the command of a `run` inside it would get the signal twice.
   */
  restGone(name: NodeJS.Signals, signal?: AbortSignal): Promise<void>;
  /** As {@link gone}, of its process group alone; at once where it has none of its own. */
  groupGone(signal?: AbortSignal): Promise<void>;
}

/** What to start. */
export interface CommandOptions {
  /** The program's path, as {@link findCommand} gives it. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
  /** The environment, as {@link commandEnvironment} makes it. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * `keep`: the command gets our terminal (`/dev/tty`, job control, Ctrl-C); see {@link ownTerminal}. `none`: it
   * gets a session of its own, without one.
   */
  readonly terminal: "keep" | "none";
}

/** The command could not be started after all. `exitCode` is a shell's: 127 not found, 126 not executable. */
export class CommandError extends Error {
  /** What kind of error it is. */
  override readonly name = "CommandError";
  /** `message` is a sentence for people. */
  constructor(
    message: string,
    /** What `run` ends with. */
    readonly exitCode: 126 | 127,
  ) {
    super(message);
  }
}

type Look = "runs" | "not executable" | "missing";

function look(path: string): Look {
  try {
    if (!statSync(path).isFile()) return "not executable";
    accessSync(path, constants.X_OK);
    return "runs";
  } catch (error) {
    return errorCode(error) === "EACCES" ? "not executable" : "missing";
  }
}

/**
 * Looks a command up as a shell does: in `path` (a `PATH`), or by its own path if it names one. Nothing is started.
 *
 * @param path the folders to search; an empty entry is `cwd`.
 */
export function findCommand(name: string, path: string | undefined, cwd: string): FoundCommand {
  const named = name.includes("/") || (process.platform === "win32" && name.includes("\\"));
  const folders = named ? [""] : (path ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  const endings = process.platform === "win32"
    ? ["", ...(process.env.PATHEXT ?? ".EXE;.CMD;.BAT;.COM").split(";")]
    : [""];
  let why: "not found" | "not executable" = "not found";
  for (const folder of name === "" ? [] : folders) {
    for (const ending of endings) {
      const place = isAbsolute(name) ? name + ending : resolve(cwd, join(folder, name + ending));
      const seen = look(place);
      if (seen === "runs") return { found: true, path: place };
      // A folder on the PATH that has the command's name is no near miss; named by its path, it is.
      if (seen === "not executable" && (named || !isFolder(place))) why = "not executable";
    }
  }
  return { found: false, why, exitCode: why === "not found" ? 127 : 126 };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The environment of a command: what we were given, without our secrets, and with what the lock tells it.
 *
 * @param own the variables that the lock sets (`K8S_LOCK_GRANT`, `K8S_LOCK_TOKEN` and so on).
 */
export function commandEnvironment(
  inherited: NodeJS.ProcessEnv,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !SECRETS.includes(name)) result[name] = value;
  }
  const outer = [inherited[OUTER_GRANTS_VARIABLE], inherited[GRANT_VARIABLE]]
    .flatMap((grants) => grants?.split(",") ?? []).filter((grant) => grant !== "");
  if (outer.length > 0) result[OUTER_GRANTS_VARIABLE] = [...new Set(outer)].join(",");
  return { ...result, ...own };
}

/** The exit code for a process that ended so. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? code ?? 1 : 128 + osConstants.signals[signal];
}

/** Resolves once the program itself runs; rejects with why it does not. */
function started(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid ?? 0));
    child.once("error", (error) => {
      const missing = errorCode(error) === "ENOENT";
      const why = missing ? "it, or the interpreter that it names, is not there" : error.message;
      reject(new CommandError(`cannot start ${command}: ${why}`, missing ? 127 : 126));
    });
  });
}

function endOf(child: ChildProcess): Promise<CommandEnd> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ exitCode: exitCodeOf(code, signal), signal }));
  });
}

/**
 * Starts a command in a process group of its own, with our standard input, output and error.
 *
 * @throws {CommandError} when the system does not start it.
 */
export async function startCommand(options: CommandOptions): Promise<RunningCommand> {
  const grants = (options.env[GRANT_VARIABLE] ?? "").split(",").filter((grant) => grant !== "");
  if (options.terminal === "keep") {
    const { child, leader } = spawnAtTerminal(options);
    const ended = endOf(child);
    const shell = await started(child, options.command);
    // The shell between us and the command ends by itself, and must: it gives the terminal back to us.
    return running(await leader ?? shell, ended, grants, [shell]);
  }
  const child = spawn(options.command, [...options.args], {
    detached: process.platform !== "win32",
    stdio: "inherit",
    env: { ...options.env },
  });
  const ended = endOf(child);
  return running(await started(child, options.command), ended, grants, []);
}

function running(
  pid: number,
  ended: Promise<CommandEnd>,
  grants: readonly string[],
  spared: readonly number[],
): RunningCommand {
  const leads = process.platform !== "win32" && (processStatus(pid)?.group ?? pid) === pid;
  const target = leads ? -pid : pid;
  const work = { group: leads ? pid : null, grants };
  let over = false;
  return {
    pid,
    ended,
    signal(name) {
      // Once all of it is gone, the number may be somebody else's.
      if (over) return;
      signalTo(target, name);
      // A stopped process acts on no signal but SIGKILL until it is continued.
      if (process.platform !== "win32") signalTo(target, "SIGCONT");
    },
    async killAll(signal) {
      if (over) return;
      if (process.platform === "win32") {
        spawnSync("taskkill", ["/pid", String(pid), "/T", "/F"], { stdio: "ignore" });
      }
      await killWork(work, spared, signal);
      over = true;
    },
    async gone(signal) {
      if (over) return;
      if (process.platform === "win32") await ended;
      await workGone(work, spared, signal);
      over = true;
    },
    async restGone(name, signal) {
      if (over) return;
      const outside = grants.length === 0 ? [] : survivors({ group: null, grants }, spared);
      for (const each of outside) if (processStatus(each)?.group !== pid) signalTo(each, name);
      await this.gone(signal);
    },
    async groupGone(signal) {
      if (!over) await workGone({ ...work, grants: [] }, spared, signal);
    },
  };
}
