import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import type { Answer, Effect, Happening, Request, State } from "../../lib/lock/driver.ts";
import { emptyRecord, encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { claim } from "../../lib/lock/rules.ts";
import { begin, step } from "../../lib/lock/step.ts";
import { deleteRecord } from "../sim/people.ts";
import { EMPTY, restore } from "../sim/restores.ts";
import {
  calmWorld,
  edit,
  ghostTicket,
  holderOf,
  untilItIsOver,
  untilItWaits,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";
import { CONFIG, IDENTITY, World } from "../sim/world.ts";
import { claimant, frozen, granted, queued } from "./rules_model.ts";

/** One client whose every answer a test gives. */
class Alone {
  state: State;
  now = 0;
  asked: { id: number; request: Request } | null = null;
  effects: Effect[] = [];

  constructor(config: Partial<typeof CONFIG> = {}) {
    this.state = frozen(begin({ ...CONFIG, grantPrefix: "me", ...config }, 0, 0));
    this.happen({ kind: "tick" });
  }

  happen(what: Happening, afterMs = 1): this {
    this.now += afterMs;
    const after = step(this.state, frozen({ now: this.now, wall: this.now, what }));
    this.state = frozen(after.state);
    this.effects = after.effects;
    for (const effect of after.effects) {
      if (effect.kind === "request" && effect.id !== this.state.clearing?.id) this.asked = effect;
    }
    return this;
  }

  answer(answer: Answer, afterMs = 1): this {
    return this.happen({ kind: "answer", id: this.asked?.id ?? -1, answer }, afterMs);
  }

  /** Waits behind a holder. */
  static waiting(): Alone {
    const alone = new Alone();
    alone.answer({ record: stored(heldBy("other-1"), 5), tickets: [] });
    assert(alone.asked?.request.kind === "create_ticket");
    const { grant } = alone.state;
    const text = JSON.stringify(alone.asked.request.ticket);
    alone.answer({ ticket: { grant, uid: "t1", revision: "6", text } });
    return alone.answer({ record: stored(heldBy("other-1"), 5) });
  }
}

function stored(record: LockRecord, revision: number, uid = "u1") {
  return { uid, revision: `${revision}`, text: encodeRecord(record) };
}

function heldBy(grant: string, renewals = 0): LockRecord {
  const named = frozen({ ...emptyRecord(IDENTITY), turn: [grant] });
  const record = granted(claim(named, claimant(grant), "turn", "4", ""));
  return frozen({
    ...record,
    holders: record.holders.map((holder) => ({ ...holder, renewals })),
  });
}

Deno.test("a step changes neither the state nor the event it is given", () => {
  // The states and events of these clients are frozen: a write into one would throw.
  const alone = Alone.waiting();
  alone.happen({ kind: "watched", id: alone.state.watch.id, record: stored(heldBy("me-1"), 9) });
  alone.happen({ kind: "work_ended" });
  assertEquals(alone.state.phase, "releasing");
});

Deno.test("the same seed gives the same story", () => {
  const story = () => {
    const world = new World(7);
    for (const name of ["a", "b", "c"]) world.start(name);
    world.run(() => world.clients.every((client) => client.over), 60_000, "they do not end");
    return world.story;
  };
  assertEquals(story(), story());
});

Deno.test("an old event that arrives after a newer read is ignored", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  alone.happen({ kind: "watched", id, record: stored(heldBy("other-1", 3), 9) });
  const before = alone.state.sight;
  alone.happen({ kind: "watched", id, record: stored(heldBy("other-1", 1), 7) });
  assertEquals(alone.state.sight, before);
  assertEquals(alone.state.known?.stored?.revision, "9");
});

Deno.test("an event that comes twice does not begin a holder's count again", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  const before = alone.state.sight;
  alone.happen({ kind: "watched", id, record: stored(heldBy("other-1"), 5) }, 4_000);
  assertEquals(alone.state.sight, before);
});

Deno.test("an event of another object alone decides nothing: the record is read", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  const mine = frozen({ ...emptyRecord(IDENTITY), turn: [alone.state.grant] });
  alone.happen({ kind: "watched", id, record: stored(mine, 50, "u2") });
  assertEquals(alone.asked?.request.kind, "read");
  assertEquals(alone.state.known?.stored?.uid, "u1");
});

Deno.test("an event of a watch that was given up is ignored", () => {
  const alone = Alone.waiting();
  const before = alone.state.known;
  const id = alone.state.watch.id - 1;
  alone.happen({ kind: "watched", id, record: stored(heldBy("other-1", 3), 9) });
  assertEquals(alone.state.known, before);
});

Deno.test("an answer to nothing that was asked is ignored", () => {
  const alone = Alone.waiting();
  const before = alone.state.known;
  alone.happen({ kind: "answer", id: 12_345, answer: { record: null } });
  assertEquals(alone.state.known, before);
});

Deno.test("a list is not used with a record that came after it was asked for", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  const { grant } = alone.state;
  const free = frozen({ ...heldBy("other-1"), holders: [] });
  alone.happen({ kind: "watched", id, record: stored(free, 9) });
  alone.happen({ kind: "tick" }, 100);
  assertEquals(alone.asked?.request.kind, "list");
  // Somebody joined and was named after that list was made.
  const named = frozen({ ...free, turn: ["late-1"] });
  alone.happen({ kind: "watched", id, record: stored(named, 12) });
  const text = encodeTicket({ ...queued(grant, 0).ticket, holder: "" });
  alone.answer({ tickets: [{ grant, uid: "t1", revision: "6", text }] });
  assert(alone.asked?.request.kind !== "replace");
});

Deno.test("a holder does not give back by a list that is older than the record it writes", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  const mine = heldBy(alone.state.grant, 1);
  alone.happen({ kind: "watched", id, record: stored(heldBy(alone.state.grant), 9) });
  alone.answer({ record: stored(mine, 10) });
  alone.happen({ kind: "work_ended" });
  assertEquals(alone.asked?.request.kind, "list");
  const named = frozen({ ...mine, capacity: 2, turn: ["late-1"] });
  alone.happen({ kind: "watched", id, record: stored(named, 12) });
  alone.answer({ tickets: [] });
  const request = alone.asked?.request;
  // Either it lists again, or it writes over what the list was made for: then the store refuses that write.
  assertEquals(request?.kind === "replace" ? request.base.revision : "10", "10");
});

Deno.test("a store that was set back is believed once it is read", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  alone.happen({ kind: "watched", id, record: stored(heldBy("other-1", 3), 9) });
  alone.happen({ kind: "watch_ended", id, failure: null });
  alone.answer({ record: stored(heldBy("other-1", 1), 7) });
  assertEquals(alone.state.known?.stored?.revision, "7");
});

Deno.test("who saw a lock held of which a restored store knows nothing waits a full TTL", () => {
  const world = calmWorld();
  world.makeRecord(1);
  const backup = world.core.backup();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  restore(world, { backup, next: "as then", watches: "broken" });
  world.run(() => next.state.embargoUntil !== null, 1_000, "it does not learn of it");
  const from = world.time.now;
  assertGreaterOrEqual(untilItWorks(world, next) - from, 10_000);
  assertEquals(holder.state.result?.kind, "lost");
});

Deno.test("who learns of a restored store only when its revisions have caught up knows it by the last token", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  const named = { ...emptyRecord(IDENTITY), turn: [alone.state.grant] };
  alone.happen({ kind: "watched", id, record: stored(named, 90) });
  assertGreaterOrEqual(alone.state.embargoUntil ?? 0, alone.now + 10_000);
});

Deno.test("a record that has another text with the same revision is one that was set back", () => {
  const alone = Alone.waiting();
  alone.happen({ kind: "watch_ended", id: alone.state.watch.id, failure: null });
  alone.answer({ record: stored({ ...heldBy("other-2"), last_token: 9 }, 5) });
  assertGreaterOrEqual(alone.state.embargoUntil ?? 0, alone.now + 10_000);
});

Deno.test("a claim without an answer is not sent again over what a restored store has under the revision of then", () => {
  const alone = Alone.waiting();
  const { grant, watch: { id } } = alone.state;
  alone.happen({
    kind: "watched",
    id,
    record: stored({ ...heldBy("x-1"), holders: [], turn: [grant] }, 9),
  });
  const sent = () => alone.asked?.request.kind === "replace" ? alone.asked.request : null;
  const claimed = sent();
  assert(claimed !== null);
  alone.answer({ failure: { kind: "unknown", message: "reset" } });
  alone.happen({ kind: "tick" }, 1_000);
  assertEquals(alone.asked?.request.kind, "read");
  // Restored, and in use again: the same number, another state.
  alone.answer({ record: stored(heldBy("other-9"), 9) });
  assertEquals(sent(), null);
});

Deno.test("a waiter whose place lies in the future of a store that was set back takes the one of now", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  for (let i = 0; i < 60; i++) ghostTicket(world, `ghost-${i}`);
  const first = world.start("first", {}, { workMs: 30_000 });
  untilItWaits(world, first);
  const early = waiter(world, "early");
  restore(world, { backup: EMPTY, next: "as then", watches: "broken" });
  untilItWorks(world, first);
  const late = waiter(world, "late");
  assertLess(Number(world.core.revision), 60);
  world.run(() => early.over && late.over, 120_000, "they do not end");
  assertEquals(world.begun.slice(1).map(({ name }) => name), ["first", "early", "late"]);
});

Deno.test("one whose watch is refused reads every second instead", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  alone.happen({ kind: "watch_ended", id, failure: { kind: "refused", message: "403" } });
  alone.answer({ record: stored(heldBy("other-1"), 5) });
  assert(alone.state.pollOnly);
  assertLess((alone.state.wakeAt ?? Infinity) - alone.now, 1_300);
});

Deno.test("a watch that ended begins again from what was read then", () => {
  const alone = Alone.waiting();
  const { id } = alone.state.watch;
  alone.happen({ kind: "watch_ended", id, failure: null });
  alone.answer({ record: stored(heldBy("other-1", 1), 8) }, 50);
  const watch = alone.effects.find((effect) => effect.kind === "watch");
  assertEquals(watch?.kind === "watch" && watch.from, "8");
});

Deno.test("a turned-away request comes again no sooner than the store asked for", () => {
  const alone = Alone.waiting();
  alone.happen({ kind: "watch_ended", id: alone.state.watch.id, failure: null });
  const failure = { kind: "throttled", message: "429", retryAfterMs: 7_000 } as const;
  alone.answer({ failure });
  alone.asked = null;
  alone.happen({ kind: "tick" }, 6_900);
  assertEquals(alone.asked, null);
  alone.happen({ kind: "tick" }, 200);
  assert(alone.asked !== null);
});

Deno.test("one that is over does nothing any more", () => {
  const alone = new Alone();
  alone.answer({ record: stored(heldBy("other-1"), 5), tickets: [] });
  alone.happen({ kind: "give_up" });
  alone.answer({ failure: { kind: "refused", message: "403" } });
  assertEquals(alone.state.phase, "over");
  alone.happen({ kind: "tick" });
  assertEquals(alone.effects, []);
  assertEquals(alone.state.wakeAt, null);
});

Deno.test("a ticket of a newer format makes a waiter stop rather than guess", () => {
  const alone = new Alone();
  const text = JSON.stringify({ version: 2 });
  const tickets = [{ grant: "new-1", uid: "t9", revision: "4", text }];
  alone.answer({ record: stored(heldBy("other-1"), 5), tickets });
  assertEquals(alone.state.result?.kind, "unusable");
});

Deno.test("a damaged ticket counts as absent", () => {
  const alone = new Alone();
  const tickets = [{ grant: "bad-1", uid: "t9", revision: "4", text: "nonsense" }];
  alone.answer({ record: stored(emptyRecord(IDENTITY), 5), tickets });
  assertEquals(alone.asked?.request.kind, "replace");
});

Deno.test("clocks whose rates differ by a tenth keep two from working at once", () => {
  for (const [slow, fast] of [[0.955, 1.05], [1.05, 0.955]]) {
    const world = calmWorld();
    const config = { ttlMs: 10_000 };
    const holder = world.start("holder", config, {
      rate: slow ?? 1,
      workMs: 1e8,
      stubbornMs: 1e8,
      lifeline: false,
    });
    untilItWorks(world, holder);
    const next = world.start("next", config, { rate: fast ?? 1 });
    world.runFor(20_000);
    world.network.fate = (_request, sender) => sender === "holder" ? "lost" : null;
    untilItWorks(world, next, 30_000);
    assert(holder.working === null);
  }
});

Deno.test("a wall clock that is days off changes no decision", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = world.start("next", {}, { wallOffsetMs: 3 * 86_400_000 });
  world.runFor(60_000);
  next.setWall(-6 * 86_400_000);
  world.runFor(60_000);
  assert(next.working === null);
  holder.signal();
  untilItWorks(world, next, 1_000);
});

Deno.test("the record is read now and then though its watch is silent, and a turn is found so", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  world.network.faults = { ...world.network.faults, watchSilent: 1 };
  world.runFor(1_000);
  holder.signal();
  untilItIsOver(world, holder);
  const named = world.time.now;
  assertLess(untilItWorks(world, next) - named, 20_000);
});

Deno.test("a record deleted and made again between two reads counts as deleted", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  const next = waiter(world, "next");
  holder.kill();
  deleteRecord(world);
  world.makeRecord(1);
  edit(world, (record) => ({ ...record, extra: { note: "other" } }));
  const from = world.time.now;
  assert(untilItWorks(world, next) - from >= 10_000);
});
