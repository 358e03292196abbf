/** `status`: one lock's holders, queue and last holders. */
import { openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { Exit } from "./errors.ts";
import type { StatusOptions } from "./options.ts";
import { withOwnConnection } from "./own_connection.ts";
import { statusText } from "./prose.ts";
import { readLock } from "./read_lock.ts";
import { statusJson } from "./views.ts";

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
      for (const line of statusText(object, record, queue, context.wall())) context.stdout(line);
    }
    return Exit.done;
  } finally {
    stores.close();
  }
}
