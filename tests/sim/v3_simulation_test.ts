import { assertEquals } from "@std/assert";
import { onAllCores, seedsAsked } from "./many.ts";
import { PATIENCE, report } from "./report.ts";

/** Which seeds the suite runs: `K8S_LOCK_V3_SEEDS=first-last` runs others. */
const SEEDS = seedsAsked("K8S_LOCK_V3_SEEDS", "1-2000");

Deno.test("whatever goes wrong, jobs of version 3 and ours never work at once, none of ours waits for ever and no number is lost", async () => {
  const { table, failed } = await onAllCores({ play: "v3", ...SEEDS });
  if (failed === null) return assertEquals(table.runs, SEEDS.last - SEEDS.first + 1);
  const { seed, failure } = failed;
  throw new Error(report({ play: "v3", seed }, failure, PATIENCE.test));
});
