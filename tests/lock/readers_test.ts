/** Those that may hold beside others, behind one that may not. */
import { assert, assertEquals, assertLess } from "@std/assert";
import {
  calmWorld,
  edit,
  holderOf,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";

const READER = { mode: "shared" } as const;

/** Before the roll is called for those behind one that does not fit; and the claim timeout, with another 5 s for random waits. */
const PATIENCE_MS = 60_000;
const PASSING_MS = 10_000;

Deno.test("readers hold together, and a writer holds alone", () => {
  const world = calmWorld();
  const [one, other] = [holderOf(world, "one", READER), holderOf(world, "other", READER)];
  const writer = waiter(world, "writer");
  one.signal();
  untilItIsOver(world, one);
  assert(writer.working === null && other.working !== null);
  other.signal();
  untilItWorks(world, writer, 3_000);
});

Deno.test("a dead writer at the head while a reader holds: the roll is called, and later readers go on beside it", () => {
  const world = calmWorld();
  const reader = holderOf(world, "reader", READER);
  waiter(world, "writer").kill();
  const later = waiter(world, "later", READER);
  const since = world.time.now;
  assertLess(untilItWorks(world, later) - since, PATIENCE_MS + PASSING_MS);
  assert(reader.working !== null);
  assertEquals(world.record()?.roll_call.number, 1);
  world.runFor(1_000);
  assertEquals(ticketsStanding(world), []);
});

Deno.test("many dead writers before many readers cost one roll call", () => {
  const world = calmWorld();
  holderOf(world, "reader", READER);
  for (let i = 0; i < 20; i++) waiter(world, `writer${i}`).kill();
  const later = Array.from({ length: 20 }, (_, i) => waiter(world, `later${i}`, READER));
  const since = world.time.now;
  for (const one of later) untilItWorks(world, one);
  assertLess(world.time.now - since, PATIENCE_MS + PASSING_MS);
  assertEquals(world.record()?.roll_call.number, 1);
});

Deno.test("a writer that lives answers, keeps its place before later readers, and is asked no more than once a minute", () => {
  const world = calmWorld();
  const reader = holderOf(world, "reader", READER);
  const writer = waiter(world, "writer");
  const later = Array.from({ length: 5 }, (_, i) => waiter(world, `later${i}`, READER));
  world.runFor(10 * PATIENCE_MS);
  assertEquals(later.filter(({ working }) => working !== null), []);
  const calls = world.record()?.roll_call.number ?? 0;
  assert(calls >= 3 && calls <= 10, `${calls} calls in ten minutes`);
  const answers = requests(world, writer).filter((kind) => kind === "patch_ticket");
  assertEquals(answers.length, calls);
  reader.signal();
  untilItIsOver(world, reader);
  untilItWorks(world, writer, 3_000);
  assertEquals(later.filter(({ working }) => working !== null), []);
});

Deno.test("a dead reader at the head beside a free slot is passed over by the writer behind it", () => {
  const world = calmWorld();
  holderOf(world, "first");
  waiter(world, "reader", READER).kill();
  const writer = waiter(world, "writer");
  edit(world, (record) => ({ ...record, capacity: 2 }));
  const since = world.time.now;
  assertLess(untilItWorks(world, writer) - since, PATIENCE_MS + PASSING_MS);
});

Deno.test("who would not fit either calls no roll for others, and nobody does where all is full", () => {
  const world = calmWorld();
  holderOf(world, "reader", READER);
  waiter(world, "writer").kill();
  waiter(world, "another writer");
  world.runFor(5 * PATIENCE_MS);
  assertEquals(world.record()?.roll_call.number, 0);
});
