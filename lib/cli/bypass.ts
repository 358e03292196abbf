/** The emergency door: `K8S_LOCK_BYPASS="reason"` goes on without any lock, and leaves a trace. */
import { addToSummary, escapeMarkdown } from "../ci/github.ts";
import type { Context } from "./context.ts";
import { usage } from "./errors.ts";
import { neutral } from "./text.ts";

const VARIABLE = "K8S_LOCK_BYPASS";

/**
 * Whether the lock is bypassed; says so loudly, with the reason, in the log and in the job's summary.
 *
 * @param command what is done without a lock
 * @throws {CliError} (exit 2) when the variable is set and gives no reason
 */
export function bypassed(context: Context, command: string, lock: string): boolean {
  const given = context.env[VARIABLE];
  if (given === undefined) return false;
  const reason = neutral(given).trim();
  if (reason === "") {
    throw usage(`${VARIABLE} is set but empty: give the reason as its value, or unset it`);
  }
  context.log.warn(
    `BYPASSED: ${command} goes on WITHOUT the lock ${
      neutral(lock)
    } because ${VARIABLE} is set: ${reason}`,
    { bypass: reason },
  );
  addToSummary(
    context.env,
    `**k8s-lock bypassed**: \`${command}\` went on without the lock ${
      escapeMarkdown(neutral(lock))
    }. Reason: ${escapeMarkdown(reason)}`,
  );
  return true;
}
