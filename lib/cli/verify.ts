/** `verify`: does this job still hold the lock? */
import type { Holder } from "../lock/record.ts";
import { standing } from "../lock/people.ts";
import type { Standing } from "../lock/people.ts";
import { bypassed } from "./bypass.ts";
import { openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import { jobFolder, ownHold } from "./job.ts";
import type { VerifyOptions } from "./options.ts";
import { readLock } from "./read_lock.ts";
import { describeLost } from "./take.ts";
import { neutral } from "./text.ts";

/** Resolves with 0 while it is held. Throws {@link CliError}: 12 lost, 14 never held, 11 when nobody can tell. */
export async function verifyCommand(
  options: VerifyOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { target, enclosingGrant } = options;
  if (bypassed(context, "verify", target.lock)) return Exit.done;
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const { record } = await persistently(
      () => readLock(store, target),
      options.requestTimeoutMs,
      options.store,
      context,
    );
    const enclosed = enclosingGrant !== null && options.grant === null &&
      standing(record, enclosingGrant).kind !== "never_held";
    const mine = enclosed
      ? { grant: enclosingGrant, state: null }
      : ownHold(context, jobFolder(context, address), store.object, target, options.grant);
    if (mine === null) throw notHeld(target.lock);
    const now = standing(record, mine.grant);
    const wasHeld = mine.state !== null && mine.state.phase !== "asking";
    const holder = demandHeld(now, target.lock, wasHeld);
    if (options.token !== null && holder.token !== options.token) {
      throw new CliError(
        Exit.lost,
        `${neutral(target.lock)} is held with token ${holder.token}, not ${options.token}`,
      );
    }
    context.log.info(`holds ${neutral(target.lock)} with token ${holder.token}`);
    return Exit.done;
  } finally {
    stores.close();
  }
}

/**
 * The holder, or the sentence that says what became of it.
 *
 * @param known whether this machine knows that the job held it
 * @throws {CliError} 12 or 14
 */
export function demandHeld(now: Standing, lock: string, known: boolean): Holder {
  if (now.kind === "held") return now.holder;
  if (now.kind === "lost") {
    throw new CliError(Exit.lost, `lost ${neutral(lock)}: ${describeLost(now.lost)}`);
  }
  if (known) {
    throw new CliError(
      Exit.lost,
      `lost ${
        neutral(lock)
      }: its record does not know this job's hold any more (deleted, or long ago)`,
    );
  }
  throw notHeld(lock);
}

function notHeld(lock: string): CliError {
  return new CliError(
    Exit.notHolder,
    `this job does not hold ${
      neutral(lock)
    } (a hold of another job or machine: --grant with what acquire printed)`,
  );
}
