/** One clock for two processes: what the holder tells its lifeline may sit in a pipe for a while. */
import { readFileSync } from "node:fs";

/**
 * Milliseconds on a clock that all processes of this system share, or null where there is none.
 *
 * It is Linux's `/proc/uptime` (10 ms steps). It goes on while the machine sleeps, which is right here: the
 * TTL that others count goes on too. `process.hrtime` does not serve: under Deno each process has its own zero.
 */
export function sharedNow(): number | null {
  try {
    const seconds = Number.parseFloat(readFileSync("/proc/uptime", "latin1"));
    return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null;
  } catch {
    return null;
  }
}
