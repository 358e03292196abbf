/** What this job holds, by the state that `acquire` left on this machine: for `release`, `verify` and `renew`. */
import { Damaged } from "../lock/parse.ts";
import { readStates } from "../host/state.ts";
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
  readonly grant: string;
  readonly state: LockState | null;
}

/**
 * The hold that is meant.
 *
 * @param grant `--grant`, which needs no state
 * @throws {CliError} (exit 2) when several fit
 */
export function ownHold(
  context: Context,
  folder: string,
  object: string,
  target: Target,
  grant: string | null,
): OwnHold | null {
  if (grant !== null) {
    const state = usable(() => readStates(folder)).states.find((one) => one.grant === grant);
    return { grant, state: state ?? null };
  }
  const [state, ...others] = statesOf(context, folder, object);
  if (state === undefined) return null;
  if (others.length > 0) {
    const grants = [state, ...others].map((one) => one.grant).join(", ");
    throw usage(
      `this job holds ${neutral(target.lock)} several times; say which with --grant: ${grants}`,
    );
  }
  return { grant: state.grant, state };
}
