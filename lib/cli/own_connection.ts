/** In a job whose lock was taken by the GitHub action, the later commands about that lock find its cluster by themselves. */
import type { Context } from "./context.ts";
import { endJournals, openJournals } from "./journal.ts";
import type { LockOptions } from "./options.ts";

/**
 * The options with the connection by which this job took the lock, where they name none themselves. (The kubeconfig that KUBECONFIG names
 * does not count: a job may have logged in to the cluster that it deploys to in the meantime.)
 */
export function withOwnConnection<O extends LockOptions>(options: O, context: Context): O {
  const { store, kubeconfigPaths, kubeconfigData, context: named, namespace, target } = options;
  const temp = context.env["RUNNER_TEMP"] ?? "";
  const given = [kubeconfigPaths, kubeconfigData, named, namespace].some((one) => one !== null);
  if (given || store !== "secret" || temp === "") return options;
  const [first, ...others] = openJournals(temp).filter(({ object }) => object === target.object);
  // The same name in two clusters: then only the one who asks can say which.
  if (first === undefined || others.some((one) => one.state_folder !== first.state_folder)) {
    return options;
  }
  return {
    ...options,
    frozen: first.kubeconfig,
    store: first.store,
    localPath: first.local_path,
    context: first.context,
    namespace: first.namespace,
  };
}

/** The action need not give that grant back any more. */
export function wasGivenBack(grant: string, context: Context): void {
  const temp = context.env["RUNNER_TEMP"] ?? "";
  if (temp !== "") endJournals(temp, grant);
}
