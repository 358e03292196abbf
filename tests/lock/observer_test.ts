import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Holder, LockRecord } from "../../lib/lock/record.ts";
import { NOTHING_SEEN, see, seeAfterOutage, silentAt } from "../../lib/lock/observer.ts";
import type { Sight } from "../../lib/lock/observer.ts";
import { mend } from "../../lib/lock/mend.ts";
import type { Helper } from "../../lib/lock/mend.ts";
import { settle } from "../../lib/lock/queue.ts";
import { claimant, freeRecord, frozen, granted, queued } from "./rules_model.ts";
import { call } from "../../lib/lock/queue.ts";
import { claim, renew } from "../../lib/lock/rules.ts";

function held(...grants: readonly string[]): LockRecord {
  let record = freeRecord(Math.max(1, grants.length));
  for (const grant of grants) {
    record = granted(
      claim(frozen({ ...record, turn: [grant] }), claimant(grant), "turn", "9", ""),
    );
  }
  return record;
}

function helper(sight: Sight, now: number, grant = "helper"): Helper {
  return { grant, mode: "exclusive", holder: "helper", sight, inquiries: [], now, at: "" };
}

const TTL = 30_000;

Deno.test("a holder's count begins when its value was first received, and again with each renewal", () => {
  const record = held("a");
  let sight = see(NOTHING_SEEN, record, 100);
  sight = see(sight, record, 20_000);
  assertEquals(sight.holders.map(silentAt), [100 + TTL]);
  sight = see(sight, granted(renew(record, "a", "")), 25_000);
  assertEquals(sight.holders.map(silentAt), [25_000 + TTL]);
});

Deno.test("a renewal with a count that was seen before, as a restored store makes one, begins a holder's count again", () => {
  const record = held("a");
  const before = granted(renew(record, "a", "2026-01-01T00:00:05Z"));
  const after = granted(renew(record, "a", "2026-01-01T00:00:20Z"));
  const sight = see(see(NOTHING_SEEN, before, 5_000), after, 20_000);
  assertEquals(sight.holders.map(silentAt), [20_000 + TTL]);
});

Deno.test("a renewal of one holder does not renew another", () => {
  const record = held("a", "b");
  const sight = see(see(NOTHING_SEEN, record, 0), granted(renew(record, "b", "")), 5_000);
  assertEquals(sight.holders.map(silentAt), [TTL, 5_000 + TTL]);
});

Deno.test("a break does not begin a holder's count again", () => {
  const record = held("a");
  const broken: Holder[] = record.holders.map((holder) => ({ ...holder, state: "broken" }));
  const sight = see(see(NOTHING_SEEN, record, 0), { ...record, holders: broken }, 9_000);
  assertEquals(sight.holders.map(silentAt), [TTL]);
});

Deno.test("each turn has its own age, whatever happens to others", () => {
  const one = frozen({ ...freeRecord(2), turn: ["a"] });
  const two = frozen({ ...one, turn: ["b", "a"] });
  const sight = see(see(NOTHING_SEEN, one, 10), two, 500);
  assertEquals(sight.turns, [{ grant: "b", since: 500 }, { grant: "a", since: 10 }]);
  assertEquals(see(sight, { ...two, turn: ["b"] }, 900).turns, [{ grant: "b", since: 500 }]);
});

Deno.test("a call's age begins when it was first seen standing, and another call's anew", () => {
  const tickets = [queued("a", 2)];
  const first = granted(call(freeRecord(), tickets));
  let sight = see(see(NOTHING_SEEN, first, 10), first, 2_000);
  assertEquals(sight.call, { number: 1, since: 10 });
  const closed = frozen({ ...first, roll_call: { ...first.roll_call, open: false } });
  sight = see(sight, closed, 4_000);
  assertEquals(sight.call, null);
  assertEquals(see(sight, call(closed, tickets), 5_000).call, { number: 2, since: 5_000 });
});

Deno.test("an outage does not count for a holder's silence, and the count of a turn begins again", () => {
  const record = frozen({ ...held("a"), turn: ["b"] });
  const before = see(NOTHING_SEEN, record, 1_000);
  const sight = seeAfterOutage(before, record, 60_000, 50_000);
  assertEquals(sight.holders.map(silentAt), [51_000 + TTL]);
  assertEquals(sight.turns, [{ grant: "b", since: 60_000 }]);
});

Deno.test("after an outage no count is in the future, and a renewal begins it again", () => {
  const record = held("a");
  const before = see(NOTHING_SEEN, record, 1_000);
  const late = seeAfterOutage(before, record, 60_000, 90_000);
  assertEquals(late.holders.map(silentAt), [60_000 + TTL]);
  const renewed = seeAfterOutage(before, granted(renew(record, "a", "")), 60_000, 10_000);
  assertEquals(renewed.holders.map(silentAt), [60_000 + TTL]);
});

Deno.test("nobody is removed before its own TTL was seen to pass, and everybody after it", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40_000), { minLength: 1, maxLength: 20 }), (steps) => {
      let record = held("a", "b");
      let now = 0;
      let renewedAt = { a: 0, b: 0 };
      let sight = see(NOTHING_SEEN, record, now);
      for (const step of steps) {
        now += step;
        if (step % 3 === 0) {
          record = granted(renew(record, "a", `${now}`));
          renewedAt = { ...renewedAt, a: now };
        }
        sight = see(sight, record, now);
        const { next } = mend(record, [], helper(sight, now));
        const left = (next ?? record).holders.map(({ grant }) => grant);
        assertEquals(left.includes("a"), now < renewedAt.a + TTL);
        assertEquals(left.includes("b"), now < TTL);
        if (left.length < 2) return;
      }
    }),
  );
});

Deno.test("a holder that renewed in what was read last is not removed, however long its old value stood", () => {
  const record = held("a");
  const sight = see(see(NOTHING_SEEN, record, 0), granted(renew(record, "a", "")), TTL);
  assertEquals(mend(record, [], helper(sight, TTL)).next, null);
});

Deno.test("the silent holder is removed and the next named in one write", () => {
  const tickets = [queued("b", 20)];
  const sight = see(NOTHING_SEEN, held("a"), 0);
  const { next } = mend(held("a"), tickets, helper(sight, TTL));
  assertEquals(next?.holders, []);
  assertEquals(next?.turn, ["b"]);
  assertEquals(next?.history[0]?.outcome, "expired");
});

Deno.test("an unclaimed turn is called for after 2 s and not before, and never one's own", () => {
  const tickets = [queued("a", 2), queued("b", 3)];
  const record = frozen(settle(freeRecord(), tickets));
  const sight = see(NOTHING_SEEN, record, 0);
  assertEquals(mend(record, tickets, helper(sight, 1_999)).next, null);
  assert(mend(record, tickets, helper(sight, 2_000)).next?.roll_call.open);
  assertEquals(mend(record, tickets, helper(sight, 2_000, "a")).next, null);
});

Deno.test("an unclaimed turn whose ticket is gone is settled without a call", () => {
  const record = frozen({ ...freeRecord(), turn: ["gone"] });
  const sight = see(NOTHING_SEEN, record, 0);
  const { next } = mend(record, [queued("b", 3)], helper(sight, 2_000));
  assertEquals([next?.turn, next?.roll_call.open], [["b"], false]);
});

Deno.test("a call is closed by one that saw it stand long enough, and by nobody earlier", () => {
  const tickets = [queued("a", 2), queued("b", 3)];
  const record = granted(call(settle(freeRecord(), tickets), tickets));
  const answered = [queued("a", 2), queued("b", 9, { answered: 1, order_revision: "3" })];
  const sight = see(NOTHING_SEEN, record, 1_000);
  assertEquals(mend(record, answered, helper(sight, 3_999)).passedOver, []);
  const closed = mend(record, answered, helper(sight, 4_000));
  assertEquals(closed.passedOver.map(({ ticket }) => ticket.grant), ["a"]);
  assertEquals([closed.next?.turn, closed.next?.roll_call.open], [["b"], false]);
});

Deno.test("one that is called and has not answered yet does not close the call", () => {
  const tickets = [queued("a", 2), queued("b", 3)];
  const record = granted(call(settle(freeRecord(), tickets), tickets));
  const sight = see(NOTHING_SEEN, record, 0);
  assertEquals(mend(record, tickets, helper(sight, 60_000, "b")).passedOver, []);
});

Deno.test("the answer of one that cannot claim protects it for the claim timeout and no longer", () => {
  const tickets = [queued("a", 2, { answered: 1 }), queued("b", 3, { answered: 1 })];
  const record = granted(call(settle(freeRecord(), tickets), tickets));
  const sight = see(NOTHING_SEEN, record, 0);
  assertEquals(mend(record, tickets, helper(sight, 4_999)).passedOver, []);
  const { passedOver } = mend(record, tickets, helper(sight, 5_000));
  assertEquals(passedOver.map(({ ticket }) => ticket.grant), ["a"]);
});

Deno.test("nobody passes itself over", () => {
  const tickets = [queued("a", 2, { answered: 1 })];
  const record = granted(call(settle(freeRecord(), tickets), tickets));
  const sight = see(NOTHING_SEEN, record, 0);
  assertEquals(mend(record, tickets, helper(sight, 60_000, "a")).passedOver, []);
});

Deno.test("the tickets of those who hold or have held are cleared away, one's own excepted", () => {
  const tickets = [queued("a", 2), queued("helper", 3)];
  const record = held("a");
  const { spent } = mend(record, tickets, helper(see(NOTHING_SEEN, record, 0), 1));
  assertEquals(spent, [{ grant: "a", uid: "uid of a" }]);
});
