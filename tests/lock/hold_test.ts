import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { breakLock, deleteRecord } from "../sim/people.ts";
import { NO_FAULTS, OBJECT } from "../sim/network.ts";
import type { Client } from "../sim/client.ts";
import type { World } from "../sim/world.ts";
import {
  calmWorld,
  edit,
  holderOf,
  isRelease,
  isRenewal,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWorks,
  waiter,
  writes,
} from "../sim/scenario.ts";

Deno.test("a holder whose entry was broken stops its work and gives the lock back itself", () => {
  const world = calmWorld();
  const client = world.start("a", {}, { workMs: 1e8, stubbornMs: 300 });
  untilItWorks(world, client);
  const next = waiter(world, "b");
  world.runFor(2_000);
  breakLock(world, "in order");
  const from = world.time.now;
  assertLess(untilItWorks(world, next) - from, 400);
  assertEquals(client.state.result, {
    kind: "lost",
    lost: { kind: "broken", by: "person", reason: "test" },
  });
});

Deno.test("a holder that knows of its break only by its renewal stops then, at the latest", () => {
  const world = calmWorld();
  const client = world.start("a", { news: "poll" }, { workMs: 1e8, stubbornMs: 300 });
  untilItWorks(world, client);
  breakLock(world, "in order");
  const from = world.time.now;
  assertLess(untilItIsOver(world, client) - from, 10_000 / 6 + 400);
});

Deno.test("a holder whose record was deleted stops its work, and neither makes a record nor writes one", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  world.runFor(5_000);
  deleteRecord(world);
  const from = world.time.now;
  untilItIsOver(world, client, 5_000);
  assertEquals(client.state.result, { kind: "lost", lost: { kind: "deleted" } });
  assertEquals(writes(world, client, from + 3), 0);
  assert(!requests(world, client, from).includes("create_record"));
});

Deno.test("a holder whose record was deleted and made again does not touch the new one", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  deleteRecord(world);
  world.makeRecord(1);
  untilItIsOver(world, client, 5_000);
  assertEquals(client.state.result, { kind: "lost", lost: { kind: "deleted" } });
  assertEquals(world.record()?.last_token, 0);
});

Deno.test("a holder whose record was deleted and brought back from a copy has lost the lock all the same", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  const text = world.core.readRecord(OBJECT)?.text ?? "";
  deleteRecord(world);
  world.core.createRecord(OBJECT, text);
  untilItIsOver(world, client, 5_000);
  assertEquals(client.state.result, { kind: "lost", lost: { kind: "deleted" } });
  assertEquals(world.core.readRecord(OBJECT)?.text, text);
});

Deno.test("a holder that was removed as silent learns by whom", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  const next = waiter(world, "b");
  world.runFor(2_000);
  client.pause(15_000);
  untilItWorks(world, next, 20_000);
  untilItIsOver(world, client);
  const result = client.state.result;
  assert(result?.kind === "lost");
});

Deno.test("a release that was refused as out of date is made anew from what stands then", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  let raced = false;
  world.network.fate = (request) => {
    if (!isRelease(request) || raced) return null;
    raced = true;
    edit(world, (record) => ({ ...record, extra: { note: "raced" } }));
    return null;
  };
  client.signal();
  untilItIsOver(world, client, 2_000);
  assertEquals(client.state.result, { kind: "released" });
  assertEquals(world.record()?.holders, []);
  assertEquals(world.record()?.extra, { note: "raced" });
});

Deno.test("a release whose answer was lost is found out, not made twice", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  world.network.fate = (request) => isRelease(request) ? "unanswered" : null;
  client.signal();
  untilItIsOver(world, client);
  assertEquals(client.state.result, { kind: "released" });
  assertEquals(world.network.sent.filter(({ request }) => isRelease(request)).length, 1);
});

Deno.test("the release itself names the next", () => {
  const world = calmWorld();
  const client = holderOf(world, "a");
  const next = waiter(world, "b");
  next.kill();
  client.signal();
  untilItIsOver(world, client);
  assertEquals(world.record()?.turn, [next.state.grant]);
});

Deno.test("a waiter that was not in the releaser's list takes the room by itself", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  world.network.faults = { ...NO_FAULTS, stale: 1 };
  holder.signal();
  untilItIsOver(world, holder);
  assertEquals(world.record()?.turn, []);
  const from = world.time.now;
  assertLess(untilItWorks(world, next) - from, 100);
  // It names itself, and claims.
  assertEquals(writes(world, next), 2);
});

Deno.test("a holder that hands over stops without giving the lock back, and another process goes on", () => {
  const world = calmWorld();
  const steps = { work: "steps" } as const;
  const client = holderOf(world, "a", steps);
  const grant = client.state.grant;
  client.happen({ kind: "hand_over" });
  assertEquals(client.state.result, { kind: "handed_over" });
  const renewer = world.start("r", { ...steps, resumed: { grant, then: "hold" } }, { workMs: 1e8 });
  world.runFor(60_000);
  assertEquals(world.record()?.holders.map((holder) => holder.grant), [grant]);
  assertEquals(renewer.state.phase, "holding");
});

Deno.test("another process gives back what the first acquired", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  const grant = client.state.grant;
  client.happen({ kind: "hand_over" });
  const releaser = world.start("r", { resumed: { grant, then: "release" } });
  untilItIsOver(world, releaser, 1_000);
  assertEquals(releaser.state.result, { kind: "released" });
  assertEquals(world.record()?.holders, []);
});

Deno.test("a release of what was never held changes nothing and says so", () => {
  const world = calmWorld();
  holderOf(world, "a");
  const releaser = world.start("r", { resumed: { grant: "other-1", then: "release" } });
  untilItIsOver(world, releaser, 1_000);
  assertEquals(releaser.state.result, { kind: "not_holder" });
  assertEquals(writes(world, releaser), 0);
});

Deno.test("a release of what has expired changes nothing and says by whom it was taken off", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  const grant = client.state.grant;
  client.happen({ kind: "hand_over" });
  const next = waiter(world, "b");
  untilItWorks(world, next);
  const releaser = world.start("r", { resumed: { grant, then: "release" } });
  untilItIsOver(world, releaser, 1_000);
  const result = releaser.state.result;
  assert(result?.kind === "lost" && result.lost.kind === "expired");
  assertEquals(result.lost.by, "b");
});

Deno.test("a process that goes on with a hold keeps to the TTL in the record, not to its own", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  const grant = client.state.grant;
  client.happen({ kind: "hand_over" });
  world.start("r", { work: "steps", ttlMs: 600_000, resumed: { grant, then: "hold" } }, {
    workMs: 1e8,
  });
  waiter(world, "b");
  world.runFor(60_000);
  assertEquals(world.record()?.holders.map((holder) => holder.grant), [grant]);
});

Deno.test("steps that cannot be stopped go on being renewed after a gap, while nobody else held", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  world.network.down = true;
  world.runFor(15_000);
  assertEquals(client.state.hold?.lost?.kind, "silent");
  world.network.down = false;
  world.runFor(5_000);
  assertEquals(client.state.hold?.lost, null);
  assertEquals(world.record()?.holders.length, 1);
});

Deno.test("a holder's own tickets and those of the spent are cleared away beside the work", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  holder.signal();
  untilItWorks(world, client);
  world.runFor(10);
  assertEquals(ticketsStanding(world), []);
});

Deno.test("a lock lost before any work began is waited for again, with another grant in the old place", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const { grant, place } = client.state;
  world.network.fate = (request, sender) =>
    sender === "a" && request.kind === "replace" ? "unanswered" : null;
  holder.signal();
  world.run(() => world.record()?.holders[0]?.grant === grant, 5_000, "no claim");
  client.pause(15_000);
  const next = waiter(world, "b");
  untilItIsOver(world, next);
  world.network.fate = () => null;
  untilItWorks(world, client);
  assertNotEquals(client.state.grant, grant);
  assertEquals(client.state.place, place);
  assertEquals(world.begun.map(({ name }) => name), ["holder", "b", "a"]);
});

Deno.test("after an outage that all had, the holder that lived through it is not removed", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  const next = waiter(world, "b");
  world.network.down = true;
  world.runFor(30_000);
  world.network.down = false;
  // Its first renewals after that are still lost.
  world.network.fate = (request, sender) =>
    sender === "a" && world.time.now < 36_000 && isRenewal(request) ? "lost" : null;
  world.runFor(60_000);
  assert(client.working !== null);
  assert(next.working === null);
  assertGreater(world.record()?.holders[0]?.renewals ?? 0, 10);
});

Deno.test("a dead holder is removed though one request in five fails for ever", () => {
  const world = calmWorld();
  const ttlMs = 600_000;
  const dead = holderOf(world, "a", { ttlMs });
  const next = waiter(world, "b", { ttlMs });
  dead.kill();
  world.network.faults = { ...NO_FAULTS, failed: 0.2 };
  untilItWorks(world, next, 4 * ttlMs);
});

Deno.test("while the record can be read and not be written a holder is taken for silent once a TTL at most", () => {
  const world = calmWorld();
  const client = holderOf(world, "a", { work: "steps" });
  const next = waiter(world, "b");
  // As of an etcd that is full. Each try could succeed in the moment in which it can be written again.
  world.network.fate = (request) => request.kind === "replace" ? "failed" : null;
  world.runFor(60_000);
  assertLess(writes(world, next), 6);
  world.network.fate = () => null;
  world.runFor(60_000);
  assert(client.working !== null);
  assert(next.working === null);
});

Deno.test("a holder whose record becomes garbage tells its work to stop as soon as it sees that", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { ttlMs: 600_000 });
  world.runFor(5_000);
  world.referee.blind = true;
  world.core.editRecord(OBJECT, "garbage");
  const from = world.time.now;
  world.run(() => holder.over, 60_000, "it does not stop");
  // Its work takes half a second to end after TERM.
  assertLess(world.time.now - from, 1_000);
  assertEquals(holder.state.result?.kind, "lost");
});

/** An `acquire` that holds, and is about to hand over. */
function acquirer(world: World): Client {
  const client = world.start("a", { work: "steps" });
  client.onHold = () => {};
  world.run(() => client.state.phase === "holding", 1_000, "it does not hold");
  return client;
}

Deno.test("a process that stood still past its TTL hands nothing over that another holds", () => {
  const world = calmWorld();
  const client = acquirer(world);
  const next = waiter(world, "b");
  client.pause(20_000);
  client.happen({ kind: "hand_over" });
  untilItWorks(world, next);
  untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "lost");
});

Deno.test("a process whose machine slept hands over once it has renewed, if nobody took the lock", () => {
  const world = calmWorld();
  const client = acquirer(world);
  client.sleep(20_000);
  client.happen({ kind: "hand_over" });
  const from = world.time.now;
  untilItIsOver(world, client);
  assertEquals(client.state.result, { kind: "handed_over" });
  assertEquals(requests(world, client, from), ["replace"]);
});

Deno.test("what cannot be renewed for the hand-over is given back as lost", () => {
  const world = calmWorld();
  const client = acquirer(world);
  world.network.down = true;
  world.runFor(5_000);
  client.happen({ kind: "hand_over" });
  assertEquals(client.state.phase, "holding");
  world.runFor(6_000);
  world.network.down = false;
  untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "lost");
  assertEquals(world.record()?.holders, []);
});

Deno.test("a signal that comes while a hand-over waits for its renewal gives the lock back", () => {
  const world = calmWorld();
  const client = acquirer(world);
  world.network.down = true;
  world.runFor(5_000);
  client.happen({ kind: "hand_over" });
  client.happen({ kind: "give_up" });
  world.network.down = false;
  untilItIsOver(world, client);
  assertEquals(client.state.result, { kind: "gave_up" });
  assertEquals(world.record()?.holders, []);
});

Deno.test("a renewal by another process of the job is no answer to one's own that it came before", () => {
  const world = calmWorld();
  const client = acquirer(world);
  const grant = client.state.grant;
  client.pause(5_000);
  const renewer = world.start("r", { work: "steps", resumed: { grant, then: "hold" } });
  renewer.onHold = () => {};
  world.runFor(100);
  renewer.kill();
  // What it hears first when it goes on is the renewal of then; its own, of now, does not get through.
  const heardAt = world.time.now * client.persona.rate;
  world.network.fate = (_request, sender) => sender === "a" ? "lost" : null;
  world.runFor(5_500);
  assertLess(client.state.hold?.ackedAt ?? Infinity, heardAt);
});
