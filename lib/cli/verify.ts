/** `verify`: does this job still hold the lock? */
import { standing } from "../lock/people.ts";
import type { Standing } from "../lock/people.ts";
import type { Holder, LockRecord } from "../lock/record.ts";
import { bypassed } from "./bypass.ts";
import { openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import { jobFolder, ownHold, tellGap } from "./job.ts";
import type { OwnHold } from "./job.ts";
import type { RenewOptions, VerifyOptions } from "./options.ts";
import { withOwnConnection } from "./own_connection.ts";
import { readLock } from "./read_lock.ts";
import type { SeenLock } from "./read_lock.ts";
import { describeLost } from "./take.ts";
import { neutral } from "./text.ts";

/** Resolves with 0 while it is held. Throws {@link CliError}: 12 lost, 14 never held, 11 when nobody can tell. */
export async function verifyCommand(
  asked: VerifyOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const options = withOwnConnection(asked, context);
  const { target } = options;
  if (bypassed(context, "verify", target.lock)) return Exit.done;
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const seen = await persistently(
      () => readLock(store, target),
      options.requestTimeoutMs,
      options.store,
      context,
    );
    const folder = jobFolder(context, address);
    const mine = await holdMeant(options, context, { folder, seen });
    const now = standing(seen.record, mine.grant);
    const holder = demandHeld(now, target.lock, mine);
    if (options.token !== null && holder.token !== options.token) {
      throw new CliError(
        Exit.lost,
        `${neutral(target.lock)} is held with token ${holder.token}, not ${options.token}`,
      );
    }
    if (mine.state?.phase === "lost") {
      // The record names it for the rest of its TTL, and nobody renews it any more.
      throw new CliError(
        Exit.lost,
        `lost ${neutral(target.lock)}: ${neutral(mine.state.lost?.why ?? "it is not renewed")}`,
      );
    }
    tellGap(mine, context);
    context.log.info(`holds ${neutral(target.lock)} with token ${holder.token}`);
    return Exit.done;
  } finally {
    stores.close();
  }
}

/** The hold that `verify` and `renew` are about, and whether this machine knows that the job held it. */
export interface MeantHold extends OwnHold {
  /** Then it is lost where the record knows nothing of it, else it was never held. */
  readonly known: boolean;
}

/**
 * The hold of a `run` around this command, or the one that `acquire` left.
 *
 * @throws {CliError} (exit 14) when there is none, or 12 when the `run` around this command has lost it without a trace
 */
export async function holdMeant(
  options: VerifyOptions | RenewOptions,
  context: Context,
  { folder, seen: { object, record, queue } }: { folder: string; seen: SeenLock },
): Promise<MeantHold> {
  const { target, grant, enclosing } = options;
  const around = grant === null ? enclosing.grants.find((one) => isKnown(record, one)) : undefined;
  if (around !== undefined) return { grant: around, state: null, known: true };
  const mine = await ownHold(context, folder, object, target, {
    grant,
    among: "held",
    look: () => Promise.resolve({ record, tickets: queue }),
  });
  if (mine !== null) {
    return { ...mine, known: mine.state !== null && mine.state.phase !== "asking" };
  }
  const [innermost] = enclosing.grants;
  if (innermost !== undefined && enclosing.lock === target.lock) {
    return { grant: innermost, state: null, known: true };
  }
  throw notHeld(target.lock, null);
}

function isKnown(record: LockRecord, grant: string): boolean {
  return standing(record, grant).kind !== "never_held";
}

/**
 * The holder, or the sentence that says what became of it.
 *
 * @throws {CliError} 12 or 14
 */
export function demandHeld(now: Standing, lock: string, { grant, known }: MeantHold): Holder {
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
  throw notHeld(lock, grant);
}

function notHeld(lock: string, grant: string | null): CliError {
  const name = neutral(lock);
  return new CliError(
    Exit.notHolder,
    grant === null
      ? `this job does not hold ${name} (a hold of another job or machine: --grant with what acquire printed)`
      : `the grant ${
        neutral(grant)
      } does not hold ${name}, nor is it one of its last holders (k8s-lock status shows who does)`,
  );
}
