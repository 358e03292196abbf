/** What this job holds, by the state that `acquire` left on this machine: for `release`, `verify` and `renew`. */
import { Damaged } from "../lock/parse.ts";
import { standing } from "../lock/people.ts";
import type { Look } from "../lock/people.ts";
import { holderOf } from "../lock/queue.ts";
import { readStates, stopRenewer, tombstone } from "../host/state.ts";
import type { LockState } from "../host/state.ts";
import { sessionId, StateError, stateFolder } from "../host/state_folder.ts";
import type { Address } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit, usage } from "./errors.ts";
import type { Target } from "./options.ts";
import { neutral } from "./text.ts";

/** A store's address in one text: what tells two stores apart. */
export function addressText(address: Address): string {
  return address.store === "local"
    ? `local ${address.path}`
    : `${address.store} ${address.server} ${address.namespace}`;
}

/** This job's folder for that store. */
export function jobFolder(context: Context, address: Address): string {
  return stateFolder({
    env: context.env,
    storeAddress: addressText(address),
    jobId: context.ci.jobId,
    sessionId: sessionId(),
  });
}

/**
 * This job's states of one record, those that are over left out. Files that cannot be read are warned of.
 *
 * @throws {CliError} (exit 15) when the folder cannot be used
 */
export function statesOf(context: Context, folder: string, object: string): LockState[] {
  const { states, damaged } = usable(() => readStates(folder));
  for (const { file, why } of damaged) {
    context.log.warn(`the state file ${neutral(file)} is passed over: ${neutral(why)}`);
  }
  const ours = states.filter((state) => state.object === object && state.phase !== "given_up");
  if (ours.length === 0 && damaged.length > 0) {
    throw new CliError(
      Exit.unusable,
      `no state file of this job can be read (${
        neutral(damaged[0]?.file ?? "")
      }); give the grant with --grant (k8s-lock status shows it)`,
    );
  }
  return ours;
}

/** The grants that this job asked for or holds, as far as its states tell; none where they cannot be read. */
export function grantsOf(context: Context, folder: string, object: string): string[] {
  try {
    return readStates(folder).states.filter((state) => state.object === object)
      .map(({ grant }) => grant);
  } catch {
    context.log.debug("this job's states cannot be read");
    return [];
  }
}

/** What `use` returns; what is wrong with the local state becomes exit 15. */
export function usable<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof StateError || error instanceof Damaged) {
      throw new CliError(Exit.unusable, error.message);
    }
    throw error;
  }
}

/** One hold of this job: by its state, or by the grant that was given. */
export interface OwnHold {
  /** What its entry in the record has. */
  readonly grant: string;
  /** Null where this job has no state file with that grant. */
  readonly state: LockState | null;
}

/** How {@link ownHold} chooses. */
export interface Choice {
  /** `--grant`, which needs no state. */
  readonly grant: string | null;
  /** `held`: only what holds is meant; `asked for`: also what waits. */
  readonly among: "held" | "asked for";
  /** The lock as it stands, asked for where several states fit. */
  readonly look: () => Promise<Pick<Look, "record" | "tickets">>;
}

/**
 * The hold that is meant.
 *
 * @throws {CliError} (exit 2) when several fit
 */
export async function ownHold(
  context: Context,
  folder: string,
  object: string,
  target: Target,
  { grant, among, look }: Choice,
): Promise<OwnHold | null> {
  if (grant !== null) {
    const state = usable(() => readStates(folder)).states
      .find((one) => one.grant === grant && one.object === object);
    return { grant, state: state ?? null };
  }
  const states = statesOf(context, folder, object);
  const [only, ...others] = states;
  if (only === undefined) return null;
  if (others.length === 0) return { grant: only.grant, state: only };
  // What was lost, or asked for by an acquire that was killed, does not count beside what stands.
  const { record, tickets } = await look();
  const fitting = states.filter((state) =>
    standing(record, state.grant).kind === "held" ||
    (among === "asked for" && record !== null && holderOf(record, state.grant) !== undefined) ||
    (among === "asked for" && tickets.some(({ ticket }) => ticket.grant === state.grant))
  );
  const [first = newest(states), ...more] = fitting;
  if (more.length === 0) return { grant: first.grant, state: first };
  const grants = fitting.map((state) =>
    `${state.grant} (${state.phase === "asking" ? "waits" : `token ${state.token}`})`
  );
  throw usage(
    `this job has ${neutral(target.lock)} ${fitting.length} times; say which with --grant: ${
      grants.join(", ")
    }`,
  );
}

/**
 * Tells those of this job that may still work at a grant, an `acquire` and the renewer, that it is given back. First of all: they must not undo
 * it.
 *
 * Where that cannot be written, on a full disk above all, the grant is to be given back all the same: an `acquire` that cannot write asks for
 * nothing more, and a renewer ends when the record does not name its grant.
 */
export function tellGivingBack(folder: string, grant: string, { log }: Context): void {
  for (const tell of [tombstone, stopRenewer]) {
    try {
      tell(folder, grant);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      log.debug(error.message);
    }
  }
}

/** Says what the renewer had to warn of while this hold stood. */
export function tellGap({ state }: OwnHold, { log }: Context): void {
  if (state === null || state.last_error === null) return;
  log.warn(`while ${neutral(state.lock)} was held: ${neutral(state.last_error)}`);
}

/** The one that was acquired last. */
function newest(states: readonly LockState[]): LockState {
  return states.reduce((a, b) => (b.acquired_at ?? "") > (a.acquired_at ?? "") ? b : a);
}
