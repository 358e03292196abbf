import { assert, assertEquals, assertLess } from "@std/assert";
import type { Client } from "../sim/client.ts";
import { breakLock, deleteRecord } from "../sim/people.ts";
import type { Fate } from "../sim/network.ts";
import {
  calmWorld,
  edit,
  holderOf,
  isClaim,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";

/** Nothing of anybody is left that somebody would have to wait for. */
function assertNothingLeft(world: World): void {
  assertEquals(ticketsStanding(world), []);
  assertEquals(world.record()?.turn ?? [], []);
  assertEquals(world.record()?.holders ?? [], []);
}

function claimed(world: World, client: Client): () => boolean {
  const { name } = client.persona;
  return () => world.network.sent.some((one) => one.sender === name && isClaim(one.request));
}

/** Gives `client` a turn, with that fate for all its claims, and goes on until the first was sent. */
function claiming(fate: Fate | null): { world: World; client: Client; next: Client } {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const next = waiter(world, "b");
  world.network.fate = (request, sender) => sender === "a" && isClaim(request) ? fate : null;
  holder.signal();
  world.run(claimed(world, client), 10_000, "no claim");
  return { world, client, next };
}

Deno.test("one that gives up while it arrives leaves nothing", () => {
  const world = calmWorld();
  const client = world.start("a");
  client.signal();
  untilItIsOver(world, client, 1_000);
  assertEquals(client.state.result, { kind: "gave_up" });
  assertNothingLeft(world);
});

Deno.test("one that gives up while its ticket is being made leaves nothing", () => {
  const fates: (Fate | null)[] = [null, "unanswered", "failed_applied", "twice", { lateMs: 2_000 }];
  for (const fate of fates) {
    const world = calmWorld();
    const holder = holderOf(world, "holder");
    const client = world.start("a");
    const asked = () => requests(world, client).includes("create_ticket");
    world.network.fate = (request) => request.kind === "create_ticket" ? fate : null;
    world.run(asked, 1_000, "no ticket is made");
    client.signal();
    untilItIsOver(world, client);
    holder.signal();
    untilItIsOver(world, holder);
    world.runFor(100);
    assertNothingLeft(world);
  }
});

Deno.test("one that gives up while it waits leaves nothing", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  client.signal();
  untilItIsOver(world, client, 100);
  holder.signal();
  untilItIsOver(world, holder);
  assertNothingLeft(world);
});

Deno.test("one whose time is over is told that the lock is busy, and leaves nothing", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a", { timeoutMs: 5_000 });
  assertLess(untilItIsOver(world, client), 5_200);
  assertEquals(client.state.result, { kind: "busy" });
  holder.signal();
  untilItIsOver(world, holder);
  assertNothingLeft(world);
});

Deno.test("one that gives up just as its turn is named names the next itself, at once", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const next = waiter(world, "b");
  // It does not hear of its turn any more.
  world.network.faults = { ...world.network.faults, watchSilent: 1 };
  holder.signal();
  world.run(() => world.record()?.turn[0] === client.state.grant, 5_000, "not named");
  world.network.faults = { ...world.network.faults, watchSilent: 0 };
  const from = world.time.now;
  client.signal();
  world.run(() => world.record()?.turn[0] === next.state.grant, 100, "the next is not named");
  assertLess(world.time.now - from, 100);
});

Deno.test("one that gives up while its claim is under way gives back what it claimed", () => {
  for (const fate of [null, "twice", { answerAfterMs: 1_000 }] as const) {
    const { world, client, next } = claiming(fate);
    client.signal();
    const from = world.time.now;
    untilItIsOver(world, client);
    assertLess(untilItWorks(world, next) - from, 1_200);
    untilItIsOver(world, next);
    world.runFor(100);
    assertNothingLeft(world);
    assertEquals(world.begun.map(({ name }) => name), ["holder", "b"]);
  }
});

Deno.test("one that gives up with an unanswered claim never holds, however late it lands", () => {
  for (const lateMs of [5_500, 9_000, 30_000]) {
    const { world, client, next } = claiming({ lateMs });
    client.signal();
    untilItIsOver(world, client, 12_000);
    untilItWorks(world, next, 1_000);
    world.runFor(40_000);
    assertNothingLeft(world);
    assertEquals(world.begun.map(({ name }) => name), ["holder", "b"]);
  }
});

Deno.test("one that gives up with an unanswered claim that came true gives it back", () => {
  const { world, client, next } = claiming("unanswered");
  client.signal();
  untilItIsOver(world, client, 12_000);
  untilItWorks(world, next, 1_000);
});

Deno.test("one that gives up past its time, with an unanswered claim on a free lock, bars it", () => {
  const world = calmWorld();
  world.makeRecord(1);
  world.network.fate = (request, sender) =>
    sender === "a" && isClaim(request) ? { lateMs: 20_000 } : null;
  const client = world.start("a", { timeoutMs: 3_000 });
  untilItIsOver(world, client);
  world.runFor(30_000);
  const past = world.record()?.history.find((one) => one.grant === client.state.grant);
  assertEquals([past?.outcome, past?.token], ["gave_up", null]);
  assertNothingLeft(world);
  assertEquals(world.begun, []);
});

Deno.test("one that gives up as it holds, before its work began, gives the lock back", () => {
  const world = calmWorld();
  world.makeRecord(1);
  let claims = 0;
  world.network.fate = (request) => isClaim(request) && claims++ < 1 ? "unanswered" : null;
  const client = world.start("a");
  // It finds its claim after half of the TTL and has to renew first.
  world.run(() => client.state.hold !== null, 20_000, "it does not hold");
  assertEquals(client.state.hold?.work, "none");
  client.signal();
  untilItIsOver(world, client);
  assertEquals(client.state.result, { kind: "gave_up" });
  assertNothingLeft(world);
  assertEquals(world.begun, []);
});

Deno.test("one that gives up while the record is gone leaves nothing", () => {
  const world = calmWorld();
  holderOf(world, "holder").kill();
  const client = waiter(world, "a");
  deleteRecord(world);
  world.runFor(1_000);
  client.signal();
  untilItIsOver(world, client, 1_000);
  assertEquals(ticketsStanding(world), []);
  assertEquals(world.record(), null);
});

Deno.test("one that gives up while the store is away says what it leaves behind", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const client = waiter(world, "a");
  world.network.down = true;
  client.signal();
  assertLess(untilItIsOver(world, client), 11_000);
  assert(client.state.leftBehind !== null);
});

Deno.test("one that gives up on its way out of the queue of a broken lock is still told that it was dropped", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  world.network.fate = (request, sender) =>
    sender === "a" && isClaim(request) ? "unanswered" : null;
  holder.signal();
  world.run(() => world.record()?.holders[0]?.grant === client.state.grant, 5_000, "no claim");
  breakLock(world, "in order");
  untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "dropped");
  assertNothingLeft(world);
});

Deno.test("a leaver whose settling write comes too late tries again from what stands then", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const next = waiter(world, "b");
  world.network.faults = { ...world.network.faults, watchSilent: 1 };
  holder.signal();
  world.run(() => world.record()?.turn[0] === client.state.grant, 5_000, "not named");
  let raced = false;
  world.network.fate = (request, sender) => {
    if (sender !== "a" || request.kind !== "replace" || raced) return null;
    raced = true;
    edit(world, (record) => ({ ...record, extra: { note: "raced" } }));
    return null;
  };
  client.signal();
  untilItIsOver(world, client, 1_000);
  assertEquals(world.record()?.turn, [next.state.grant]);
});

for (
  const [fate, leastMs, most] of [
    ["throttled", 1000, 10],
    ["failed", 50, 20],
    ["unanswered", 50, 20],
  ] as const
) {
  Deno.test(`one that gives up and whose deletion is ${fate} asks again in the store's time, not all the time`, () => {
    const world = calmWorld();
    holderOf(world, "holder");
    const client = waiter(world, "a");
    world.network.fate = (request) => request.kind === "delete_tickets" ? fate : null;
    client.signal();
    untilItIsOver(world, client, 11_000);
    const sent = world.network.sent
      .filter(({ sender, request }) => sender === "a" && request.kind === "delete_tickets")
      .map(({ at }) => at);
    const pauses = sent.slice(1).map((at, index) => at - (sent[index] ?? 0));
    assertEquals(pauses.filter((pause) => pause < leastMs), []);
    assert(sent.length > 1 && sent.length <= most, `${sent.length} requests`);
  });
}
