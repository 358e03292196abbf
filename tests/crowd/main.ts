/**
 * A crowd before one lock of a real API server, a tenth of whom die: are all that live served, one at a time and in order?
 *
 *     deno task crowd [--waiters 500] [--processes 5] [--seed N]
 *
 * Prints what it took; exits with 1 where a promise was broken.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { startCluster } from "../support/cluster/cluster.ts";
import { crowd, described } from "./crowd.ts";

const { values } = parseArgs({
  options: {
    waiters: { type: "string", default: "500" },
    processes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const [waiters = NaN, processes = NaN, seed = NaN] = [values.waiters, values.processes, values.seed]
  .map(Number);
const options = { waiters, processes, dying: Math.round(waiters / 10), seed, limitMs: 1_800_000 };
const startedAt = performance.now();
const tell = (line: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);
await using cluster = await startCluster();
tell(`seed ${seed}`);
const outcome = await crowd(options, cluster, tell);
console.log(described(options, outcome));
process.exitCode = outcome.violations.length === 0 ? 0 : 1;
