/** What the renewer of `acquire` decides, apart from the process that does it: the simulation lets its own go by the same. */
import type { LockState } from "../host/state.ts";
import type { Config, Result } from "../lock/driver.ts";
import { describeLost } from "./take.ts";

/** How often a renewer looks whether it has to stop, in milliseconds. */
export const LOOK_MS = 1000;

/** How a renewer goes on with `grant`: for a job whose steps nobody can stop, however long the store is away. */
export function renewing(grant: string): Pick<Config, "work" | "onLost" | "resumed" | "timeoutMs"> {
  return { work: "steps", onLost: "warn", resumed: { grant, then: "hold" }, timeoutMs: null };
}

/** What a renewer finds when it looks. */
export interface Surroundings {
  /** It was told to stop, or its job's folder is gone. */
  readonly stopped: boolean;
  /** The process of `--watch-pid`; null without one. */
  readonly watched: { readonly pid: number; readonly alive: boolean } | null;
}

/** Why there is nothing to renew any more, or null. */
export function whyToStop({ stopped, watched }: Surroundings): string | null {
  if (stopped) return "told to stop";
  return watched === null || watched.alive ? null : `process ${watched.pid} is gone`;
}

/** What the job's state says once a renewer that nobody stopped has ended; null where that is nothing. */
export function noteOfEnd(
  result: Result | null,
): Pick<LockState, "phase" | "lost"> | Pick<LockState, "last_error"> | null {
  if (result?.kind === "lost") return { phase: "lost", lost: { why: describeLost(result.lost) } };
  if (result?.kind === "not_holder") {
    return { phase: "lost", lost: { why: "the record does not name this hold" } };
  }
  return result !== null && "message" in result ? { last_error: result.message } : null;
}
