/**
 * The work that a lock protects, as the system sees it: which processes it is, and how all of it is ended.
 *
 * It is the process group of the command and, on Linux, every process whose environment holds one of the
 * work's grants: a child that calls setsid leaves the group, but keeps what it was started with. What escapes
 * is a process with an emptied environment *and* a session of its own, and one that this user may not
 * signal.
 */
import process from "node:process";
import {
  allProcesses,
  ancestors,
  canBeSignalled,
  environmentOf,
  hasProc,
  processStatus,
} from "./processes.ts";

/** The grants of the `run` that a process belongs to, comma-separated. */
export const GRANT_VARIABLE = "K8S_LOCK_GRANT";
/**
 * The grants of the runs around that one, comma-separated: the work of an inner `run` is also the work of
 * the outer one, and must end with it.
 */
export const OUTER_GRANTS_VARIABLE = "K8S_LOCK_OUTER_GRANTS";

/** Which processes are meant. */
export interface Work {
  /** The id of the command's process group; null while it is not known. */
  readonly group: number | null;
  /** The grants in whose name it runs. */
  readonly grants: readonly string[];
}

/** How long the work must have been seen gone, twice, before it counts as gone. */
const SECOND_LOOK_MS = 20;
/** The longest pause between two looks, and the one between two rounds of killing. */
const LONGEST_PAUSE_MS = 100;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** True when an environment (as {@link environmentOf} gives it) names one of these grants. */
export function belongsTo(environment: string, grants: readonly string[]): boolean {
  if (!environment.includes("K8S_LOCK_")) return false;
  return environment.split("\0").some((entry) => {
    const split = entry.indexOf("=");
    const name = entry.slice(0, split);
    if (name !== GRANT_VARIABLE && name !== OUTER_GRANTS_VARIABLE) return false;
    return entry.slice(split + 1).split(",").some((grant) => grants.includes(grant));
  });
}

/** The processes that are never part of the work, whatever their environment says. */
function untouchable(spared: readonly number[]): Set<number> {
  return new Set([process.pid, ...ancestors(process.pid), ...spared]);
}

/**
 * The pids of the work that still run, as far as they can be seen; a dead one that nobody reaped yet runs
 * nothing. Without `/proc` a group that has anybody in it shows as its id.
 */
export function survivors(work: Work, spared: readonly number[] = []): number[] {
  const groupStands = work.group !== null && canBeSignalled(-work.group);
  if (!hasProc) return groupStands && work.group !== null ? [work.group] : [];
  const never = untouchable(spared);
  return allProcesses().filter((pid) => {
    if (never.has(pid)) return false;
    if (belongsTo(environmentOf(pid), work.grants)) return processStatus(pid)?.zombie === false;
    if (!groupStands) return false;
    const status = processStatus(pid);
    return status !== null && status.group === work.group && !status.zombie;
  });
}

/** Sends a signal; a process that is gone, or not ours to signal, is passed over. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, or another user's: whether any of it is left is asked by survivors().
  }
}

/**
 * Waits until nothing of the work runs.
 *
 * @param signal ends the wait; the promise then rejects with its reason.
 */
export async function workGone(
  work: Work,
  spared: readonly number[] = [],
  signal?: AbortSignal,
): Promise<void> {
  let waitMs = 5;
  // A process that forks while it is looked at can hide its child from one look, not from two.
  for (let empty = 0; empty < 2;) {
    signal?.throwIfAborted();
    empty = survivors(work, spared).length === 0 ? empty + 1 : 0;
    if (empty === 2) return;
    await pause(empty === 1 ? SECOND_LOOK_MS : waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
  }
}

/**
 * Kills the work with SIGKILL, again and again, until two looks in a row find nothing of it.
 *
 * @param signal gives up; the promise then rejects with its reason. Processes that this user may not signal
 *   would keep it for ever.
 */
export async function killWork(
  work: Work,
  spared: readonly number[] = [],
  signal?: AbortSignal,
): Promise<void> {
  let waitMs = 1;
  for (let empty = 0; empty < 2;) {
    signal?.throwIfAborted();
    if (work.group !== null) signalTo(-work.group, "SIGKILL");
    const left = survivors(work, spared);
    if (hasProc) { for (const pid of left) signalTo(pid, "SIGKILL"); }
    empty = left.length === 0 ? empty + 1 : 0;
    if (empty === 2) return;
    await pause(empty === 1 ? SECOND_LOOK_MS : waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
  }
}
