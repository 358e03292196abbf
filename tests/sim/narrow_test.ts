import { assertEquals } from "@std/assert";
import { onAllCores, seedsAsked } from "./many.ts";
import { PATIENCE, report } from "./report.ts";

/** Which seeds the suite runs: `K8S_LOCK_NARROW_SEEDS=first-last` runs others. */
const SEEDS = seedsAsked("K8S_LOCK_NARROW_SEEDS", "1-2000");

Deno.test("however late claims, renewals and reads are, and whoever is cut off just then, two never work at once", async () => {
  const { table, failed } = await onAllCores({ play: "narrow", ...SEEDS });
  if (failed === null) return assertEquals(table.runs, SEEDS.last - SEEDS.first + 1);
  const { seed, failure } = failed;
  throw new Error(report({ play: "narrow", seed }, failure, PATIENCE.test));
});
