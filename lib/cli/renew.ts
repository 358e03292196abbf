/** `renew`: one renewal, for places with no background processes. */
import { renewOnce } from "../lock/people.ts";
import { bypassed } from "./bypass.ts";
import { ofStore, openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { Exit } from "./errors.ts";
import { jobFolder, ownHold } from "./job.ts";
import type { RenewOptions } from "./options.ts";
import { readLock } from "./read_lock.ts";
import { neutral } from "./text.ts";
import { demandHeld } from "./verify.ts";

/** Resolves with 0 when it was renewed. Throws {@link CliError}: 12 lost, 14 never held. */
export async function renewCommand(
  options: RenewOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { target, requestTimeoutMs } = options;
  if (bypassed(context, "renew", target.lock)) return Exit.done;
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const mine = ownHold(
      context,
      jobFolder(context, address),
      store.object,
      target,
      options.grant ?? (context.env["K8S_LOCK_GRANT"]?.trim() || null),
    );
    if (mine === null) {
      demandHeld({ kind: "never_held" }, target.lock, false);
      return Exit.notHolder;
    }
    // That the record is this lock's, and can be read, is for the same check as everywhere.
    await persistently(() => readLock(store, target), requestTimeoutMs, options.store, context);
    const patience = {
      until: context.monotonicMs() + requestTimeoutMs,
      now: context.monotonicMs,
    };
    const now = await renewOnce(store, mine.grant, patience);
    const wasHeld = mine.state !== null && mine.state.phase !== "asking";
    const holder = demandHeld(now, target.lock, wasHeld);
    context.log.info(
      `renewed ${
        neutral(target.lock)
      } (token ${holder.token}); without another renewal others may take it in ${holder.ttl_seconds} s`,
    );
    return Exit.done;
  } catch (error) {
    throw ofStore(error, options.store);
  } finally {
    stores.close();
  }
}
