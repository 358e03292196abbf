import { simulateV3 } from "./v3_chaos.ts";

/** How many seeds the suite runs; `K8S_LOCK_V3_SEEDS=first-last` runs others, `K8S_LOCK_V3_SEEDS=N` one with its story. */
const SEEDS = Deno.env.get("K8S_LOCK_V3_SEEDS") ?? "1-1000";

Deno.test("whatever goes wrong, jobs of version 3 and ours never work at once, none of ours waits for ever and no number is lost", () => {
  const [first, last] = SEEDS.split("-").map(Number);
  if (first === undefined) throw new Error(`no seeds in ${SEEDS}`);
  for (let seed = first; seed <= (last ?? first); seed++) simulateV3(seed);
});
