import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import type { Effect } from "../../lib/lock/driver.ts";
import type { Client } from "../sim/client.ts";
import {
  calmWorld,
  holderOf,
  isRenewal,
  requests,
  untilItIsOver,
  untilItWorks,
  waiter,
  writes,
} from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";

/** Work that ends only when it is killed, by nobody but its holder. */
const RUNAWAY = { workMs: 1e8, stubbornMs: 1e8, lifeline: false };

/** When, after the sending of the last acknowledged renewal, the client does `what`; as a part of its TTL of 10 s. */
function partOfTtl(world: World, client: Client, what: (effect: Effect) => boolean): number {
  const acked = client.state.hold?.ackedAt ?? 0;
  let at: number | null = null;
  client.onEffect = (effect) => {
    if (what(effect)) at ??= world.time.now;
  };
  world.run(() => at !== null, 60_000, "it does not happen");
  return ((at ?? 0) - acked) / 10_000;
}

function cutOff(): { world: World; client: Client } {
  const world = calmWorld();
  const client = world.start("a", {}, RUNAWAY);
  untilItWorks(world, client);
  world.runFor(20_000);
  world.network.down = true;
  return { world, client };
}

Deno.test("a holder renews each sixth of its TTL, counted from the last sending", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  const from = world.time.now;
  world.runFor(60_000);
  const renewals = world.network.sent.filter(({ request }) => isRenewal(request));
  assertAlmostEquals(renewals.length, 36, 1);
  assertEquals(new Set(requests(world, client, from)), new Set(["replace"]));
});

Deno.test("without a renewal for half the TTL the holder warns", () => {
  const { world, client } = cutOff();
  const part = partOfTtl(
    world,
    client,
    (effect) => effect.kind === "tell" && effect.level === "warn",
  );
  assertAlmostEquals(part, 1 / 2, 0.001);
});

Deno.test("without a renewal for two thirds of the TTL the work is told to stop", () => {
  const { world, client } = cutOff();
  const part = partOfTtl(world, client, (e) => e.kind === "stop_work" && e.how === "term");
  assertAlmostEquals(part, 2 / 3, 0.001);
});

Deno.test("without a renewal for five sixths of the TTL the work is killed", () => {
  const { world, client } = cutOff();
  const part = partOfTtl(world, client, (e) => e.kind === "stop_work" && e.how === "kill");
  assertAlmostEquals(part, 5 / 6, 0.001);
});

Deno.test("the deadline counts from the sending of a renewal, however late its answer comes", () => {
  const world = calmWorld();
  const client = world.start("a", {}, RUNAWAY);
  untilItWorks(world, client);
  world.network.fate = (request) => isRenewal(request) ? { answerAfterMs: 1_500 } : null;
  const acked = client.state.hold?.ackedAt;
  world.run(() => client.state.hold?.ackedAt !== acked, 10_000, "no renewal");
  world.network.down = true;
  const sent = world.network.sent.filter(({ request }) => isRenewal(request)).at(-1)?.at ?? 0;
  world.run(() => client.state.hold?.stage === "stopping", 20_000, "it is not stopped");
  assertAlmostEquals(world.time.now - sent, 10_000 * 2 / 3, 20);
});

Deno.test("a renewal whose answer was lost counts from its first sending", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  let first = 0;
  world.network.fate = (request) => {
    if (!isRenewal(request)) return null;
    first ||= world.time.now;
    return "unanswered";
  };
  world.run(() => first > 0 && client.state.hold?.ackedAt === first, 10_000, "not acknowledged");
  assertEquals(client.state.hold?.pending, null);
});

Deno.test("a renewal that did not arrive is sent again, and the lock stays", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  let lost = 0;
  world.network.fate = (request) => isRenewal(request) && lost++ === 0 ? "lost" : null;
  world.runFor(30_000);
  assert(client.working !== null);
  assertEquals(client.state.hold?.stage, "fine");
});

Deno.test("a work that is over its limit is stopped, and killed by the deadline also when no renewal gets through", () => {
  const world = calmWorld();
  const client = world.start("a", { maxHoldMs: 20_000 }, RUNAWAY);
  untilItWorks(world, client);
  world.run(() => client.state.hold?.lost?.kind === "max_hold", 30_000, "no limit");
  const acked = client.state.hold?.ackedAt ?? 0;
  world.network.down = true;
  const kills: number[] = [];
  client.onEffect = (effect) => {
    if (effect.kind === "stop_work" && effect.how === "kill") kills.push(world.time.now);
  };
  untilItIsOver(world, client);
  assertEquals(kills.length, 1);
  assertLess((kills[0] ?? 0) - acked, 10_000 * 5 / 6 + 10);
});

Deno.test("work over its limit has 10 s to end, then is killed, and the lock is given back", () => {
  const world = calmWorld();
  const client = world.start("a", { maxHoldMs: 20_000 }, RUNAWAY);
  const began = untilItWorks(world, client);
  const ended = untilItIsOver(world, client);
  assertAlmostEquals(ended - began, 30_000, 100);
  assertEquals(client.state.result, { kind: "lost", lost: { kind: "max_hold", seconds: 20 } });
  assertEquals(world.record()?.holders, []);
});

Deno.test("a holder that was cut off for longer than its TTL has stopped before another holds", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  const next = waiter(world, "b");
  world.network.fate = (_request, sender) => sender === "a" ? "lost" : null;
  untilItWorks(world, next, 30_000);
  assert(client.working === null);
});

Deno.test("when the wall clock jumps the holder renews at once", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  world.runFor(500);
  client.setWall(3_600_000);
  client.happen({ kind: "tick" });
  world.runFor(10);
  assertEquals(world.network.sent.filter(({ request }) => isRenewal(request)).length, 1);
});

Deno.test("a wall clock that is slewed by little makes nobody renew", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  world.runFor(500);
  client.setWall(1_500);
  client.happen({ kind: "tick" });
  world.runFor(10);
  assertEquals(world.network.sent.filter(({ request }) => isRenewal(request)).length, 0);
});

Deno.test("a machine that slept while its claim was answered makes sure that it still holds before it works", () => {
  const world = calmWorld();
  world.makeRecord(1);
  world.network.fate = (request, sender) =>
    sender === "a" && request.kind === "replace" ? { answerAfterMs: 10 } : null;
  const client = world.start("a");
  world.run(() => world.record()?.holders.length === 1, 1000, "no claim");
  client.sleep(60_000);
  const other = world.start("b", {}, { workMs: 1e8 });
  untilItWorks(world, other);
  world.run(() => !client.paused, 100_000, "it does not wake");
  world.runFor(1_000);
  assertEquals(world.begun.map(({ name }) => name), ["b"]);
});

Deno.test("a machine that slept while a renewal was answered renews again at once", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  world.network.fate = (request) => isRenewal(request) ? { answerAfterMs: 10 } : null;
  world.run(() => client.state.hold?.pending !== null, 5_000, "no renewal");
  const sent = writes(world, client);
  client.sleep(5_000);
  world.run(() => !client.paused, 10_000, "it does not wake");
  world.runFor(20);
  assertEquals(writes(world, client), sent + 1);
});
