import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { parseTicket } from "../../lib/lock/record.ts";
import { NO_FAULTS, OBJECT } from "../sim/network.ts";
import { breakLock, deleteRecord, dropWaiter } from "../sim/people.ts";
import {
  calmWorld,
  edit,
  ENDLESS,
  ghostTicket,
  holderOf,
  isClaim,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWaits,
  untilItWorks,
  waiter,
  writes,
} from "../sim/scenario.ts";

Deno.test("a hand-over is one write of the next, who claims from the watch's event", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  const from = world.time.now;
  holder.signal();
  untilItIsOver(world, holder);
  untilItWorks(world, next, 100);
  assertEquals(requests(world, next, from), ["replace", "delete_tickets"]);
});

Deno.test("twenty waiters hold in the order of their tickets", () => {
  const world = calmWorld();
  holderOf(world, "holder").signal();
  const clients = Array.from({ length: 20 }, (_, i) => waiter(world, `c${i}`));
  clients.forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.slice(1).map(({ name }) => name), clients.map((c) => c.persona.name));
});

Deno.test("a higher priority goes first, but not before one whose turn was named", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [first, second] = [waiter(world, "first"), waiter(world, "second")];
  first.pause(1000);
  holder.signal();
  untilItIsOver(world, holder);
  const important = waiter(world, "important", { priority: 1 });
  [first, second, important].forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.slice(1).map(({ name }) => name), ["first", "important", "second"]);
});

Deno.test("a killed holder is removed one TTL after its last renewal, and the next holds within 3 s", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  world.runFor(12_345);
  const renewed = holder.state.hold?.ackedAt ?? 0;
  holder.kill();
  const waited = untilItWorks(world, next) - renewed;
  assertGreater(waited, 10_000);
  assertLess(waited, 13_000);
});

Deno.test("each holder is given its own TTL, whatever that of those who wait is", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { ttlMs: 60_000 });
  const next = waiter(world, "next", { ttlMs: 6_000 });
  const renewed = holder.state.hold?.ackedAt ?? 0;
  holder.kill();
  assertGreater(untilItWorks(world, next) - renewed, 60_000);
});

Deno.test("a holder whose renewals one does not hear of is looked at before it is removed", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  world.network.faults = { ...world.network.faults, watchSilent: 1 };
  world.runFor(120_000);
  assert(holder.working !== null);
  assertEquals(writes(world, next), 0);
});

Deno.test("a waiter that died at the head is passed over within 5 s", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [dead, next] = [waiter(world, "dead"), waiter(world, "next")];
  dead.kill();
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 5_200);
});

Deno.test("two that died at the head are passed over within 5 s, by one roll call", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const dead = [waiter(world, "dead1"), waiter(world, "dead2")];
  const next = waiter(world, "next");
  dead.forEach((client) => client.kill());
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 5_400);
  assertEquals(world.record()?.roll_call.number, 1);
});

Deno.test("127 dead at the head cost one roll call, and the first that lives holds within 10 s", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  for (let i = 0; i < 127; i++) ghostTicket(world, `ghost-${i}`);
  const [first, second] = [waiter(world, "first"), waiter(world, "second")];
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, first) - named, 10_000);
  assertEquals(world.record()?.roll_call.number, 1);
  untilItWorks(world, second);
  assertEquals(ticketsStanding(world).filter((grant) => grant.startsWith("ghost")), []);
});

Deno.test("dead and living ones mixed: the living hold in their order", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const clients = Array.from({ length: 30 }, (_, i) => waiter(world, `c${i}`));
  clients.forEach((client, i) => i % 3 === 1 || client.kill());
  holder.signal();
  const living = clients.filter((client) => client.alive);
  living.forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.slice(1).map(({ name }) => name), living.map((c) => c.persona.name));
});

Deno.test("who lives answers the call once, and keeps ticket and place", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [dead, next, last] = ["dead", "next", "last"].map((name) => waiter(world, name));
  assert(dead && next && last);
  const grant = last.state.grant;
  dead.kill();
  holder.signal();
  untilItWorks(world, next);
  const patches = requests(world, last).filter((kind) => kind === "patch_ticket");
  assertEquals(patches.length, 1);
  assertEquals(last.state.grant, grant);
});

Deno.test("when a turn is named whose ticket is gone the next holds within 3 s", () => {
  const world = calmWorld();
  holderOf(world, "holder").kill();
  const next = waiter(world, "next");
  edit(world, (record) => ({ ...record, holders: [], turn: ["gone-1"] }));
  const from = world.time.now;
  assertLess(untilItWorks(world, next) - from, 3_000);
  assertEquals(world.record()?.roll_call.number, 0);
});

Deno.test("one that answers but cannot claim is passed over all the same, within 10 s", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [stuck, next] = [waiter(world, "stuck"), waiter(world, "next")];
  world.network.fate = (request, sender) => sender === "stuck" && isClaim(request) ? "lost" : null;
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 10_000);
  assert(stuck.working === null);
});

Deno.test("one that may not claim ends, and the next holds at once", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [refused, next] = [waiter(world, "refused"), waiter(world, "next")];
  world.network.fate = (request, sender) =>
    sender === "refused" && isClaim(request) ? "refused" : null;
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 200);
  assertEquals(refused.state.result?.kind, "refused");
});

Deno.test("a claim in the middle of a call lets the call stand", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [slow, second] = [waiter(world, "slow"), waiter(world, "second")];
  slow.pause(3_500);
  holder.signal();
  world.run(() => world.record()?.roll_call.open === true, 10_000, "nobody calls");
  untilItWorks(world, slow);
  assert(world.record()?.roll_call.open);
  untilItWorks(world, second);
});

Deno.test("a waiter too slow to answer loses its turn at most, never its place", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [slow, next, last] = ["slow", "next", "last"].map((name) => waiter(world, name));
  assert(slow && next && last);
  const place = slow.state.place;
  slow.pause(6_000);
  holder.signal();
  untilItIsOver(world, next);
  [slow, last].forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.map(({ name }) => name), ["holder", "next", "slow", "last"]);
  assertEquals(slow.state.place, place);
});

Deno.test("one that was passed over while it slept takes its place again as soon as it wakes", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [slow, next] = [waiter(world, "slow"), world.start("next", {}, ENDLESS)];
  untilItWaits(world, next);
  const grant = slow.state.grant;
  slow.pause(6_000);
  holder.signal();
  untilItWorks(world, next);
  world.run(() => !slow.paused, 10_000, "it does not wake");
  world.runFor(500);
  assertEquals(ticketsStanding(world), [slow.state.grant]);
  assertNotEquals(slow.state.grant, grant);
});

Deno.test("a ticket deleted by hand is made again with another grant in the old place", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const [first, second] = [waiter(world, "first"), waiter(world, "second")];
  const { grant, stored } = { grant: first.state.grant, stored: first.state.ticket?.stored };
  assert(stored);
  world.core.deleteTicket(OBJECT, stored);
  world.runFor(25_000);
  assertNotEquals(first.state.grant, grant);
  const made = world.network.sent.flatMap(({ sender, request }) =>
    sender === "first" && request.kind === "create_ticket" ? [request.ticket.order_revision] : []
  );
  assertEquals(made, [null, stored.revision]);
  holder.signal();
  [first, second].forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.map(({ name }) => name), ["holder", "first", "second"]);
});

Deno.test("a ticket touched by somebody keeps its grant, and gets its old place written into it", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const client = waiter(world, "a");
  const { grant, stored } = { grant: client.state.grant, stored: client.state.ticket?.stored };
  assert(stored);
  world.core.patchTicket(OBJECT, stored, stored.text.replace('"holder":"a"', '"holder":"A"'));
  world.runFor(25_000);
  const text = world.core.readTicket(OBJECT, grant)?.text ?? "";
  assertEquals(parseTicket(text).order_revision, stored.revision);
  assertEquals(parseTicket(text).holder, "A");
  assertEquals(client.state.grant, grant);
});

Deno.test("a ticket into which somebody wrote nonsense is deleted and made again in the old place", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const client = waiter(world, "a");
  const stored = client.state.ticket?.stored;
  assert(stored);
  world.core.patchTicket(OBJECT, stored, "nonsense");
  world.runFor(25_000);
  assertEquals(ticketsStanding(world), [client.state.grant]);
  assertNotEquals(client.state.grant, stored.grant);
  assertEquals(client.state.ticket?.ticket.order_revision, stored.revision);
});

Deno.test("one whose ticket is nonsense when the lock is given back takes its place again and holds", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const stored = client.state.ticket?.stored;
  assert(stored);
  world.core.patchTicket(OBJECT, stored, "nonsense");
  holder.signal();
  const freed = () => world.record()?.holders.length === 0;
  world.run(freed, 10_000, "it is not given back");
  const freedAt = world.time.now;
  assertLess(untilItWorks(world, client) - freedAt, 3000);
});

Deno.test("one that was dropped by a person gives up and does not come back in its old place", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const client = waiter(world, "a");
  dropWaiter(world);
  untilItIsOver(world, client, 1000);
  assertEquals(client.state.result, { kind: "dropped", by: "person", reason: "test" });
  assertEquals(ticketsStanding(world), []);
});

Deno.test("one that misses its ticket in a list before it hears that it was dropped does not come back either", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const freeze = { by: "person", reason: "", since: "", until: null };
  edit(world, (record) => ({ ...record, freeze }));
  holder.signal();
  untilItIsOver(world, holder, 1000);
  const referee = world.network.onSent;
  world.network.onSent = (sent) => {
    referee(sent);
    const lists = sent.sender === "a" && sent.request.kind === "list";
    if (!lists || world.network.faults.watchSilent === 1) return;
    world.network.faults = { ...NO_FAULTS, watchSilent: 1 };
    dropWaiter(world);
  };
  edit(world, (record) => ({ ...record, freeze: null }));
  untilItIsOver(world, client, 1000);
  assertEquals(client.state.result, { kind: "dropped", by: "person", reason: "test" });
  assertEquals(ticketsStanding(world), []);
});

Deno.test("one whose claim was broken before it began to work gives the lock back and gives up", () => {
  const world = calmWorld();
  world.makeRecord(1);
  world.network.fate = (request) => isClaim(request) ? "unanswered" : null;
  const client = world.start("a");
  world.run(() => world.record()?.holders.length === 1, 1000, "no claim");
  breakLock(world, "in order");
  untilItIsOver(world, client, 10_000);
  assertEquals(client.state.result, { kind: "dropped", by: "person", reason: "test" });
  assertEquals(world.begun, []);
  assertEquals(world.record()?.holders, []);
});

Deno.test("who saw a record held waits a full TTL after its deletion, whoever makes a new one", () => {
  const world = calmWorld();
  holderOf(world, "holder").kill();
  const client = waiter(world, "a");
  world.runFor(5_000);
  deleteRecord(world);
  world.makeRecord(1);
  const from = world.time.now;
  const waited = untilItWorks(world, client) - from;
  assertGreater(waited, 10_000);
  assertLess(waited, 12_000);
});

Deno.test("who saw a record held makes no new one before a TTL is over, and those waiting keep their order", () => {
  const world = calmWorld();
  holderOf(world, "holder").kill();
  const [first, second] = [waiter(world, "first"), waiter(world, "second")];
  world.runFor(5_000);
  deleteRecord(world);
  const from = world.time.now;
  assertGreater(untilItWorks(world, first) - from, 10_000);
  untilItWorks(world, second);
});

Deno.test("one that waits out a TTL answers the calls of those who need not", () => {
  const world = calmWorld();
  holderOf(world, "holder", { ttlMs: 60_000 }).kill();
  const client = waiter(world, "a");
  const place = client.state.place;
  world.runFor(5_000);
  deleteRecord(world);
  world.runFor(1_000);
  const newcomer = world.start("b", {}, ENDLESS);
  untilItWorks(world, newcomer, 15_000);
  assertEquals(client.state.place, place);
  assert(requests(world, client).includes("patch_ticket"));
});

Deno.test("without a watch it works as well, one read a second", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { news: "poll" });
  const client = waiter(world, "a", { news: "poll" });
  world.runFor(10_000);
  const reads = requests(world, client, 1000).filter((kind) => kind === "read").length;
  assertGreater(reads, 6);
  assertLess(reads, 15);
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, client) - named, 1_500);
});

Deno.test("the turn of one that polls and died is passed over as well", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { news: "poll" });
  const dead = waiter(world, "dead", { news: "poll" });
  const next = waiter(world, "next", { news: "poll" });
  dead.kill();
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 8_000);
});

Deno.test("while a lock is frozen those named are taken off, and nobody holds", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const freeze = { by: "eve", reason: "", since: "", until: null };
  edit(world, (record) => ({ ...record, freeze }));
  holder.signal();
  untilItIsOver(world, holder);
  world.runFor(60_000);
  assert(client.working === null);
  edit(world, (record) => ({ ...record, freeze: null }));
  untilItWorks(world, client, 3_000);
});

Deno.test("when the capacity grows those waiting take what is free by themselves", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const [first, second] = [waiter(world, "first"), waiter(world, "second")];
  edit(world, (record) => ({ ...record, capacity: 2 }));
  untilItWorks(world, first, 3_000);
  assert(second.working === null);
});

Deno.test("of hundreds that wait only those near the head look after a turn that is not claimed", () => {
  const world = calmWorld();
  world.network.wayMs = 100;
  const holder = holderOf(world, "holder");
  const clients = Array.from({ length: 300 }, (_, i) => {
    // Each sees those before it when it comes.
    world.runFor(400);
    return world.start(`c${i}`);
  });
  clients.slice(0, 2).forEach((client) => client.kill());
  holder.signal();
  const named = untilItIsOver(world, holder);
  const next = clients[2];
  assert(next !== undefined);
  untilItWorks(world, next);
  const lists = world.network.sent.filter(({ at, request }) =>
    at > named && request.kind === "list"
  );
  assertLess(lists.length, clients.length / 2);
});
