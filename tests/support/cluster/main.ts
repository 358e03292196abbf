/**
 * Test clusters from the command line.
 *
 *     deno run -A tests/support/cluster/main.ts run -- deno test -A tests/cluster
 *     export K8S_LOCK_TEST_CLUSTER=$(deno run -A tests/support/cluster/main.ts start)
 *     deno run -A tests/support/cluster/main.ts stop
 *
 * `run` starts a cluster, runs a command with K8S_LOCK_TEST_CLUSTER set, stops the cluster however that
 * ended, and exits with the command's code. `start` leaves it running and prints the path to put into that
 * variable; `stop` ends the one that it names.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Cluster, startCluster } from "./cluster.ts";
import { endById } from "./server_process.ts";
import { readDescription, SHARED_CLUSTER } from "./shared.ts";

/** Starts a cluster that stays, and returns the path of its description. */
async function start(): Promise<string> {
  const cluster = await startCluster({ life: "on its own" });
  cluster.api[Symbol.dispose]();
  return await writeDescription(cluster);
}

/** Ends a cluster that `start` started. */
async function stop(file: string): Promise<void> {
  const { pids, folder } = await readDescription(file);
  // Both have paths in this folder among their arguments.
  await Promise.all([endById(pids.apiServer, folder), endById(pids.etcd, folder)]);
  await rm(folder, { recursive: true, force: true });
}

/** Runs a command while a cluster of its own is up, and returns its exit code. */
async function run(command: readonly string[]): Promise<number> {
  const signalled = firstSignal();
  // A signal during the start ends it by our exit: what a cluster has started by then ends with us.
  const cluster = await Promise.race([startCluster(), signalled]);
  if (typeof cluster === "string") return exitCode(cluster);
  try {
    return await runToItsEnd(command, await writeDescription(cluster), signalled);
  } finally {
    await cluster.stop();
  }
}

async function runToItsEnd(
  [name = "", ...args]: readonly string[],
  description: string,
  signalled: Promise<NodeJS.Signals>,
): Promise<number> {
  // Under `npx deno` and `deno task` there may be no deno on PATH, or another one.
  const program = name === "deno" ? process.execPath : name;
  const env = { ...process.env, [SHARED_CLUSTER]: description };
  const child = spawn(program, args, { stdio: "inherit", env });
  signalled.then((signal) => child.kill(signal));
  const [code, signal] = await once(child, "exit") as [number | null, NodeJS.Signals | null];
  return code ?? exitCode(signal ?? "SIGTERM");
}

async function writeDescription(cluster: Cluster): Promise<string> {
  const description = cluster.describe();
  const file = join(description.folder, "cluster.json");
  await writeFile(file, JSON.stringify(description, null, 2));
  return file;
}

/** The first signal that asks us to end. From then on we end in order: later ones change nothing. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => resolve(signal));
    }
  });
}

/** As a shell reports the end by a signal. */
function exitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

async function main([verb, ...rest]: readonly string[]): Promise<number> {
  if (verb === "start") {
    console.log(await start());
    return 0;
  }
  if (verb === "stop") {
    const file = rest[0] ?? process.env[SHARED_CLUSTER];
    if (file) {
      await stop(file);
      return 0;
    }
  }
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  if (verb === "run" && command.length > 0) return await run(command);
  console.error(
    `usage: main.ts start | stop [FILE] | run -- COMMAND…   (FILE: $${SHARED_CLUSTER})`,
  );
  return 2;
}

process.exit(await main(process.argv.slice(2)));
