/** What others may do when a holder falls silent: as it is asked for, and as it is told to people. */
import { TOKEN_VARIABLE } from "../ci/actions_api.ts";
import { CHECK_RUN_VARIABLE, ownJob } from "../ci/own_job.ts";
import type { Fate } from "../lock/expiry.ts";
import type { Holder, HolderJob } from "../lock/record.ts";
import type { Expiry } from "../lock/rules.ts";
import { formatDuration } from "./durations.ts";
import { usage } from "./errors.ts";
import { TAKING } from "./flags.ts";
import { neutral } from "./text.ts";
import type { Asked } from "./where.ts";

/**
 * The policy that `--on-expiry` asks for.
 *
 * @param heldFor `ttl` where another job may give the lock back
 * @throws {CliError} (exit 2) for `verify` where there is no job that could be asked about
 */
export function expiryOf({ given, env, warn }: Asked, heldFor: HolderJob["held_for"]): Expiry {
  const word = given.choice(TAKING.onExpiry, "takeover");
  if (word !== "verify") return word;
  const from = given.text(TAKING.onExpiry)?.from ?? "";
  const own = ownJob(env);
  if (!own.found) {
    throw usage(
      `${from}: verify has others ask GitHub's Actions API about this job, and ${own.why}; say takeover or never`,
    );
  }
  if (own.job.check_run_id === null) {
    warn(
      `${from}: verify finds this job by its runner's name, and never before its TTL; give its id in ${CHECK_RUN_VARIABLE} (\${{ job.check_run_id }})`,
    );
  }
  if ((env[TOKEN_VARIABLE]?.trim() ?? "") === "") {
    warn(
      `${from}: verify needs a token with actions: read in the jobs that wait (${TOKEN_VARIABLE}, the action's input github_token), and this one has none: should this job die where no waiting job has one, only k8s-lock break frees the lock`,
    );
  }
  return { verify: { ...own.job, held_for: heldFor } };
}

/**
 * What becomes of a holder that has been silent for a while: when it may be passed over, or what has to happen first.
 *
 * @param leftMs what is left of its TTL
 * @param fate what is known of its job
 */
export function describeSilent(holder: Holder, leftMs: number, fate: Fate | undefined): string {
  const inTime = leftMs > 0 ? `in ${formatDuration(leftMs)}` : "now";
  switch (holder.on_expiry ?? "takeover") {
    case "takeover":
      return `can be passed over ${inTime}`;
    case "never":
      return "is never passed over (--on-expiry never): k8s-lock break takes it off";
    case "verify":
      return fate?.kind === "over"
        ? `can be passed over ${fate.by === "runner" ? "now" : inTime}, as ${neutral(fate.why)}`
        : `is passed over only once its job is known to be over (--on-expiry verify)${
          fate === undefined ? "" : `: ${neutral(fate.why)}`
        }`;
  }
}
