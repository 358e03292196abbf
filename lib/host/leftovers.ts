/**
 * What a job has left at work. A CI that ends a step signals the step's first process and no other: what that had started goes on, without
 * anybody who waits for it. Seen on Linux only.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { allProcesses, ancestors, environmentOf, processStatus } from "./processes.ts";
import { signalTo } from "./work.ts";

/** Which processes are meant. */
export interface Leftovers {
  /** What stands in the environment of all of the job's processes: `NAME=value`. */
  readonly cookie: string;
  /** Only those that started later than this one, as the system writes it (`ProcessStatus.startedAt`). */
  readonly since: string;
  /** Those with this word among their arguments are spared, and what they have started. */
  readonly spared: string;
}

/** After SIGTERM, and after SIGKILL, in milliseconds. */
const PATIENCE_MS = 5000;
const LOOK_MS = 50;

/**
 * Ends them, and what they start meanwhile; not this process, nor those that it descends from.
 *
 * @returns how many there were, and how many live on although they were killed
 */
export async function endLeftovers(
  meant: Leftovers,
): Promise<{ readonly found: number; readonly left: number }> {
  const found = new Set<number>();
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const told = new Set<number>();
    const until = performance.now() + PATIENCE_MS;
    for (let living = leftovers(meant); living.length > 0; living = leftovers(meant)) {
      for (const pid of living) {
        found.add(pid);
        if (!told.has(pid)) signalTo(pid, signal);
        told.add(pid);
      }
      if (performance.now() > until) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
  return { found: found.size, left: leftovers(meant).length };
}

function leftovers({ cookie, since, spared }: Leftovers): number[] {
  const own = [process.pid, ...ancestors(process.pid)];
  return allProcesses().filter((pid) => {
    if (own.includes(pid) || !environmentOf(pid).split("\0").includes(cookie)) return false;
    const status = processStatus(pid);
    return status !== null && !status.zombie && Number(status.startedAt) > Number(since) &&
      ![pid, ...ancestors(pid)].some((one) => argumentsOf(one).includes(spared));
  });
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
