/**
 * What the system says about processes: by `/proc` on Linux, by `ps` on other Unixes.
 *
 * Nothing here fails because a process ended while it was looked at: that is what processes do.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** What the kernel keeps of one process. */
export interface ProcessStatus {
  /** Its number. */
  readonly pid: number;
  /** The pid of its parent; 0 without one. */
  readonly parent: number;
  /** Its process group. */
  readonly group: number;
  /** Its session, or 0 where the system does not say. */
  readonly session: number;
  /** Its terminal, as the system names or numbers it; null when it has none. */
  readonly terminal: string | null;
  /** The process group that has that terminal, or -1 without a terminal. */
  readonly foreground: number;
  /**
   * When it started, as the system writes it. Together with the pid it names one process for good: pids
   * are used again.
   */
  readonly startedAt: string;
  /** True for one that is dead and only waits to be reaped: it runs nothing any more. */
  readonly zombie: boolean;
}

/** True where `/proc` shows processes as Linux does. */
export const hasProc: boolean = process.platform === "linux" && readStat(process.pid) !== null;

function readStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
}

/** Reads `/proc/<pid>/stat`, proc(5). The name in parentheses may itself hold parentheses and spaces. */
function fromProc(pid: number): ProcessStatus | null {
  const stat = readStat(pid);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent, group, session, terminal, foreground] = fields;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    terminal: terminal === undefined || terminal === "0" ? null : terminal,
    foreground: Number(foreground),
    startedAt: fields[19] ?? "",
    // A main thread may end before the others do: such a process still runs.
    zombie: (state === "Z" || state === "X") && Number(fields[17]) <= 1,
  };
}

function fromPs(pid: number): ProcessStatus | null {
  const columns = "stat=,ppid=,pgid=,sess=,tty=,tpgid=,lstart=";
  const answer = spawnSync("ps", ["-o", columns, "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    timeout: 5000,
  });
  const [state, parent, group, session, terminal, foreground, ...started] = (answer.stdout ?? "")
    .trim().split(/\s+/);
  if (answer.status !== 0 || state === undefined || started.length === 0) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    // Some systems show an address here, and macOS 0 for all.
    session: Number.parseInt(session ?? "0", 16),
    terminal: terminal === undefined || terminal.startsWith("?") ? null : terminal,
    foreground: Number(foreground),
    startedAt: started.join(" "),
    zombie: state.startsWith("Z"),
  };
}

/** What is known of a process; null when there is none, or where it cannot be known (Windows). */
export function processStatus(pid: number): ProcessStatus | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  if (hasProc) return fromProc(pid);
  return process.platform === "win32" ? null : fromPs(pid);
}

/**
 * True while the very process lives that had this pid when it started at `startedAt`
 * ({@link ProcessStatus.startedAt}). A pid alone may be another process by now. With null, where the
 * system did not say, the pid alone decides.
 */
export function processAlive(pid: number, startedAt: string | null): boolean {
  const status = processStatus(pid);
  if (status !== null) {
    return !status.zombie && (startedAt === null || status.startedAt === startedAt);
  }
  return !hasProc && process.platform === "win32" && canBeSignalled(pid);
}

/** True when there is a process (or, with a negative number, a group) to send a signal to. */
export function canBeSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there. macOS also answers so for a group that has only zombies left.
    return errorCode(error) === "EPERM" && process.platform !== "darwin";
  }
}

/** The pid of every process of this system. Empty without `/proc`. */
export function allProcesses(): number[] {
  if (!hasProc) return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
}

/**
 * The environment that a process was started with, `NAME=value` each. Empty when it cannot be read: another
 * user's process, or one that is gone.
 */
export function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

/** The pids of a process's ancestors, its parent first. Empty where they cannot be known. */
export function ancestors(pid: number): number[] {
  const found: number[] = [];
  let status = processStatus(pid);
  while (status !== null && status.parent > 0 && !found.includes(status.parent)) {
    found.push(status.parent);
    status = processStatus(status.parent);
  }
  return found;
}

/** The code of a system error (`ENOENT`), or an empty text for anything else. */
export function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
