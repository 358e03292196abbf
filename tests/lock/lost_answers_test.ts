import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { HISTORY_LENGTH, parseTicket } from "../../lib/lock/record.ts";
import type { Fate } from "../sim/network.ts";
import { OBJECT } from "../sim/network.ts";
import {
  calmWorld,
  edit,
  holderOf,
  isClaim,
  isRelease,
  isRenewal,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWaits,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";
import type { Request } from "../../lib/lock/driver.ts";
import type { World } from "../sim/world.ts";

/** Gives the first request of `sender` that is `such`, after `skip` others, that fate. */
function onceFor(
  world: World,
  sender: string,
  such: (request: Request) => boolean,
  fate: Fate,
  skip = 0,
): { at: number | null } {
  const first: { at: number | null } = { at: null };
  world.network.fate = (request, by) => {
    if (first.at !== null || by !== sender || !such(request) || skip-- > 0) return null;
    first.at = world.time.now;
    return fate;
  };
  return first;
}

const FATES: readonly Fate[] = [
  "lost",
  "unanswered",
  "failed",
  "failed_applied",
  "throttled",
  "twice",
  { lateMs: 2_000 },
  { lateMs: 7_000 },
  { answerAfterMs: 7_000 },
];

const STEPS: Record<string, (request: Request) => boolean> = {
  "a read": (request) => request.kind === "read",
  "a list": (request) => request.kind === "list",
  "a claim": isClaim,
  "a renewal": isRenewal,
  "a release": isRelease,
  "the making of a ticket": (request) => request.kind === "create_ticket",
  "an answer to a call": (request) => request.kind === "patch_ticket",
  "the deletion of a ticket": (request) => request.kind === "delete_tickets",
};

for (const [step, such] of Object.entries(STEPS)) {
  Deno.test(`whatever becomes of ${step} and its answer, all hold once and nothing is left`, () => {
    for (const fate of FATES) {
      const world = calmWorld();
      // The very first request is another matter: who never reached the store says so.
      const spoiled = onceFor(
        world,
        "a",
        such,
        fate,
        step === "a read" || step === "a list" ? 1 : 0,
      );
      world.start("holder", {}, { workMs: 2_000 });
      world.runFor(100);
      waiter(world, "dead").kill();
      for (const name of ["a", "b"]) world.start(name, {}, { workMs: 3_000 });
      world.finish(120_000);
      assert(spoiled.at !== null, `there was not ${step}`);
      const names = world.begun.map(({ name }) => name).filter((name) => !name.startsWith("last"));
      assertEquals(names.toSorted(), ["a", "b", "holder"], JSON.stringify(fate));
    }
  });
}

Deno.test("whatever becomes of the making of a record and its answer, all hold once and nothing is left", () => {
  for (const fate of FATES) {
    const world = calmWorld();
    onceFor(world, "a", (request) => request.kind === "create_record", fate);
    for (const name of ["a", "b", "c"]) world.start(name);
    world.finish(120_000);
    assertEquals(world.begun.length, 5, JSON.stringify(fate));
  }
});

Deno.test("a claim whose answer was lost is found by reading, and the work begins", () => {
  const world = calmWorld();
  world.makeRecord(1);
  const spoiled = onceFor(world, "a", isClaim, "failed_applied");
  const client = world.start("a");
  untilItWorks(world, client, 1_000);
  assertEquals(client.state.hold?.ackedAt, spoiled.at);
  assertEquals(requests(world, client).filter((kind) => kind === "replace").length, 1);
});

Deno.test("a claim sent twice of which the first landed counts from its first sending", () => {
  const world = calmWorld();
  world.makeRecord(1);
  let claims = 0;
  world.network.fate = (request) => {
    if (!isClaim(request)) return null;
    // The first lands while the second is on its way to nowhere.
    return claims++ === 0 ? { lateMs: 5_300 } : "lost";
  };
  const client = world.start("a");
  world.run(() => client.state.hold !== null, 20_000, "it does not hold");
  const sent = world.network.sent.filter(({ request }) => isClaim(request));
  assertEquals(sent.length, 2);
  assertEquals(client.state.hold?.ackedAt, sent[0]?.at);
});

Deno.test("a claim found applied after its deadline is renewed before the work begins", () => {
  const world = calmWorld();
  world.makeRecord(1);
  let claims = 0;
  world.network.fate = (request) => isClaim(request) && claims++ < 2 ? "unanswered" : null;
  const client = world.start("a", { requestTimeoutMs: 8_000 });
  untilItWorks(world, client);
  const renewed = world.network.sent.filter(({ request }) => isRenewal(request));
  assertEquals(renewed.length, 1);
  assertEquals(client.state.hold?.ackedAt, renewed[0]?.at);
});

Deno.test("a claim sent twice of which the second was answered counts from the second", () => {
  const world = calmWorld();
  world.makeRecord(1);
  onceFor(world, "a", isClaim, "lost");
  const client = world.start("a");
  untilItWorks(world, client);
  const claims = world.network.sent.filter(({ request }) => isClaim(request));
  assertEquals(claims.length, 2);
  assertEquals(client.state.hold?.ackedAt, claims[1]?.at);
});

Deno.test("a claim that was sent again is the same write again", () => {
  const world = calmWorld();
  world.makeRecord(1);
  onceFor(world, "a", isClaim, "lost");
  untilItWorks(world, world.start("a"));
  const [first, second] = world.network.sent.flatMap(({ request }) =>
    request.kind === "replace" && isClaim(request) ? [request.next] : []
  );
  assertEquals(first, second);
});

Deno.test("a claim found nowhere after the record moved on is never made true: its grant is spent", () => {
  const world = calmWorld();
  holderOf(world, "holder").kill();
  const client = waiter(world, "a");
  const { grant, place } = client.state;
  onceFor(world, "a", isClaim, "lost");
  world.run(
    () => world.network.sent.some(({ request, sender }) => sender === "a" && isClaim(request)),
    30_000,
    "no claim",
  );
  edit(world, (record) => ({ ...record, extra: { note: "moved on" } }));
  untilItWorks(world, client);
  assertNotEquals(client.state.grant, grant);
  assertEquals(client.state.place, place);
  world.runFor(100);
  assertEquals(ticketsStanding(world), []);
});

Deno.test("one whose hold came and went unseen, beyond what the history keeps, holds again under another grant", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const client = waiter(world, "a");
  const grant = client.state.grant;
  world.network.fate = (request, sender) =>
    sender === "a" && isClaim(request) ? "unanswered" : null;
  holder.signal();
  world.run(() => world.record()?.holders[0]?.grant === grant, 10_000, "no claim");
  client.pause(80_000);
  const others = Array.from({ length: HISTORY_LENGTH + 2 }, (_, i) => waiter(world, `c${i}`));
  others.forEach((other) => untilItIsOver(world, other));
  assert(!world.record()?.history.some((past) => past.grant === grant));
  world.network.fate = () => null;
  untilItWorks(world, client);
  assertNotEquals(client.state.grant, grant);
});

Deno.test("a ticket whose create was lost and found nowhere is made with another grant", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  onceFor(world, "a", (request) => request.kind === "create_ticket", { lateMs: 15_000 });
  const client = world.start("a");
  untilItWaits(world, client);
  const grants = world.network.sent.flatMap(({ request }) =>
    request.kind === "create_ticket" ? [request.ticket.grant] : []
  );
  assertEquals(new Set(grants).size, 2);
  assertEquals(client.state.grant, grants[1]);
});

Deno.test("a ticket whose create was answered late stands once, under the grant it was made with", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  onceFor(world, "a", (request) => request.kind === "create_ticket", "unanswered");
  const client = world.start("a");
  const grant = client.state.grant;
  untilItWaits(world, client);
  assertEquals(ticketsStanding(world), [grant]);
});

Deno.test("a create of a ticket that lands after its waiter has gone is passed over within 5 s", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  onceFor(world, "a", (request) => request.kind === "create_ticket", { lateMs: 12_000 });
  const gone = world.start("a");
  world.runFor(100);
  gone.signal();
  untilItIsOver(world, gone, 12_000);
  world.runFor(8_000);
  const ghost = ticketsStanding(world);
  assertEquals(ghost.length, 1);
  const next = waiter(world, "b");
  holder.signal();
  const named = untilItIsOver(world, holder);
  assertLess(untilItWorks(world, next) - named, 5_200);
  assertEquals(ticketsStanding(world).includes(ghost[0] ?? ""), false);
});

Deno.test("an answer to a call that lands late does not overwrite a newer one", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  waiter(world, "dead").kill();
  const slow = waiter(world, "a");
  const spoiled = onceFor(world, "a", (r) => r.kind === "patch_ticket", { lateMs: 6_000 });
  holder.signal();
  world.run(() => spoiled.at !== null, 20_000, "no answer to spoil");
  const stored = world.core.readTicket(OBJECT, slow.state.grant);
  assert(stored);
  // Somebody else writes into it meanwhile: the late answer was made from an older state.
  const ticket = parseTicket(stored.text);
  world.core.patchTicket(
    OBJECT,
    stored,
    JSON.stringify({ ...ticket, answered: 7, order_revision: stored.revision }),
  );
  world.network.fate = (_request, sender) => sender === "a" ? "lost" : null;
  world.runFor(6_500);
  const after = world.core.readTicket(OBJECT, slow.state.grant);
  if (after !== null) assertEquals(parseTicket(after.text).answered, 7);
});

Deno.test("a PUT that a proxy sends twice changes nothing the second time", () => {
  const world = calmWorld();
  world.network.fate = (request) => request.kind === "replace" ? "twice" : null;
  const clients = ["a", "b", "c"].map((name) => world.start(name));
  clients.forEach((client) => untilItIsOver(world, client));
  assertEquals(world.begun.length, 3);
  assertEquals(world.record()?.history.length, 3);
});

Deno.test("a claim that lands long after its client died blocks the lock for one TTL and no more", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const dead = waiter(world, "dead");
  const next = waiter(world, "next");
  onceFor(world, "dead", isClaim, { lateMs: 1_500 });
  holder.signal();
  world.run(
    () => world.network.sent.some(({ request, sender }) => sender === "dead" && isClaim(request)),
    5_000,
    "no claim",
  );
  dead.kill();
  world.run(
    () => world.record()?.holders[0]?.grant === dead.state.grant,
    5_000,
    "it does not land",
  );
  const landed = world.time.now;
  const waited = untilItWorks(world, next) - landed;
  assertGreater(waited, 10_000);
  assertLess(waited, 13_000);
});
