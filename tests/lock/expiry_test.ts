import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Fate } from "../../lib/lock/expiry.ts";
import { encodeRecord, FORMAT_VERSION, parseRecord } from "../../lib/lock/record.ts";
import type { Client } from "../sim/client.ts";
import { jobOf } from "../sim/jobs.ts";
import { OBJECT } from "../sim/network.ts";
import { breakLock } from "../sim/people.ts";
import {
  calmWorld,
  edit,
  ENDLESS,
  holderOf,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";

const TTL = 60_000;
const HOUR = 3_600_000;
const BY_RUNNER: Fate = { kind: "over", by: "runner", why: "its runner finished its job" };
const BY_SERVER: Fate = { kind: "over", by: "server", why: "its job is over" };
const RUNNING: Fate = { kind: "not_over", why: "its job is not over" };
const NOBODY: Fate = { kind: "unknown", why: "the Actions API answered 404" };

interface Scene {
  readonly world: World;
  readonly holder: Client;
  readonly next: Client;
}

/** One that holds with `verify`, and one that waits. */
function scene(fate: Fate, heldFor: "job" | "ttl" = "job", ttlMs = TTL): Scene {
  const world = calmWorld();
  world.jobs.told.set("holder", fate);
  world.jobs.answerMs = 100;
  const holder = holderOf(world, "holder", { ttlMs, expiry: { verify: jobOf("holder", heldFor) } });
  const next = waiter(world, "next");
  return { world, holder, next };
}

/** Kills the holder. @returns how long the next one waits from then on */
function afterItsDeath({ world, holder, next }: Scene): number {
  const died = world.time.now;
  holder.kill();
  return untilItWorks(world, next) - died;
}

Deno.test("nobody is asked about a job whose holder renews", () => {
  const { world } = scene(BY_RUNNER);
  world.runFor(HOUR);
  assertEquals(world.jobs.asked.size, 0);
});

Deno.test("the place of a silent holder whose job is over is taken over after its TTL", () => {
  const waited = afterItsDeath(scene(BY_SERVER));
  assert(waited > TTL * 5 / 6 && waited < TTL + 1000, `${waited} ms`);
});

Deno.test("the place of a silent holder is taken over early when its own runner has finished its job", () => {
  const waited = afterItsDeath(scene(BY_RUNNER));
  assert(waited > TTL / 6 && waited < TTL / 3 + 1000, `${waited} ms`);
});

Deno.test("a hold that another job may give back is not taken over early, whoever finished its job", () => {
  const waited = afterItsDeath(scene(BY_RUNNER, "ttl"));
  assert(waited > TTL * 5 / 6 && waited < TTL + 1000, `${waited} ms`);
});

Deno.test("one that still renews after its job's end keeps its place", () => {
  const { world, holder, next } = scene(BY_RUNNER);
  // Long enough to be asked about, and then alive again.
  holder.pause(TTL / 3 + 50);
  world.runFor(HOUR);
  assertEquals(world.jobs.asked.get("holder"), 1);
  assertEquals([holder.working !== null, next.working], [true, null]);
});

for (const fate of [RUNNING, NOBODY]) {
  Deno.test(`the place of a silent holder is never taken over while the answer is ${fate.kind}`, () => {
    const { world, holder, next } = scene(fate);
    holder.kill();
    world.runFor(24 * HOUR);
    assertEquals(next.working, null);
    const asked = world.jobs.asked.get("holder") ?? 0;
    // Seldom: at a third of the TTL, at its end, and then rarer and rarer, down to once in five minutes.
    assert(asked > 200 && asked < 400, `asked ${asked} times in a day`);
    world.jobs.told.set("holder", BY_SERVER);
    const from = world.time.now;
    assert(untilItWorks(world, next) - from < 400_000);
  });
}

Deno.test("one that is told to wait does not ask again before that", () => {
  const { world, holder } = scene({ ...NOBODY, retryAfterMs: HOUR });
  holder.kill();
  world.runFor(HOUR / 2);
  assertEquals(world.jobs.asked.get("holder"), 1);
});

Deno.test("of many that wait the first asks, and the others seldom", () => {
  const { world, holder } = scene(RUNNING);
  for (let i = 0; i < 20; i++) waiter(world, `w${i}`);
  holder.kill();
  world.runFor(TTL);
  const first = world.jobs.asked.get("holder") ?? 0;
  assert(first >= 2 && first <= 5, `asked ${first} times at first`);
  world.runFor(HOUR);
  const asked = world.jobs.asked.get("holder") ?? 0;
  assert(asked < 150, `asked ${asked} times in an hour`);
});

Deno.test("where the first in line gets no answer another one does", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { ttlMs: TTL, expiry: { verify: jobOf("holder") } });
  const first = waiter(world, "first");
  const second = waiter(world, "second");
  const ask = world.jobs.ask.bind(world.jobs);
  world.jobs.ask = (asker, job, answer) =>
    asker === first ? world.time.after(1, () => answer(NOBODY)) : ask(asker, job, answer);
  holder.kill();
  untilItWorks(world, first);
  assertEquals(second.working, null);
});

Deno.test("an answer about one job says nothing about the next holder's", () => {
  const { world, holder, next } = scene(BY_RUNNER);
  const second = world.start(
    "second",
    { ttlMs: TTL, expiry: { verify: jobOf("second") } },
    ENDLESS,
  );
  world.jobs.told.set("second", RUNNING);
  const last = waiter(world, "last");
  holder.kill();
  untilItIsOver(world, next);
  untilItWorks(world, second);
  second.kill();
  world.runFor(HOUR);
  assertEquals(last.working, null);
});

Deno.test("of two holders beside each other each goes by its own job", () => {
  const world = calmWorld();
  world.makeRecord(2);
  const held = ["one", "two"].map((name) =>
    holderOf(world, name, { ttlMs: TTL, expiry: { verify: jobOf(name) } })
  );
  world.jobs.told.set("one", RUNNING).set("two", BY_SERVER);
  const next = world.start("next", {}, ENDLESS);
  const last = waiter(world, "last");
  for (const holder of held) holder.kill();
  untilItWorks(world, next);
  world.runFor(HOUR);
  assertEquals(last.working, null);
  assertEquals(world.record()?.holders.map(({ holder }) => holder), ["one", "next"]);
});

Deno.test("an entry that does not say its job is nobody's to take over", () => {
  const { world, holder, next } = scene(BY_SERVER);
  holder.kill();
  edit(world, (record) => ({
    ...record,
    holders: record.holders.map(({ job: _, ...rest }) => rest),
  }));
  world.runFor(HOUR);
  assertEquals([next.working, world.jobs.asked.size], [null, 0]);
});

Deno.test("a holder with never is taken off by a person alone, and then goes by its TTL", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder", { ttlMs: TTL, expiry: "never" });
  const next = waiter(world, "next");
  holder.kill();
  world.runFor(48 * HOUR);
  assertEquals(next.working, null);
  const broken = world.time.now;
  breakLock(world, "in order");
  assert(untilItWorks(world, next) - broken < TTL + 1000);
});

Deno.test("what a person broke goes by its TTL, whatever is known of its job", () => {
  const { world, holder, next } = scene(RUNNING);
  holder.kill();
  world.runFor(2 * TTL);
  breakLock(world, "in order");
  assert(untilItWorks(world, next) > 0);
});

for (const [expiry, works] of [["never", false], ["verify", true]] as const) {
  Deno.test(`one that tries once ${works ? "takes over when told so" : "is answered at once"} where the dead holder said ${expiry}`, () => {
    const world = calmWorld();
    world.jobs.told.set("holder", BY_SERVER);
    const holder = holderOf(world, "holder", {
      ttlMs: TTL,
      expiry: expiry === "never" ? "never" : { verify: jobOf("holder") },
    });
    holder.kill();
    world.runFor(2 * TTL);
    const from = world.time.now;
    const one = world.start("one", { timeoutMs: 0 });
    untilItIsOver(world, one);
    assertEquals(one.state.result?.kind, works ? "released" : "busy");
    assert(world.time.now - from < (works ? TTL + 5000 : 1000));
  });
}

Deno.test("one that tries once is busy after one TTL where nobody can tell", () => {
  const { world, holder } = scene(NOBODY);
  holder.kill();
  world.runFor(2 * TTL);
  const one = world.start("one", { timeoutMs: 0 });
  const from = world.time.now;
  untilItIsOver(world, one);
  assertEquals(one.state.result?.kind, "busy");
  assert(world.time.now - from < TTL + 5000);
});

Deno.test("the history says why it was taken off", () => {
  const { world, holder, next } = scene(BY_RUNNER);
  holder.kill();
  untilItWorks(world, next);
  const past = world.record()?.history.find(({ outcome }) => outcome === "expired");
  assertEquals(past?.by, "next");
  assertStringIncludes(past?.reason ?? "", "its runner finished its job");
});

Deno.test("a record is of the newer format while a holder in it has a policy, and no longer", () => {
  const { world, holder, next } = scene(BY_SERVER);
  const version = () => JSON.parse(world.core.readRecord(OBJECT)?.text ?? "{}").version;
  assertEquals(version(), FORMAT_VERSION);
  holder.kill();
  untilItWorks(world, next);
  assertEquals(version(), 1);
});

Deno.test("a policy survives being written by others", () => {
  const { world } = scene(BY_SERVER);
  const text = world.core.readRecord(OBJECT)?.text ?? "";
  const record = parseRecord(text);
  assertEquals(record.holders[0]?.job, jobOf("holder"));
  assertEquals(parseRecord(encodeRecord(record)), record);
});
