/** `renew`: one renewal, for places with no background processes. */
import { renewOnce } from "../lock/people.ts";
import { bypassed } from "./bypass.ts";
import { ofStore, openStores, patienceFor, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { formatDuration } from "./durations.ts";
import { Exit } from "./errors.ts";
import { jobFolder } from "./job.ts";
import type { RenewOptions } from "./options.ts";
import { withOwnConnection } from "./own_connection.ts";
import { readLock } from "./read_lock.ts";
import { neutral } from "./text.ts";
import { demandHeld, holdMeant } from "./verify.ts";

/** Resolves with 0 when it was renewed. Throws {@link CliError}: 12 lost, 14 never held. */
export async function renewCommand(
  asked: RenewOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const options = withOwnConnection(asked, context);
  const { target, requestTimeoutMs } = options;
  if (bypassed(context, "renew", target.lock)) return Exit.done;
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    // That the record is this lock's, and can be read, is for the same check as everywhere.
    const look = () => readLock(store, target);
    const seen = await persistently(look, requestTimeoutMs, options.store, context);
    const mine = await holdMeant(options, context, { folder: jobFolder(context, address), seen });
    const now = await renewOnce(store, mine.grant, patienceFor(requestTimeoutMs, context));
    const holder = demandHeld(now, target.lock, mine);
    context.log.info(
      `renewed ${
        neutral(target.lock)
      } (token ${holder.token}); without another renewal others may take it in ${
        formatDuration(holder.ttl_seconds * 1000)
      }`,
    );
    return Exit.done;
  } catch (error) {
    throw ofStore(error, options.store);
  } finally {
    stores.close();
  }
}
