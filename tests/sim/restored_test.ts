import { assertEquals } from "@std/assert";
import { onAllCores, seedsAsked } from "./many.ts";
import { PATIENCE, report } from "./report.ts";

/** Which seeds the suite runs: `K8S_LOCK_RESTORED_SEEDS=first-last` runs others. */
const SEEDS = seedsAsked("K8S_LOCK_RESTORED_SEEDS", "1-2000");

Deno.test("where the store is restored or emptied all are told, all work ends by its deadline, nobody waits for ever and nothing is left", async () => {
  const { table, failed } = await onAllCores({ play: "restored", ...SEEDS });
  if (failed === null) return assertEquals(table.runs, SEEDS.last - SEEDS.first + 1);
  const { seed, failure } = failed;
  throw new Error(report({ play: "restored", seed }, failure, PATIENCE.test));
});
