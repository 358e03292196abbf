/**
 * A command that keeps our terminal although it has a process group of its own.
 *
 * Only a process of the terminal's session can have it, so the usual way to a group of its own (a new session)
 * is closed; and only its foreground group gets Ctrl-C and may read from it. A shell with job control makes such a group and
 * hands the terminal over, as it does for everything that a person types.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { Readable } from "node:stream";
import { isatty } from "node:tty";
import { processStatus } from "./processes.ts";

/** POSIX has it at no certain place, but no system is known without this one that has a terminal. */
const SHELL = "/bin/sh";

/**
 * What the shell does. Tried with dash and bash:
 *
 * - Job control of bash works on its standard error, of dash on `/dev/tty`: both find the terminal there, and the command
 *   gets our own standard error back, which may be a file.
 * - The first process of the group tells its pid on descriptor 3 and becomes the command.
 * - A shell that dies by a signal does not take the terminal back, so it outlives all but SIGKILL. dash kills itself by the
 *   SIGINT that its command died of; bash gives up its script (exit code 1) if it traps that.
 * - Ctrl-Z would stop the command but not the time that it may hold the lock: it is continued at once.
 */
const SCRIPT = `
exec 4>&2 2>/dev/tty
set -m
trap : TERM HUP QUIT
[ "$BASH_VERSION" ] || trap : INT
${SHELL} -c 'echo $$ >&3; exec 3>&- 2>&4 4>&-; exec "$@"' sh "$@"
code=$?
while kill -0 %% 2>/dev/null; do
  echo "k8s-lock: the command holds a lock and cannot be suspended; it goes on" >&4
  fg %% >/dev/null
  code=$?
done
exit $code
`;

/**
 * `keep` when a command can keep our terminal: standard input is one, it is the one that controls this process, and this
 * process is in its foreground (in the background nobody may take it).
 */
export function ownTerminal(): "keep" | "none" {
  if (process.platform === "win32" || !isatty(0)) return "none";
  try {
    closeSync(openSync("/dev/tty", "r+"));
    closeSync(openSync(SHELL, "r"));
  } catch {
    return "none";
  }
  const status = processStatus(process.pid);
  return status !== null && status.group === status.foreground ? "keep" : "none";
}

/** What to start: see `CommandOptions`. */
export interface AtTerminal {
  /** The program's path. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
  /** All of the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Reads the one line with the leader's pid; null when the shell ended without it. */
function readLeader(from: Readable): Promise<number | null> {
  return new Promise((resolve) => {
    let text = "";
    from.setEncoding("utf8");
    from.on("data", (part: string) => {
      text += part;
      if (text.includes("\n")) resolve(Number.parseInt(text, 10) || null);
    });
    from.on("error", () => resolve(null));
    from.on("close", () => resolve(null));
  });
}

/**
 * Starts a command at our terminal by way of a shell.
 *
 * @returns the shell, which ends with the command's exit code, and the pid of the leader of the command's process group, or
 *   null when there never was one.
 */
export function spawnAtTerminal(
  { command, args, env }: AtTerminal,
): { child: ChildProcess; leader: Promise<number | null> } {
  const child = spawn(SHELL, ["-c", SCRIPT, "sh", command, ...args], {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: { ...env },
  });
  const pipe = child.stdio[3];
  return { child, leader: pipe instanceof Readable ? readLeader(pipe) : Promise.resolve(null) };
}
