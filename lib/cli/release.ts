/** `release`: gives back what this job took with `acquire`. */
import { runLock, SYSTEM_CLOCK } from "../lock/lock.ts";
import { lookAt, withdraw } from "../lock/people.ts";
import type { LockStore } from "../lock/store.ts";
import { removeState } from "../host/state.ts";
import { bypassed } from "./bypass.ts";
import { ofStore, openStores, patienceFor } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import { jobFolder, ownHold, tellGap, tellGivingBack, usable } from "./job.ts";
import type { OwnHold } from "./job.ts";
import type { ReleaseOptions } from "./options.ts";
import { wasGivenBack, withOwnConnection } from "./own_connection.ts";
import { summarizeGivenBack, summarizeLost } from "./summary.ts";
import { configFor, describeLost, endOf, tellBy } from "./take.ts";
import { neutral } from "./text.ts";
import { turnNumber } from "./v3.ts";

/** Resolves with 0 when it is given back or there was nothing to give back. Throws {@link CliError}. */
export async function releaseCommand(
  asked: ReleaseOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const options = withOwnConnection(asked, context);
  const { target } = options;
  if (bypassed(context, "release", target.lock)) return Exit.done;
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const folder = jobFolder(context, address);
    const patience = patienceFor(options.requestTimeoutMs, context);
    const mine = await ownHold(context, folder, store.object, target, {
      grant: options.grant,
      among: "asked for",
      look: () => lookAt(store, patience),
    });
    if (mine === null) return nothing(options, context);
    if (mine.state !== null) tellGivingBack(folder, mine.grant, context);
    const forget = () => {
      wasGivenBack(mine.grant, context);
      if (mine.state !== null) usable(() => removeState(folder, mine.grant));
    };
    tellGap(mine, context);
    try {
      const code = await giveBack(options, context, store, mine);
      forget();
      return code;
    } catch (error) {
      // Once its loss was told, nothing is left of it.
      if (error instanceof CliError && error.code === Exit.lost) forget();
      throw error;
    }
  } catch (error) {
    throw ofStore(error, options.store);
  } finally {
    stores.close();
  }
}

/**
 * Gives one hold back, or what is left of one that was asked for. Resolves with 0 also when it is not this job's any more.
 * Throws {@link CliError}: 12 when it had been lost, 11 when it could not be given back.
 */
export async function giveBack(
  options: ReleaseOptions,
  context: Context,
  store: LockStore,
  { grant, state }: OwnHold,
): Promise<number> {
  const lock = neutral(options.target.lock);
  if (state?.phase === "asking") {
    // Whether it ever came to hold nobody knows: either way nothing of it may be left.
    const patience = patienceFor(options.requestTimeoutMs, context);
    const held = await withdraw(
      store,
      { grant, holder: state.holder, number: turnNumber(context.ci, options.target) },
      patience,
    );
    context.log.info(held ? `gave ${lock} back` : `took its place in the queue of ${lock} back`);
    return Exit.done;
  }
  const take = {
    ...options,
    timeoutMs: null,
    maxHoldMs: null,
    expiry: "takeover" as const,
    ttlMs: (state?.ttl_seconds ?? 60) * 1000,
    holder: state?.holder ?? context.ci.holder,
    description: "",
    link: "",
    order: null,
    // Of a hold that this job is known to have had: should version 3 have wiped it, its number is moved on all the same.
    runNumber: state === null ? null : turnNumber(context.ci, options.target),
    runAttempt: context.ci.runAttempt,
    skipAfterMs: null,
  };
  const resumed = { grant, then: "release" } as const;
  const config = configFor(take, { work: "steps", onLost: "warn", resumed });
  const client = runLock(config, store, SYSTEM_CLOCK, {
    tell: tellBy(context.log),
    changed() {},
    startWork() {},
    stopWork() {},
  });
  const end = await client.over;
  const result = end.result ?? { kind: "gave_up" };
  if (result.kind === "released" && end.leftBehind === null) {
    if (state?.phase === "lost") {
      const why = neutral(state.lost?.why ?? "it was not renewed");
      summarizeLost(context, options.target.lock, why);
      throw new CliError(Exit.lost, `gave ${lock} back, but had lost it before: ${why}`);
    }
    context.log.info(`gave ${lock} back`);
    summarizeGivenBack(context, options.target.lock, state?.acquired_at ?? null);
    return Exit.done;
  }
  if (end.leftBehind !== null) {
    throw new CliError(
      options.store === "local" ? Exit.unusable : Exit.unreachable,
      `${lock}: ${
        neutral(end.leftBehind, 2000)
      }; it is free after its TTL, and until then this tries again: k8s-lock release --grant ${grant}`,
    );
  }
  if (
    result.kind === "lost" &&
    (result.lost.kind === "gone" || (result.lost.kind === "deleted" && state === null))
  ) {
    // Released before, by another command or from another machine; or never this lock's.
    return nothing(options, context);
  }
  if (result.kind === "lost") {
    summarizeLost(context, options.target.lock, describeLost(result.lost));
    throw new CliError(
      Exit.lost,
      `lost ${lock} before it was given back: ${describeLost(result.lost)}`,
    );
  }
  if (result.kind === "not_holder") {
    if (state === null) return nothing(options, context);
    const why = "its record does not know this job's hold any more";
    summarizeLost(context, options.target.lock, why);
    throw new CliError(Exit.lost, `lost ${lock} before it was given back: ${why}`);
  }
  const { code, message } = endOf(result, take, end, Exit.notInTime);
  throw new CliError(code, message);
}

/** There is nothing of this job's to give back. */
function nothing({ target, grant, nothing }: ReleaseOptions, context: Context): number {
  const lock = neutral(target.lock);
  const message = grant === null
    ? `this job holds nothing of ${lock}, so nothing was given back (a hold of another job or machine: --grant with what acquire printed)`
    : `the grant ${grant} does not hold ${lock}, so nothing was given back (k8s-lock status shows who does)`;
  if (nothing === "error") throw new CliError(Exit.notHolder, message);
  context.log.info(message);
  return Exit.done;
}
