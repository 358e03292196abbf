/** From the options to the store, and from a store's failures to exit codes. */
import { homedir } from "node:os";
import { warmUpTls } from "../kube/warm_up.ts";
import { persistently as again } from "../lock/people.ts";
import type { Patience } from "../lock/people.ts";
import { StoreError } from "../lock/store.ts";
import type { LockStores } from "../lock/store.ts";
import type { Context } from "./context.ts";
import { CliError, Exit, usage } from "./errors.ts";
import type { FrozenText } from "./journal.ts";
import type { WhereOptions } from "./options.ts";

/** Where the locks are that a command is about. */
export interface Place {
  /** To be closed by whoever opened it. */
  readonly stores: LockStores;
  /** How to name it in the commands that are printed for people. */
  readonly address: Address;
}

/** A namespace of a cluster, or a file. */
export type Address =
  | {
    readonly store: "secret";
    readonly namespace: string;
    /** `--context` as it was given; null when nobody gave one. */
    readonly context: string | null;
    /** The API server's address. */
    readonly server: string;
  }
  | { readonly store: "local"; readonly path: string };

/** Opens a store. */
export type OpenStores = (where: WhereOptions, context: Context) => Promise<Place>;

/**
 * Opens the store that the options ask for. Nothing is sent yet.
 *
 * @throws {CliError} (exit 2) when the configuration cannot be used
 */
export const openStores: OpenStores = (where, context): Promise<Place> =>
  where.store === "local" ? openLocal(where, context) : openCluster(where, context);

async function openLocal(
  { localPath, requestTimeoutMs }: WhereOptions,
  context: Context,
): Promise<Place> {
  context.log.debug(`locks of this machine in ${localPath}`);
  const { sqliteStores } = await import("../store/sqlite_store.ts");
  return {
    stores: sqliteStores(localPath, { requestTimeoutMs }),
    address: { store: "local", path: localPath },
  };
}

async function openCluster(where: WhereOptions, context: Context): Promise<Place> {
  warmUpTls();
  // Loaded here, as most of the program's size and start is in them.
  const { loadConnection } = await import("../kube/kubeconfig.ts");
  const { KubeClient } = await import("../kube/client.ts");
  const { KubeconfigError } = await import("../kube/errors.ts");
  const { secretStores } = await import("../store/secret_store.ts");
  try {
    const connection = await loadConnection({
      kubeconfigPaths: where.kubeconfigPaths ?? undefined,
      kubeconfigData: where.kubeconfigData ?? undefined,
      frozen: where.frozen,
      context: where.context ?? undefined,
      namespace: where.namespace ?? undefined,
      env: context.env,
      home: context.env["HOME"] || homedir(),
    });
    const client = new KubeClient(connection, {
      version: context.version,
      requestTimeoutMs: where.requestTimeoutMs,
    });
    const { namespace } = connection;
    context.log.debug(
      `cluster ${connection.server.href} (context ${connection.context}, from ${
        connection.from.join(", ")
      }), namespace ${namespace}`,
    );
    return {
      stores: secretStores(client, { namespace }),
      address: {
        store: "secret",
        namespace,
        context: where.context,
        server: connection.server.href,
      },
    };
  } catch (error) {
    if (error instanceof KubeconfigError) throw usage(error.message);
    throw error;
  }
}

/**
 * The kubeconfigs that the options stand for, to be used later as they are now; none in a pod.
 *
 * @throws {CliError} (exit 2) when they cannot be read
 */
export async function frozenTexts(
  where: WhereOptions,
  context: Context,
): Promise<readonly FrozenText[]> {
  if (where.store === "local") return [];
  const { kubeconfigTexts } = await import("../kube/kubeconfig_text.ts");
  const { KubeconfigError } = await import("../kube/errors.ts");
  try {
    return where.frozen ?? await kubeconfigTexts({
      kubeconfigPaths: where.kubeconfigPaths ?? undefined,
      kubeconfigData: where.kubeconfigData ?? undefined,
      env: context.env,
      home: context.env["HOME"] || homedir(),
    }) ?? [];
  } catch (error) {
    if (error instanceof KubeconfigError) throw usage(error.message);
    throw error;
  }
}

/** Tries that are given up so many milliseconds from now. */
export function patienceFor(ms: number, { monotonicMs }: Pick<Context, "monotonicMs">): Patience {
  return { until: monotonicMs() + ms, now: monotonicMs };
}

/** How a failure of the store ends the program: the cluster's (11), or what is kept there or in the file (15). */
export function ofStore(error: unknown, store: WhereOptions["store"]): unknown {
  if (!(error instanceof StoreError)) return error;
  const unusable = error.kind === "unusable" || store === "local";
  return new CliError(unusable ? Exit.unusable : Exit.unreachable, error.message);
}

/**
 * What `request` resolves with. Where there is no answer it is tried again for `limitMs` in all, so that a restart of the API server
 * fails nobody's command.
 *
 * @throws {CliError} (exit 11 or 15) when the store refuses, or there is no answer for so long
 */
export async function persistently<T>(
  request: () => Promise<T>,
  limitMs: number,
  store: WhereOptions["store"],
  clock: Pick<Context, "monotonicMs">,
): Promise<T> {
  try {
    return await again(patienceFor(limitMs, clock), request);
  } catch (error) {
    throw ofStore(error, store);
  }
}
