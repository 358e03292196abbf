/**
 * A soak: jobs that join, work, die, sleep and are cancelled at random, on a real API server that is restarted, silent, far away and
 * lied about. Whether they took turns is told from what their work wrote down.
 *
 *     deno task soak --minutes 20 [--seed N] [--clients N]
 *
 * Prints a table; exits with 1 where a promise was broken, and prints the seed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { bundle } from "../../tools/bundle.ts";
import { startCluster } from "../support/cluster/cluster.ts";
import { startAs } from "../support/started.ts";
import { soak } from "./soak.ts";
import { summary } from "./summary.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "5" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      clients: { type: "string", default: "30" },
    },
  });
  const [minutes = NaN, seed = NaN, clients = NaN] = [values.minutes, values.seed, values.clients]
    .map(Number);
  if (!(minutes > 0 && Number.isSafeInteger(seed) && clients > 0)) {
    console.error("usage: deno task soak --minutes N [--seed N] [--clients N]");
    return 2;
  }
  const startedAt = performance.now();
  const tell = (line: string) =>
    console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-bundle-"));
  try {
    const file = join(folder, "k8s-lock.js");
    await bundle("main.ts", file);
    startAs([Deno.execPath(), "run", "-A", "-q", "--no-config", file]);
    await using cluster = await startCluster();
    tell(`seed ${seed}: ${clients} jobs at a time for ${minutes} min`);
    const result = await soak({ lastsMs: minutes * 60_000, clients, seed }, cluster, tell);
    console.log(summary(result));
    if (result.violations.length === 0) return 0;
    console.log(
      `violations: ${result.violations.length}; seed ${seed}\n${result.violations.join("\n\n")}`,
    );
    return 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

process.exit(await main());
