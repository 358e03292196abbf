import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { emptyRecord, HISTORY_LENGTH } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import {
  call,
  inLine,
  isSpent,
  numberOf,
  settle,
  unanswered,
  waiting,
} from "../../lib/lock/queue.ts";
import type { Queued } from "../../lib/lock/queue.ts";
import { bar, claim, claimRefusal, release, remove } from "../../lib/lock/rules.ts";
import {
  handOn,
  helpedOn,
  holeIn,
  isOver,
  isWiped,
  passHole,
  passOver,
} from "../../lib/lock/sequential.ts";
import { claimant, EXPIRED, frozen, granted, queued } from "./rules_model.ts";

const IDENTITY = { scope: "global", owner: "", repository: "", lock: "deploy" } as const;
const GAVE_UP = { outcome: "gave_up", by: null, reason: null, at: "" } as const;

/** A record in version 3's form whose number is `next`. */
function v3(next: number, some: Partial<LockRecord> = {}): LockRecord {
  return frozen({ ...emptyRecord(IDENTITY), order: "sequential", next_build: next, ...some });
}

let revision = 0;

/** A ticket of run `number`. */
function ofRun(number: number, grant = `run${number}`): Queued {
  return queued(grant, ++revision, { order: "sequential", order_key: number });
}

/** One of run `number`. */
function of(number: number, grant = `run${number}`) {
  return { ...claimant(grant), number };
}

/** The record in which run `number` holds. */
function heldBy(number: number, some: Partial<LockRecord> = {}): LockRecord {
  return granted(claim(v3(number, some), of(number), { tickets: [] }, "7", ""));
}

function leaver(number: number, grant = `run${number}`) {
  return { grant, holder: "", link: "", mode: "exclusive", waitedSeconds: 0, number } as const;
}

Deno.test("only the run whose number has come may claim, and is named", () => {
  const tickets = [ofRun(6), ofRun(5), ofRun(4), queued("other", ++revision)];
  assertEquals(settle(v3(5), tickets).turn, ["run5"]);
  for (const number of [4, 6]) {
    assertEquals(claimRefusal(v3(5), of(number), { tickets: [] }), "not_my_turn");
    assertEquals(
      claimRefusal(v3(5, { turn: [`run${number}`] }), of(number), "turn"),
      "not_my_turn",
    );
  }
  assertEquals(claimRefusal(v3(5), { ...of(5), number: null }, { tickets: [] }), "not_my_turn");
  assertEquals(heldBy(5).holders[0]?.run_number, 5);
});

Deno.test("a release moves the number on by one and names a waiter of that number", () => {
  const after = granted(release(heldBy(5), "run5", [ofRun(7), ofRun(6)], ""));
  assertEquals([after.next_build, after.turn], [6, ["run6"]]);
});

Deno.test("jobs of one run take turns, and the number moves on with the last of them", () => {
  const leg = ofRun(5, "leg");
  const first = granted(release(heldBy(5), "run5", [ofRun(6), leg], ""));
  assertEquals([first.next_build, first.turn], [5, ["leg"]]);
  const second = granted(claim(first, of(5, "leg"), "turn", "9", ""));
  const last = granted(release(second, "leg", [ofRun(6), leg], ""));
  assertEquals([last.next_build, last.turn], [6, ["run6"]]);
});

Deno.test("the removal of a dead holder moves the number on in the same write", () => {
  const after = granted(remove(heldBy(5), "run5", [ofRun(6)], EXPIRED));
  assertEquals([after.next_build, after.turn, after.history[0]?.outcome], [6, ["run6"], "expired"]);
});

Deno.test("a number that was moved on while a run held is not that run's any more: nothing but its entry changes", () => {
  const ahead = frozen({ ...heldBy(5), next_build: 9 });
  assertEquals(granted(release(ahead, "run5", [], "")).next_build, 9);
});

Deno.test("a number that was set back while a run held is moved on past that run", () => {
  const back = frozen({ ...heldBy(5), next_build: 3 });
  assertEquals(granted(release(back, "run5", [ofRun(6)], "")).next_build, 6);
  assertEquals(granted(release(back, "run5", [ofRun(5, "leg")], "")).next_build, 5);
});

Deno.test("one whose entry was wiped hands the number on, unless somebody else holds or the number is another's", () => {
  assertEquals(handOn(v3(5), 5, [ofRun(6)]).next_build, 6);
  assertEquals(handOn(v3(3), 5, []).next_build, 6);
  assertEquals(handOn(v3(6), 5, []).next_build, 6);
  assertEquals(handOn(heldBy(5), 5, []).next_build, 5);
});

Deno.test("a run that gives up before its number has come is not waited for, unless another of its jobs waits", () => {
  const barred = frozen(bar(heldBy(5), leaver(6), [ofRun(7)], GAVE_UP));
  assertEquals(barred.given_up, [6]);
  const after = granted(release(barred, "run5", [ofRun(7)], ""));
  assertEquals([after.next_build, after.turn, after.given_up], [7, ["run7"], undefined]);
  const other = granted(release(barred, "run5", [ofRun(7), ofRun(6, "leg")], ""));
  assertEquals([other.next_build, other.turn], [6, ["leg"]]);
});

Deno.test("a run that gives up when its number has come moves it on", () => {
  const after = bar(v3(5, { turn: ["run5"] }), leaver(5), [ofRun(6)], GAVE_UP);
  assertEquals([after.next_build, after.turn], [6, ["run6"]]);
  assertEquals(bar(heldBy(5), leaver(5, "leg"), [], GAVE_UP).next_build, 5);
});

Deno.test("a run that was passed changes no number when it goes", () => {
  assertEquals(bar(v3(5), leaver(3), [], GAVE_UP).next_build, 5);
});

Deno.test("who does not answer has as long as a holder, and then its run is passed", () => {
  const silent = ofRun(5);
  const called = frozen(call(settle(v3(5), [silent, ofRun(6)]), [silent, ofRun(6)]));
  assertEquals(called.roll_call.stands_seconds, silent.ticket.ttl_seconds);
  assertEquals(called.roll_call.grants, ["run5"]);
  assertEquals(unanswered(called, [silent, ofRun(6)], []).map(({ ticket }) => ticket.grant), [
    "run5",
  ]);
  const after = passOver(called, [ofRun(6)]);
  assertEquals([after.next_build, after.turn, after.roll_call.open], [6, ["run6"], false]);
});

Deno.test("a call that nobody stands in any more is the end of its run, whoever helps the record on", () => {
  const called = frozen(call(settle(v3(5), [ofRun(5)]), [ofRun(5)]));
  const after = helpedOn(called, [ofRun(6)]);
  assertEquals([after.next_build, after.turn, after.roll_call.open], [6, ["run6"], false]);
  assertEquals(helpedOn(called, [ofRun(5)]).next_build, 5);
});

Deno.test("a number is a hole while nobody of ours holds it or waits with it", () => {
  assertEquals(holeIn(v3(5), [ofRun(6)]), 5);
  assertEquals(holeIn(v3(5), [ofRun(5)]), null);
  assertEquals(holeIn(heldBy(5), [ofRun(6)]), null);
  assertEquals(holeIn(frozen(emptyRecord(IDENTITY)), []), null);
  const after = passHole(v3(5), 5, [ofRun(6)]);
  assertEquals([after?.next_build, after?.turn], [6, ["run6"]]);
  assertEquals(passHole(v3(6), 5, []), null);
  assertEquals(passHole(v3(5), 5, [ofRun(5)]), null);
});

Deno.test("a record is wiped when a holder's entry is gone without a trace, and only then", () => {
  const held = heldBy(5);
  assert(isWiped(held, v3(5), HISTORY_LENGTH));
  assert(isWiped(held, v3(6), HISTORY_LENGTH));
  assert(!isWiped(held, granted(release(held, "run5", [], "")), HISTORY_LENGTH));
  assert(!isWiped(v3(5), v3(6), HISTORY_LENGTH));
  const today = granted(claim(emptyRecord(IDENTITY), claimant("a"), { tickets: [] }, "7", ""));
  assert(isWiped(today, v3(5), HISTORY_LENGTH));
  assert(isWiped(granted(release(today, "a", [], "")), v3(5), HISTORY_LENGTH));
  assert(!isWiped(today, granted(release(today, "a", [], "")), HISTORY_LENGTH));
});

Deno.test("those of later runs stand behind, by number and then by place", () => {
  const tickets = [ofRun(9), ofRun(7, "b"), ofRun(8), ofRun(7, "a"), queued("other", ++revision)];
  assertEquals(inLine(v3(5), tickets).map(({ ticket }) => ticket.grant), [
    "b",
    "a",
    "run8",
    "run9",
    "other",
  ]);
});

/** One act of somebody on a record in version 3's form. */
const ACTS = [
  "join",
  "join",
  "settle",
  "claim",
  "claim",
  "release",
  "remove",
  "give up",
  "call",
  "close",
  "pass",
  "delete ticket",
] as const;

Deno.test("whatever happens the number never goes back, grows by one run at a time or over runs that are done, and one holds", () => {
  const steps = fc.array(
    fc.record({ act: fc.constantFrom(...ACTS), pick: fc.nat(99), ahead: fc.nat(4) }),
    { maxLength: 60, size: "max" },
  );
  fc.assert(
    fc.property(steps, (list) => {
      let record = v3(10);
      let tickets: Queued[] = [];
      let count = 0;
      for (const { act, pick, ahead } of list) {
        const before = record;
        const next = record.next_build ?? NaN;
        const ticket = tickets[pick % Math.max(1, tickets.length)];
        const holder = record.holders[0];
        const gone = [...record.given_up ?? []];
        if (act === "join") tickets = [...tickets, ofRun(next + ahead, `g${count++}`)];
        else if (act === "settle") record = settle(record, tickets);
        else if (act === "claim") {
          const [named] = record.turn;
          const claimed = named === undefined
            ? claim(record, of(next, `g${count++}`), { tickets }, `${++revision}`, "")
            : claim(record, of(next, named), "turn", `${++revision}`, "");
          if (typeof claimed !== "string") record = claimed;
        } else if (act === "release" && holder) {
          record = granted(release(record, holder.grant, tickets, ""));
        } else if (act === "remove" && holder) {
          record = granted(remove(record, holder.grant, tickets, EXPIRED));
        } else if (act === "give up" && ticket && !isSpent(record, ticket.ticket.grant)) {
          const number = numberOf(ticket.ticket) ?? NaN;
          gone.push(number);
          record = bar(record, leaver(number, ticket.ticket.grant), tickets, GAVE_UP);
        } else if (act === "call") record = call(record, tickets);
        else if (act === "close") {
          const silent = unanswered(record, tickets, []);
          tickets = tickets.filter((one) => !silent.includes(one));
          record = passOver(record, tickets);
        } else if (act === "pass") record = passHole(record, next, tickets) ?? record;
        else if (act === "delete ticket") tickets = tickets.filter((one) => one !== ticket);
        record = frozen(record);
        const after = record.next_build ?? NaN;
        assertGreaterOrEqual(after, next);
        assertLessOrEqual(record.holders.length, 1);
        for (const one of record.holders) assertEquals(one.run_number, after);
        // Nobody who waits is passed: not the present run while one of it waits, nor one of those in between.
        const passed = waiting(before, tickets).length > 0 ? [next] : [];
        for (let number = next + 1; number < after; number++) {
          assert(gone.includes(number), `run ${number} is passed`);
          passed.push(number);
        }
        if (after > next) {
          const left = tickets.filter(({ ticket: one }) => !isSpent(record, one.grant));
          const theirs = left.filter(({ ticket: one }) => passed.includes(numberOf(one) ?? NaN));
          assertEquals(theirs.map(({ ticket: one }) => one.grant), []);
          assert(theirs.every(({ ticket: one }) => isOver(record, one)));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
