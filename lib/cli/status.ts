/** `status`: one lock's holders, queue and last holders. */
import { ASK_AFTER } from "../lock/expiry.ts";
import type { Fate } from "../lock/expiry.ts";
import type { LockRecord } from "../lock/record.ts";
import { openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { Exit } from "./errors.ts";
import type { StatusOptions } from "./options.ts";
import { withOwnConnection } from "./own_connection.ts";
import { statusText } from "./prose.ts";
import { questionsBy } from "./questions.ts";
import { readLock } from "./read_lock.ts";
import { statusJson } from "./views.ts";

/** What GitHub says of the jobs on which those wait who see their holder silent. Each is asked about once. */
async function fatesOfSilent(
  { holders }: LockRecord,
  context: Context,
): Promise<ReadonlyMap<string, Fate>> {
  const { askJob } = questionsBy(context);
  const told = holders.map(async (holder): Promise<[string, Fate] | null> => {
    const { grant, job, state, on_expiry, renewed_at, ttl_seconds } = holder;
    const silentMs = context.wall().getTime() - Date.parse(renewed_at);
    const asks = state === "held" && on_expiry === "verify" && job !== undefined &&
      silentMs >= ttl_seconds * 1000 * ASK_AFTER;
    return asks ? [grant, await askJob(job)] : null;
  });
  return new Map((await Promise.all(told)).filter((one) => one !== null));
}

/** Prints the lock. Throws {@link CliError} when it cannot be read. */
export async function statusCommand(
  asked: StatusOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const options = withOwnConnection(asked, context);
  const { target } = options;
  const { stores } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const { object, record, queue } = await persistently(
      () => readLock(store, target),
      options.requestTimeoutMs,
      options.store,
      context,
    );
    if (options.output === "json") {
      context.stdout(JSON.stringify(statusJson(object, record, queue), null, 2));
    } else {
      const fates = await fatesOfSilent(record, context);
      const observed = { turnMs: null, fates };
      for (const line of statusText(object, record, queue, context.wall(), observed)) {
        context.stdout(line);
      }
    }
    return Exit.done;
  } finally {
    stores.close();
  }
}
