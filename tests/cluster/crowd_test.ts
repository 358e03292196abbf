/** A crowd before one lock: as many as fit beside all other tests; more by `deno task crowd`. */
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { crowd, described } from "../crowd/crowd.ts";
import { withSharedCluster } from "../support/cluster/shared.ts";

const CROWD = { waiters: 200, processes: 5, dying: 20, limitMs: 600_000 };

Deno.test("of two hundred waiters a tenth dies at any moment: all others hold once, one at a time and in order, and nothing is left", () =>
  withSharedCluster(async ({ cluster }) => {
    const options = { ...CROWD, seed: Date.now() % 1_000_000 };
    const outcome = await crowd(options, cluster, () => {});
    const words = `seed ${options.seed}\n${described(options, outcome)}`;
    assertEquals(outcome.violations, [], words);
    // The first, the living and the last.
    assertGreaterOrEqual(outcome.holds, 1 + CROWD.waiters - CROWD.dying + 1);
    console.log(words);
  }));
