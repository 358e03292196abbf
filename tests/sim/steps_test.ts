import { assertEquals } from "@std/assert";
import { touchTicket } from "./people.ts";
import {
  calmWorld,
  edit,
  ghostTicket,
  holderOf,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "./scenario.ts";
import type { Client } from "./client.ts";
import type { Step } from "./steps.ts";
import type { World } from "./world.ts";

/** The steps of `client` since `from`, as they were seen on the wire. */
function steps(world: World, client: Client, from = 0): Step[] {
  return world.network.sent
    .filter(({ sender, at }) => sender === client.persona.name && at >= from)
    .map(({ step }) => step);
}

Deno.test("steps: who finds nothing makes the record and claims", () => {
  const world = calmWorld();
  const client = world.start("a", {}, { workMs: 10 });
  untilItIsOver(world, client);
  assertEquals(steps(world, client), [
    ...["read", "list", "create record", "read", "list", "claim"],
    ...["list", "release"],
  ]);
});

Deno.test("steps: who waits makes a ticket, claims when the release has named it, and clears it away", () => {
  const world = calmWorld();
  const holder = world.start("a", {}, { workMs: 1_000 });
  untilItWorks(world, holder);
  const next = waiter(world, "b");
  untilItWorks(world, next);
  assertEquals(steps(world, holder).slice(-2), ["list", "release"]);
  assertEquals(steps(world, next), [
    ...["read", "list", "create ticket", "read"],
    ...["claim", "clear away"],
  ]);
});

Deno.test("steps: dead tickets are found by a call, which the living answer and one closes", () => {
  const world = calmWorld();
  world.makeRecord(1);
  const holder = holderOf(world, "a");
  ghostTicket(world, "dead-1");
  const living = waiter(world, "b");
  holder.signal();
  untilItWorks(world, living);
  const seen = steps(world, living);
  for (const step of ["call the roll", "answer the roll", "close the roll", "claim"] as const) {
    assertEquals(seen.includes(step), true, `${step} is not among ${seen}`);
  }
});

Deno.test("steps: a dead holder is removed; a holder renews", () => {
  const world = calmWorld();
  const holder = holderOf(world, "a");
  const next = waiter(world, "b");
  world.runFor(3_000);
  assertEquals(steps(world, holder).at(-1), "renew");
  holder.kill();
  untilItWorks(world, next);
  assertEquals(steps(world, next).slice(-5), ["read", "list", "remove", "claim", "clear away"]);
});

Deno.test("steps: who gives up deletes its ticket and looks whether its turn was named", () => {
  const world = calmWorld();
  holderOf(world, "a");
  const leaves = waiter(world, "b");
  const from = world.time.now;
  leaves.signal();
  untilItIsOver(world, leaves);
  assertEquals(steps(world, leaves, from), ["cancel", "read"]);
});

Deno.test("steps: a ticket that somebody touched is put back in its place by its waiter", () => {
  const world = calmWorld();
  holderOf(world, "a");
  const touched = waiter(world, "b");
  touchTicket(world);
  const from = world.time.now;
  world.run(
    () => steps(world, touched, from).includes("create ticket"),
    120_000,
    "it does not look after its ticket",
  );
});

Deno.test("steps: who sees that there is more room settles, and claims", () => {
  const world = calmWorld();
  holderOf(world, "a");
  const next = waiter(world, "b");
  const from = world.time.now;
  edit(world, (record) => ({ ...record, capacity: 2 }));
  untilItWorks(world, next);
  assertEquals(steps(world, next, from), ["list", "settle", "claim", "clear away"]);
});
