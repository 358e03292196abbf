/**
 * The end of one use of the GitHub action: what its journal says was asked for is given back, however far it had come. Run by the action's
 * guard (when taking the lock failed) and by its post step.
 */
import { endLeftovers } from "../host/leftovers.ts";
import { RENEWER_MODE } from "../host/renewer.ts";
import { readStates, removeState } from "../host/state.ts";
import { withdraw } from "../lock/people.ts";
import { ofStore, openStores, patienceFor } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import { tellGap, tellGivingBack, usable } from "./job.ts";
import { beginGivingBack, endJournal, readJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import type { ReleaseOptions } from "./options.ts";
import { giveBack } from "./release.ts";
import { neutral } from "./text.ts";
import { turnNumber } from "./v3.ts";

/** How long new tries are begun, in milliseconds: the action's post step ends this program after a minute. */
const TRY_MS = 40_000;
const PAUSE_MS = 1000;
/** The job's status, as the action's post step knows it. */
const STATUS_VARIABLE = "K8S_LOCK_ACTION_JOB_STATUS";
const REQUEST_MS = 10_000;

/**
 * Resolves with 0 when it is given back or there was nothing, silently then; with 11 when the cluster cannot be reached. Throws
 * {@link CliError}: 12 when it had been lost.
 */
export async function giveBackCommand(
  folder: string,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const journal = usable(() => readJournal(folder));
  if (journal === null || journal.phase === "over") return Exit.done;
  // First of all: an acquire that is still under way, and the renewer, must not undo what is done here.
  beginGivingBack(folder);
  // While it is still renewed: nobody else may hold before the work is over.
  if (!await workIsOver(journal, context)) return Exit.unreachable;
  for (const grant of journal.grants) tellGivingBack(journal.state_folder, grant, context);
  const over = () => endJournal(folder, journal);
  const until = context.monotonicMs() + TRY_MS;
  for (;;) {
    try {
      await once(journal, context, open);
      over();
      return Exit.done;
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== Exit.unreachable) {
        // Its loss is told once.
        if (error instanceof CliError && error.code === Exit.lost) over();
        throw error;
      }
      if (context.monotonicMs() + PAUSE_MS >= until) {
        context.log.warn(error.message);
        return Exit.unreachable;
      }
      context.log.debug(error.message);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/**
 * A job that was cancelled, or failed by a time limit, may have left what its steps had started at work: that is ended, as the runner does it
 * a moment later anyway. What a job that went well has in the background is its own affair.
 *
 * @returns false where something goes on that could not be ended: then the lock is left to its TTL
 */
async function workIsOver(journal: Journal, { env, log }: Context): Promise<boolean> {
  const status = env[STATUS_VARIABLE] ?? "";
  const tracking = env["RUNNER_TRACKING_ID"] ?? "";
  const { states } = usable(() => readStates(journal.state_folder));
  const since = states.find(({ grant }) => grant === journal.grants.at(-1))?.renewer_started;
  if (!/^(cancelled|failure)$/.test(status) || tracking === "" || !since) return true;
  const cookie = `RUNNER_TRACKING_ID=${tracking}`;
  const { found, left } = await endLeftovers({ cookie, since, spared: RENEWER_MODE });
  const lock = neutral(journal.lock);
  if (found > 0) {
    log.info(`ended what the job's steps had left at work, before ${lock} is given back`);
  }
  if (left === 0) return true;
  log.warn(`${left} of them go on although they were killed, so ${lock} is left to its TTL`);
  return false;
}

async function once(journal: Journal, context: Context, open: OpenStores): Promise<void> {
  const options = optionsOf(journal);
  const { stores } = await open(options, context);
  try {
    const store = stores.open(journal.object, journal.lock);
    const { states } = usable(() => readStates(journal.state_folder));
    // The last one is the one that may hold.
    for (const grant of journal.grants.toReversed()) {
      const state = states.find((one) => one.grant === grant) ?? null;
      if (journal.phase === "held" && grant === journal.grants.at(-1)) {
        tellGap({ grant, state }, context);
        await giveBack({ ...options, grant }, context, store, { grant, state });
      } else if (journal.phase === "asking") {
        const holder = state?.holder ?? context.ci.holder;
        const held = await withdraw(
          store,
          { grant, holder, number: turnNumber(context.ci, options.target) },
          patienceFor(REQUEST_MS, context),
        );
        if (held) context.log.info(`gave ${neutral(journal.lock)} back`);
      }
      usable(() => removeState(journal.state_folder, grant));
    }
  } catch (error) {
    throw ofStore(error, options.store);
  } finally {
    stores.close();
  }
}

function optionsOf(journal: Journal): ReleaseOptions {
  return {
    store: journal.store,
    localPath: journal.local_path,
    kubeconfigPaths: null,
    kubeconfigData: null,
    frozen: journal.kubeconfig,
    context: journal.context,
    namespace: journal.namespace,
    requestTimeoutMs: REQUEST_MS,
    // The identity in the record counts: it was compared when the lock was taken.
    target: { lock: journal.lock, object: journal.object, identity: null, by: "object" },
    grant: null,
    nothing: "fine",
  };
}
