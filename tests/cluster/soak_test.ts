/** A short soak: longer ones by `deno task soak --minutes N`. */
import { assertEquals, assertGreater } from "@std/assert";
import { startCluster } from "../support/cluster/cluster.ts";
import { soak } from "../soak/soak.ts";
import { summary } from "../soak/summary.ts";

const SOAK = { lastsMs: 20_000, clients: 8 };

Deno.test("jobs that join, work, die and are cancelled while everything goes wrong take turns, and nothing is left", async () => {
  const seed = Date.now() % 1_000_000;
  await using cluster = await startCluster();
  const result = await soak({ ...SOAK, seed }, cluster, () => {});
  assertEquals(result.violations, [], `seed ${seed}\n${summary(result)}`);
  assertGreater(result.holds, 3);
});
