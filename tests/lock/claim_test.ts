import { assert, assertEquals, assertLess } from "@std/assert";
import {
  calmWorld,
  holderOf,
  isClaim,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";

Deno.test("a claim whose answer is lost is seen in the watch, and the work begins at once", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  world.network.fate = (request, sender) =>
    sender === "next" && isClaim(request) ? "unanswered" : null;
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 50);
  const sent = world.network.sent.filter(({ request, sender }) =>
    sender === "next" && isClaim(request)
  );
  assertEquals(next.state.hold?.ackedAt, sent[0]?.at);
});

Deno.test("one whose claims get lost twice in a row goes to the end of the queue", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  // With so short a TTL it has a new grant, and so a new turn, before anybody could find its old turn unclaimed.
  const [stuck, next] = [waiter(world, "stuck", { ttlMs: 6_000 }), waiter(world, "next")];
  world.network.fate = (request, sender) => sender === "stuck" && isClaim(request) ? "lost" : null;
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 10_000);
  assert(stuck.working === null);
});
