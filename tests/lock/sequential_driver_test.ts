import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { parseRecord } from "../../lib/lock/record.ts";
import type { Config } from "../../lib/lock/driver.ts";
import type { Fate } from "../../lib/lock/expiry.ts";
import { joined } from "../../lib/lock/v3_form.ts";
import type { Client, Persona } from "../sim/client.ts";
import { OBJECT } from "../sim/network.ts";
import {
  calmWorld,
  edit,
  ENDLESS,
  isClaim,
  isRelease,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWaits,
  untilItWorks,
} from "../sim/scenario.ts";
import { IDENTITY } from "../sim/world.ts";
import type { World } from "../sim/world.ts";

const TTL_MS = 10_000;

/** A world whose record is as version 3 left it. */
function worldAt(next: number): World {
  const world = calmWorld();
  world.core.createRecord(OBJECT, joined(undefined, `${next}`));
  return world;
}

/** A job of run `number`, which speaks as the record stands. */
function job(
  world: World,
  number: number,
  config: Partial<Config> = {},
  persona: Partial<Persona> = {},
): Client {
  return world.start(`r${number}`, { order: null, orderKey: number, ...config }, persona);
}

/** What version 3 and its runbook do: a number over whatever stands there. */
function replaceWith(world: World, next: number): void {
  world.say("v3", `writes ${next}`);
  world.core.editRecord(OBJECT, joined(undefined, `${next}`));
}

function next(world: World): number | undefined {
  return world.record()?.next_build;
}

function told(world: World): string {
  return world.story.join("\n");
}

Deno.test("by number: later runs wait, each release names the next, whoever came first", () => {
  const world = worldAt(5);
  const jobs = [7, 6, 5].map((number) => {
    const one = job(world, number);
    world.runFor(200);
    return one;
  });
  for (const one of jobs) untilItIsOver(world, one);
  assertEquals(world.begun.map(({ name }) => name), ["r5", "r6", "r7"]);
  assertEquals(next(world), 8);
  assertEquals(ticketsStanding(world), []);
});

Deno.test("a release by number lists what stands at this moment: a job of its run that is missed is lost", () => {
  const world = worldAt(5);
  const holder = job(world, 5);
  untilItIsOver(world, holder);
  const lists = world.network.sent.map(({ request }) => request)
    .filter((request) => request.kind === "list");
  assertEquals(lists.at(-1), { kind: "list", when: "now" });
});

Deno.test("a client that speaks as the record stands says so once, and names migrate", () => {
  const world = worldAt(5);
  untilItIsOver(world, job(world, 5));
  assertEquals(told(world).match(/k8s-lock migrate/g)?.length, 1);
});

Deno.test("a record that is missing is made in version 3's form where that was asked for", () => {
  const world = calmWorld();
  untilItIsOver(world, job(world, 5, { order: "sequential" }));
  assertEquals([next(world), world.record()?.order], [6, "sequential"]);
});

Deno.test("a record that is missing is made with the number of the first of those that wait", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, ENDLESS);
  untilItWorks(world, holder);
  const waiters = [8, 6, 7].map((number) => job(world, number));
  for (const one of waiters) untilItWaits(world, one);
  world.core.deleteRecord(OBJECT);
  const deletedAt = world.time.now;
  for (const one of waiters) untilItIsOver(world, one);
  assertEquals(world.begun.map(({ name }) => name), ["r5", "r6", "r7", "r8"]);
  assertGreaterOrEqual((world.begun[1]?.at ?? 0) - deletedAt, TTL_MS);
});

for (const order of ["fifo", "sequential"] as const) {
  Deno.test(`an order that was asked for and is another than the record's is refused: ${order}`, () => {
    const world = order === "fifo" ? worldAt(5) : calmWorld();
    if (order === "sequential") world.makeRecord(1);
    const one = job(world, 5, { order });
    untilItIsOver(world, one);
    const stands = order === "fifo" ? "sequential" : "today";
    assertEquals(one.state.result, { kind: "other_order", stands });
    assertEquals(world.record()?.holders, []);
    if (order === "fifo") assertEquals([next(world), world.record()?.given_up], [5, undefined]);
  });
}

Deno.test("without a number there is no turn in version 3's form", () => {
  const world = worldAt(5);
  const one = world.start("laptop", { order: null, orderKey: null });
  untilItIsOver(world, one);
  assertEquals(one.state.result, { kind: "no_number" });
});

Deno.test("one whose number was passed is told so at once, on arrival and while it waits", () => {
  const world = worldAt(5);
  const early = job(world, 4);
  untilItIsOver(world, early, 1000);
  assertEquals(early.state.result, { kind: "passed", number: 4, next: 5 });
  const waits = job(world, 6);
  untilItWaits(world, waits);
  replaceWith(world, 9);
  untilItIsOver(world, waits, 1000);
  assertEquals(waits.state.result, { kind: "passed", number: 6, next: 9 });
  assertEquals(ticketsStanding(world), []);
});

Deno.test("one that gives up before its number has come leaves no hole", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, { workMs: 5000 });
  untilItWorks(world, holder);
  const [leaver, last] = [job(world, 6), job(world, 7)];
  untilItWaits(world, leaver);
  untilItWaits(world, last);
  leaver.signal();
  untilItIsOver(world, leaver, 1000);
  untilItIsOver(world, holder);
  untilItWorks(world, last, 1000);
  assertEquals(next(world), 7);
});

Deno.test("that one gave up is kept in mind by those that wait, also when version 3 wipes it", () => {
  const world = worldAt(5);
  const [leaver, last] = [job(world, 6), job(world, 7)];
  untilItWaits(world, leaver);
  untilItWaits(world, last);
  leaver.signal();
  untilItIsOver(world, leaver, 1000);
  world.runFor(1000);
  replaceWith(world, 6);
  untilItWorks(world, last, 1000);
  assertEquals(next(world), 7);
});

Deno.test("a number that was passed and set again for a re-run is not passed again by what is remembered", () => {
  const world = worldAt(5);
  const [leaver, last] = [job(world, 6), job(world, 9)];
  untilItWaits(world, leaver);
  untilItWaits(world, last);
  leaver.signal();
  untilItIsOver(world, leaver, 1000);
  replaceWith(world, 8);
  world.runFor(1000);
  replaceWith(world, 6);
  world.runFor(600_000);
  assertEquals([next(world), last.working], [6, null]);
});

Deno.test("one that tries once and is not free leaves no hole either", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, { workMs: 5000 });
  untilItWorks(world, holder);
  const tries = job(world, 6, { timeoutMs: 0 });
  untilItIsOver(world, tries, 1000);
  assertEquals(tries.state.result, { kind: "busy" });
  const last = job(world, 7);
  untilItIsOver(world, holder);
  untilItWorks(world, last, 1000);
});

Deno.test("one that dies before its number has come is passed a TTL after its turn was named", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, { workMs: 5000 });
  untilItWorks(world, holder);
  const [dies, last] = [job(world, 6), job(world, 7)];
  untilItWaits(world, dies);
  untilItWaits(world, last);
  dies.kill();
  const freeAt = untilItIsOver(world, holder);
  const heldAt = untilItWorks(world, last);
  assertGreaterOrEqual(heldAt - freeAt, TTL_MS);
  assertLess(heldAt - freeAt, TTL_MS + 5_000);
  assertEquals(next(world), 7);
});

Deno.test("a dead holder of ours is removed by the ordinary rule, and the number moves on in that write", () => {
  const world = worldAt(5);
  const dies = job(world, 5, {}, ENDLESS);
  untilItWorks(world, dies);
  const last = job(world, 6);
  untilItWaits(world, last);
  dies.kill();
  const heldAt = untilItWorks(world, last);
  assertGreaterOrEqual(heldAt, TTL_MS);
  assertEquals(next(world), 6);
  assertEquals(world.record()?.history[0]?.outcome, "expired");
});

Deno.test("a number whose run is over is passed; one that is not, or of which nothing is known, is waited for", () => {
  for (const fate of ["over", "not_over", "unknown"] as const satisfies readonly Fate["kind"][]) {
    const world = worldAt(5);
    const asked: number[] = [];
    world.fateOf = (number) => {
      asked.push(number);
      return number === 5 ? fate : "over";
    };
    const last = job(world, 7);
    if (fate === "over") {
      untilItWorks(world, last, 10_000);
      assertEquals(asked, [5, 6]);
      assert(told(world).includes("passes run 5: run 5 is over"));
      continue;
    }
    world.runFor(600_000);
    assertEquals(last.state.phase, "waiting");
    assertGreater(asked.length, 10);
    assertLess(asked.length, 100);
  }
});

Deno.test("one that tries once passes numbers whose runs are over, and is busy soon where they are not or nobody can tell", () => {
  for (const fate of ["over", "not_over", "unknown"] as const satisfies readonly Fate["kind"][]) {
    const world = worldAt(5);
    world.fateOf = (number) => number === 6 ? fate : "over";
    const one = job(world, 7, { timeoutMs: 0 });
    untilItIsOver(world, one, 15_000);
    assertEquals(one.state.result?.kind, fate === "over" ? "released" : "busy");
    assertEquals(next(world), fate === "over" ? 8 : 6);
  }
});

Deno.test("that a run is over is asked again where it could not be passed at once: it may have been run again meanwhile", () => {
  const world = worldAt(5);
  let asked = 0;
  world.fateOf = () => {
    world.network.down = ++asked === 1;
    return asked === 1 ? "over" : "not_over";
  };
  const last = job(world, 6);
  world.runFor(100_000);
  world.network.down = false;
  world.runFor(100_000);
  assertGreater(asked, 1);
  assertEquals([last.state.phase, next(world)], ["waiting", 5]);
  world.fateOf = () => "over";
  untilItWorks(world, last);
});

Deno.test("without an answer, or leave to skip it, a number is waited for without end", () => {
  const world = worldAt(5);
  const last = job(world, 6);
  world.runFor(86_400_000);
  assertEquals([last.state.phase, next(world)], ["waiting", 5]);
});

Deno.test("with --skip-after a number that nobody shows up with is passed after so long, and not before", () => {
  const world = worldAt(5);
  const last = job(world, 6, { skipAfterMs: 300_000 });
  const heldAt = untilItWorks(world, last);
  assertGreaterOrEqual(heldAt, 300_000);
  assertLess(heldAt, 305_000);
  assert(told(world).includes("passes run 5: it did not show up for 300 s (--skip-after)"));
});

Deno.test("--skip-after never passes a run whose holder renews", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, { workMs: 600_000 });
  untilItWorks(world, holder);
  const last = job(world, 6, { skipAfterMs: 20_000 });
  world.runFor(500_000);
  assertEquals([holder.working !== null, last.working, next(world)], [true, null, 5]);
  untilItWorks(world, last);
  assertEquals(holder.state.result, { kind: "released" });
});

Deno.test("an outage does not count for --skip-after", () => {
  const world = worldAt(5);
  const last = job(world, 6, { skipAfterMs: 60_000 });
  untilItWaits(world, last);
  world.runFor(50_000);
  world.network.down = true;
  world.runFor(100_000);
  world.network.down = false;
  const backAt = world.time.now;
  assertGreaterOrEqual(untilItWorks(world, last) - backAt, 50_000);
});

Deno.test("who is wiped out by a replace of version 3 stops its work, says so, and moves the number on where it is still its own", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, ENDLESS);
  untilItWorks(world, holder);
  const last = job(world, 6);
  untilItWaits(world, last);
  replaceWith(world, 5);
  const wipedAt = world.time.now;
  untilItIsOver(world, holder);
  assertEquals(holder.state.result, { kind: "lost", lost: { kind: "wiped", next: 5 } });
  assertGreaterOrEqual(untilItWorks(world, last) - wipedAt, TTL_MS);
  assertEquals(next(world), 6);
});

Deno.test("a replace that comes late and sets the number back wedges nobody", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, ENDLESS);
  untilItWorks(world, holder);
  const last = job(world, 6);
  untilItWaits(world, last);
  replaceWith(world, 3);
  untilItIsOver(world, holder);
  untilItWorks(world, last);
  assertEquals(next(world), 6);
});

Deno.test("a number that is set ahead while a run holds is lost to it, and stays as it was set", () => {
  const world = worldAt(5);
  const holder = job(world, 5, {}, ENDLESS);
  untilItWorks(world, holder);
  edit(world, (record) => ({ ...record, next_build: 9 }));
  untilItIsOver(world, holder);
  const lost = { kind: "passed", number: 5, next: 9 } as const;
  assertEquals(holder.state.result, { kind: "lost", lost });
  assertEquals([next(world), world.record()?.holders], [9, []]);
});

Deno.test("the runbook's command on a record in today's form counts as its deletion: the holder stops, others wait a TTL and go on by number", () => {
  const world = calmWorld();
  const holder = world.start("holder", { order: null, orderKey: 5 }, ENDLESS);
  untilItWorks(world, holder);
  assertEquals(next(world), undefined);
  const last = job(world, 7);
  untilItWaits(world, last);
  replaceWith(world, 7);
  const wipedAt = world.time.now;
  untilItIsOver(world, holder);
  assertEquals(holder.state.result, { kind: "lost", lost: { kind: "wiped", next: 7 } });
  assertGreaterOrEqual(untilItWorks(world, last) - wipedAt, TTL_MS);
  assert(told(world).includes("overwritten by one who does not know its holder"));
});

Deno.test("a holder in today's form takes no number for its own that the runbook's command sets", () => {
  const world = calmWorld();
  const holder = world.start("holder", { order: null, orderKey: 9 }, ENDLESS);
  untilItWorks(world, holder);
  replaceWith(world, 7);
  untilItIsOver(world, holder);
  world.runFor(60_000);
  assertEquals(next(world), 7);
});

Deno.test("a release of a hold that was wiped moves a number on that is its own, and no other", () => {
  for (const [stands, after] of [[5, 6], [4, 4], [6, 6]] as const) {
    const world = worldAt(5);
    const holder = job(world, 5, { work: "steps" }, ENDLESS);
    untilItWorks(world, holder);
    const { grant } = holder.state;
    holder.kill();
    replaceWith(world, stands);
    const release = world.start("release", {
      order: null,
      orderKey: 5,
      work: "steps",
      resumed: { grant, then: "release" },
    });
    untilItIsOver(world, release);
    const lost = { kind: "wiped", next: stands } as const;
    assertEquals(release.state.result, { kind: "lost", lost });
    assertEquals(next(world), after);
  }
});

Deno.test("who waits when the record is brought into today's form goes on waiting, in its place", () => {
  const world = worldAt(5);
  const waiters = [7, 6].map((number) => job(world, number));
  for (const one of waiters) untilItWaits(world, one);
  edit(world, ({ order: _, next_build: __, ...today }) => ({ ...today, identity: IDENTITY }));
  for (const one of waiters) untilItIsOver(world, one);
  assertEquals(world.begun.map(({ name }) => name), ["r7", "r6"]);
  assertEquals(ticketsStanding(world), []);
});

for (
  const [what, such] of [["claim", isClaim], ["release", isRelease]] as const
) {
  for (const fate of ["lost", "unanswered", "failed_applied", { lateMs: 3000 }] as const) {
    Deno.test(`a ${what} by number whose answer is lost (${JSON.stringify(fate)}) loses no number`, () => {
      const world = worldAt(5);
      let hit = false;
      world.network.fate = (request, by) => {
        if (hit || by !== "r5" || !such(request)) return null;
        hit = true;
        return fate;
      };
      const jobs = [5, 6].map((number) => job(world, number));
      for (const one of jobs) untilItIsOver(world, one);
      assert(hit);
      assertEquals(jobs.map(({ state }) => state.result?.kind), ["released", "released"]);
      assertEquals(next(world), 7);
      assertEquals(world.begun.map(({ name }) => name), ["r5", "r6"]);
    });
  }
}

Deno.test("the mark of one that gives up is written before its ticket goes, whatever becomes of the answers", () => {
  for (const fate of ["lost", "unanswered", "failed"] as const) {
    const world = worldAt(5);
    const holder = job(world, 5, {}, { workMs: 30_000 });
    untilItWorks(world, holder);
    const leaver = job(world, 6);
    untilItWaits(world, leaver);
    let hit = false;
    world.network.fate = (request, by) => {
      if (hit || by !== "r6" || request.kind !== "replace") return null;
      hit = true;
      return fate;
    };
    leaver.signal();
    untilItIsOver(world, leaver);
    assert(hit);
    const kinds = requests(world, leaver).slice(-4);
    assertGreater(kinds.indexOf("delete_tickets"), kinds.indexOf("replace"));
    const stored = world.core.readRecord(OBJECT);
    assertEquals(parseRecord(stored?.text ?? "").given_up, [6]);
  }
});
