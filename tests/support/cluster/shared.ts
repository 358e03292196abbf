/** One cluster for many tests: each gets a namespace of its own in it. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { startCluster } from "./cluster.ts";
import { type ClusterDescription, TestCluster } from "./test_cluster.ts";

/** The environment variable with the path of a file that holds a {@link ClusterDescription}. */
export const SHARED_CLUSTER = "K8S_LOCK_TEST_CLUSTER";

/** What a test is given. */
export interface Share {
  /** Must not be stopped, paused or filled up: others use it at the same time. */
  readonly cluster: TestCluster;
  /** A new namespace that nobody else has. */
  readonly namespace: string;
}

/**
 * Runs a test in a namespace of its own, on the cluster that `K8S_LOCK_TEST_CLUSTER` describes, as under
 * `deno task test:cluster`; without it on a new cluster, which is stopped afterwards (3 s more).
 *
 * For tests that stop, pause or reconfigure the server: `startCluster()`.
 */
export async function withSharedCluster(test: (share: Share) => Promise<void>): Promise<void> {
  const file = process.env[SHARED_CLUSTER];
  if (!file) {
    await using cluster = await startCluster();
    return await test({ cluster, namespace: await cluster.createNamespace() });
  }
  const cluster = await TestCluster.open(await readDescription(file));
  using _connections = cluster.api;
  await test({ cluster, namespace: await cluster.createNamespace() });
}

/** The description of a running cluster. */
export async function readDescription(file: string): Promise<ClusterDescription> {
  return JSON.parse(await readFile(file, "utf8")) as ClusterDescription;
}
