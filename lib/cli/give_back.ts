/**
 * The end of one use of the GitHub action: what its journal says was asked for is given back, however far it had come. Run by the action's
 * guard (when taking the lock failed) and by its post step.
 */
import { removeState, stopRenewer, tombstone } from "../host/state.ts";
import { readStates } from "../host/state.ts";
import { withdraw } from "../lock/people.ts";
import { ofStore, openStores } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import { tellGap, usable } from "./job.ts";
import { beginGivingBack, readJournal, writeJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import type { ReleaseOptions } from "./options.ts";
import { giveBack } from "./release.ts";
import { neutral } from "./text.ts";

/** How long new tries are begun, in milliseconds: the action's post step ends this program after a minute. */
const TRY_MS = 40_000;
const PAUSE_MS = 1000;
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
  usable(() => {
    for (const grant of journal.grants) {
      tombstone(journal.state_folder, grant);
      stopRenewer(journal.state_folder, grant);
    }
  });
  const over = () => writeJournal(folder, { ...journal, phase: "over" });
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
        const patience = {
          until: context.monotonicMs() + REQUEST_MS,
          now: context.monotonicMs,
        };
        const holder = state?.holder ?? context.ci.holder;
        const held = await withdraw(
          store,
          { grant, holder, number: context.ci.runNumber },
          patience,
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
