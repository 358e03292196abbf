import { assertEquals } from "@std/assert";
import { simulate } from "./chaos.ts";
import { World } from "./world.ts";

/** How many seeds the suite runs; `K8S_LOCK_SEEDS=first-last` runs others, `K8S_LOCK_SEEDS=N` one with its story. */
const SEEDS = Deno.env.get("K8S_LOCK_SEEDS") ?? "1-2500";

Deno.test("whatever goes wrong, two never work at once, tokens grow, nobody waits for ever and nothing is left", () => {
  const [first, last] = SEEDS.split("-").map(Number);
  if (first === undefined) throw new Error(`no seeds in ${SEEDS}`);
  for (let seed = first; seed <= (last ?? first); seed++) simulate(seed);
});

Deno.test("without faults twenty that come one after the other hold in that order", () => {
  const world = new World(1);
  for (let i = 0; i < 20; i++) {
    world.start(`c${i}`, {}, { workMs: 300 });
    world.runFor(300);
  }
  world.run(() => world.clients.every((client) => client.over), 60_000, "they do not end");
  assertEquals(world.begun.map(({ name }) => name), world.clients.map((c) => c.persona.name));
});
