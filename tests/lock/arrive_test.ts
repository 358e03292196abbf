import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { emptyRecord, encodeRecord, FORMAT_VERSION, parseRecord } from "../../lib/lock/record.ts";
import { deleteRecord } from "../sim/people.ts";
import { OBJECT } from "../sim/network.ts";
import {
  calmWorld,
  edit,
  ENDLESS,
  ghostTicket,
  holderOf,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWaits,
  untilItWorks,
  waiter,
  writes,
} from "../sim/scenario.ts";
import { IDENTITY } from "../sim/world.ts";

Deno.test("a free lock is taken with 3 requests and given back with 2", () => {
  const world = calmWorld();
  world.makeRecord(1);
  const client = world.start("a", {}, { workMs: 10 });
  untilItWorks(world, client);
  assertEquals(requests(world, client), ["read", "list", "replace"]);
  untilItIsOver(world, client);
  assertEquals(requests(world, client).slice(3), ["list", "replace"]);
  assertEquals(client.state.result, { kind: "released" });
});

Deno.test("a missing record is made empty and claimed in a second write", () => {
  const world = calmWorld();
  const client = world.start("a");
  untilItWorks(world, client);
  const made = world.network.sent.find(({ request }) => request.kind === "create_record");
  assert(made?.request.kind === "create_record");
  assertEquals(made.request.record, emptyRecord(IDENTITY));
  assertEquals(writes(world, client), 1);
});

Deno.test("after the deletion of a record the tokens go on growing", () => {
  const world = calmWorld();
  const before = world.start("a");
  untilItIsOver(world, before);
  edit(world, (record) => ({ ...record, last_token: record.last_token }));
  deleteRecord(world);
  const after = world.start("b");
  untilItWorks(world, after);
  assertGreater(world.begun[1]?.token ?? 0, world.begun[0]?.token ?? Infinity);
});

Deno.test("two that make the record at once both go on: one holds, the other waits", () => {
  const world = calmWorld();
  const [a, b] = [world.start("a"), world.start("b")];
  untilItIsOver(world, a);
  untilItIsOver(world, b);
  assertEquals(world.begun.length, 2);
});

Deno.test("a newcomer does not claim past a ticket that stands, though the lock is free", () => {
  const world = calmWorld();
  world.makeRecord(1);
  ghostTicket(world, "ghost-1");
  const client = world.start("a");
  world.runFor(100);
  assertEquals(world.record()?.turn, ["ghost-1"]);
  assertEquals(client.state.phase, "waiting");
});

Deno.test("one that finds a turn whose ticket is gone settles at once", () => {
  const world = calmWorld();
  world.makeRecord(1);
  edit(world, (record) => ({ ...record, turn: ["ghost-1"] }));
  const client = world.start("a");
  assertLess(untilItWorks(world, client), 100);
  assertEquals(ticketsStanding(world), []);
});

Deno.test("one that has to wait makes its ticket first and reads the record after that", () => {
  const world = calmWorld();
  world.start("holder", {}, ENDLESS);
  world.runFor(1000);
  const client = world.start("a");
  untilItWaits(world, client);
  assertEquals(requests(world, client).slice(0, 4), ["read", "list", "create_ticket", "read"]);
});

Deno.test("joining a queue writes the record not once", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const clients = ["a", "b", "c", "d"].map((name) => waiter(world, name));
  world.runFor(5000);
  for (const client of clients) assertEquals(writes(world, client), 0);
});

Deno.test("with a timeout of 0 a lock that is held is busy at once, and no ticket is made", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const from = world.time.now;
  const client = world.start("a", { timeoutMs: 0 });
  assertLess(untilItIsOver(world, client) - from, 50);
  assertEquals(client.state.result, { kind: "busy" });
  assert(!requests(world, client).includes("create_ticket"));
});

Deno.test("with a timeout of 0 a writer finds a lock busy that readers hold", () => {
  const world = calmWorld();
  holderOf(world, "reader", { mode: "shared" });
  const writer = world.start("writer", { timeoutMs: 0 });
  world.runFor(1000);
  assertEquals(writer.state.result, { kind: "busy" });
});

Deno.test("with a timeout of 0 a reader finds a lock busy for which a writer waits", () => {
  const world = calmWorld();
  holderOf(world, "reader", { mode: "shared" });
  waiter(world, "writer");
  const second = world.start("second", { mode: "shared", timeoutMs: 0 });
  world.runFor(1000);
  assertEquals(second.state.result, { kind: "busy" });
});

Deno.test("with a timeout of 0 a reader joins readers", () => {
  const world = calmWorld();
  holderOf(world, "reader", { mode: "shared" });
  const second = world.start("second", { mode: "shared", timeoutMs: 0 });
  untilItWorks(world, second, 1000);
});

Deno.test("with a timeout of 0 a dead holder is removed after one TTL, and the lock taken", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  holder.kill();
  world.runFor(20_000);
  const from = world.time.now;
  const client = world.start("a", { timeoutMs: 0 });
  const waited = untilItWorks(world, client) - from;
  assertGreater(waited, 10_000 - 1);
  assertLess(waited, 11_000);
});

Deno.test("with a timeout of 0 a holder that only looks dead by the wall clock is not removed", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = world.start("a", { timeoutMs: 0 }, { wallOffsetMs: 86_400_000 });
  untilItIsOver(world, client, 12_000);
  assertEquals(client.state.result, { kind: "busy" });
  assert(holder.working !== null);
});

Deno.test("with a timeout of 0 a turn whose waiter is dead is passed over, and the lock taken", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const dead = waiter(world, "dead");
  dead.kill();
  holder.signal();
  untilItIsOver(world, holder);
  const from = world.time.now;
  const client = world.start("a", { timeoutMs: 0 });
  assertLess(untilItWorks(world, client) - from, 6_000);
});

Deno.test("with a timeout of 0 one that sees the record deleted is busy, as its holder may be at work", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  edit(world, (record) => ({ ...record, holders: [], turn: ["ghost-1"] }));
  let deleted = false;
  world.network.fate = (request, sender) => {
    if (sender !== "a" || request.kind !== "list" || deleted) return null;
    deleted = true;
    world.time.after(1.5, () => deleteRecord(world));
    return null;
  };
  const client = world.start("a", { timeoutMs: 0 });
  untilItIsOver(world, client, 2_000);
  assertEquals(client.state.result, { kind: "busy" });
  assertEquals(ticketsStanding(world), []);
});

Deno.test("a record of another lock is refused, both are named, and nothing is written", () => {
  const world = calmWorld();
  const other = { ...IDENTITY, lock: "other" };
  world.core.createRecord(OBJECT, encodeRecord(emptyRecord(other)));
  const client = world.start("a");
  untilItIsOver(world, client);
  const result = client.state.result;
  assert(result?.kind === "unusable");
  assert(result.message.includes('"other"') && result.message.includes('"deploy"'));
  assertEquals(requests(world, client), ["read", "list"]);
});

Deno.test("a record of a newer format is refused and never written", () => {
  const world = calmWorld();
  const stored = JSON.stringify({ ...emptyRecord(IDENTITY), version: FORMAT_VERSION + 1 });
  world.referee.blind = true;
  world.core.createRecord(OBJECT, stored);
  const client = world.start("a");
  untilItIsOver(world, client);
  assert(client.state.result?.kind === "unusable");
  assertEquals(world.core.readRecord(OBJECT)?.text, stored);
});

Deno.test("a record that became garbage is refused by those who wait, and they leave no ticket", () => {
  const world = calmWorld();
  const holder = world.start("holder", {}, { workMs: 1e8, stubbornMs: 100 });
  untilItWorks(world, holder);
  const client = waiter(world, "a");
  world.referee.blind = true;
  world.core.editRecord(OBJECT, "garbage");
  untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "unusable");
  assertEquals(ticketsStanding(world), []);
  assertEquals(world.core.readRecord(OBJECT)?.text, "garbage");
});

Deno.test("what a newer version added to a record is still there after a whole hold", () => {
  const world = calmWorld();
  const stored = JSON.stringify({ ...emptyRecord(IDENTITY), colour: "blue" });
  world.core.createRecord(OBJECT, stored);
  untilItIsOver(world, world.start("a"));
  const record = parseRecord(world.core.readRecord(OBJECT)?.text ?? "");
  assertEquals(record.extra, { colour: "blue" });
});

Deno.test("a store that cannot be reached is said to be so when the timeout is over", () => {
  const world = calmWorld();
  world.network.down = true;
  const client = world.start("a", { timeoutMs: 3000 });
  const at = untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "unreachable");
  assertLess(at, 3_100);
});

Deno.test("a store that goes away while one waits is said to be so at its timeout, not that it is busy", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const client = world.start("a", { timeoutMs: 20_000, news: "poll" });
  world.runFor(10_000);
  world.network.down = true;
  untilItIsOver(world, client);
  assertEquals(client.state.result?.kind, "unreachable");
});

Deno.test("a store that says no is said to do so, and nothing is left", () => {
  const world = calmWorld();
  world.makeRecord(1);
  world.network.fate = (request) => request.kind === "replace" ? "refused" : null;
  const client = world.start("a");
  untilItIsOver(world, client, 1000);
  assertEquals(client.state.result, { kind: "refused", message: "403" });
});
