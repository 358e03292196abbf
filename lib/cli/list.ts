/** `list`: all locks of a namespace or file, or those that are named. */
import { StoreError } from "../lock/store.ts";
import type { LockStores } from "../lock/store.ts";
import { openStores, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { ListOptions, Target } from "./options.ts";
import { listText } from "./prose.ts";
import { parsed, queueOf, readLock } from "./read_lock.ts";
import type { SeenLock } from "./read_lock.ts";
import { lockJson } from "./views.ts";

/** How many locks are read at the same time. */
const AT_ONCE = 4;

/** Prints the locks. Records that cannot be read are named in warnings. Throws {@link CliError} when the store cannot be read. */
export async function listCommand(
  options: ListOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { stores } = await open(options, context);
  try {
    const locks = await persistently(
      () => options.targets.length > 0 ? named(stores, options.targets) : all(stores, context),
      options.requestTimeoutMs,
      options.store,
      context,
    );
    if (options.output === "json") {
      const views = locks.map(({ object, record, queue }) => lockJson(object, record, queue));
      context.stdout(JSON.stringify(views, null, 2));
    } else if (locks.length === 0) {
      context.log.info("there are no locks here");
    } else {
      for (const line of listText(locks, context.wall())) context.stdout(line);
    }
    return Exit.done;
  } finally {
    stores.close();
  }
}

function named(stores: LockStores, targets: readonly Target[]): Promise<readonly SeenLock[]> {
  return inBatches(
    targets,
    (target) => readLock(stores.open(target.object, target.lock), target),
  );
}

async function all(stores: LockStores, context: Context): Promise<readonly SeenLock[]> {
  let records;
  try {
    records = await stores.listRecords();
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== "refused") throw error;
    throw new StoreError(
      "refused",
      `${error.message} Without that right, name the locks: k8s-lock list deploy`,
    );
  }
  const seen = await inBatches(records, async ({ object, record: stored }) => {
    const store = stores.open(object, object);
    try {
      const record = parsed(store.object, stored.text);
      return { object: store.object, record, queue: queueOf(record, await store.listTickets()) };
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      // One bad record must not hide the others.
      context.log.warn(error.message);
      return null;
    }
  });
  return seen.filter((lock) => lock !== null)
    .sort((a, b) => a.object < b.object ? -1 : a.object > b.object ? 1 : 0);
}

/** The results in the order of `items`, with a few requests under way at any time. */
async function inBatches<T, R>(
  items: readonly T[],
  read: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    results.push(...await Promise.all(items.slice(start, start + AT_ONCE).map(read)));
  }
  return results;
}
