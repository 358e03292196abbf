import { assert, assertEquals } from "@std/assert";
import type { LockRecord } from "../../lib/lock/record.ts";
import {
  bar,
  breakHolder,
  claim,
  claimRefusal,
  nextToken,
  release,
  remove,
  renew,
} from "../../lib/lock/rules.ts";
import {
  call,
  close,
  hasRoom,
  holderOf,
  inOrder,
  pastOf,
  settle,
  unanswered,
} from "../../lib/lock/queue.ts";
import { claimant, EXPIRED, freeRecord, frozen, granted, queued } from "./rules_model.ts";

function held(by: string, others: Partial<LockRecord> = {}): LockRecord {
  const record = { ...freeRecord(), turn: [by], ...others };
  return granted(claim(frozen(record), claimant(by), "turn", "10", ""));
}

function grants(tickets: readonly { ticket: { grant: string } }[]): string[] {
  return tickets.map(({ ticket }) => ticket.grant);
}

Deno.test("tickets stand in the order of priority, then of order key, then of the revision that counts", () => {
  const tickets = [
    queued("later", 9),
    queued("touched", 12, { order_revision: "5" }),
    queued("earlier", 7),
    queued("important", 20, { priority: 1 }),
    queued("longer", 10_000_000_000),
  ];
  assertEquals(grants(inOrder(tickets)), ["important", "touched", "earlier", "later", "longer"]);
  const builds = [queued("b12", 3, { order_key: 12 }), queued("b9", 4, { order_key: 9 })];
  assertEquals(grants(inOrder(builds)), ["b9", "b12"]);
});

Deno.test("a revision of more digits than a number holds is compared exactly", () => {
  const tickets = [
    queued("second", 1, { order_revision: "90071992547409931" }),
    queued("first", 2, { order_revision: "90071992547409930" }),
  ];
  assertEquals(grants(inOrder(tickets)), ["first", "second"]);
});

Deno.test("a token is the revision read, or one more than the last where that is greater", () => {
  const record = freeRecord();
  assertEquals(nextToken(record, "7"), 7);
  assertEquals(nextToken({ ...record, last_token: 7 }, "7"), 8);
  assertEquals(nextToken({ ...record, last_token: 100 }, "7"), 101);
});

Deno.test("a claim is refused when no token is left", () => {
  const record = frozen({ ...freeRecord(), turn: ["a"], last_token: Number.MAX_SAFE_INTEGER });
  assertEquals(claim(record, claimant("a"), "turn", "1", ""), "tokens_used_up");
});

Deno.test("a claim past the queue needs an empty queue, no turn and room", () => {
  const me = { grant: "me", mode: "exclusive", number: null } as const;
  const record = freeRecord();
  assertEquals(claimRefusal(record, me, { tickets: [] }), null);
  assertEquals(claimRefusal(record, me, { tickets: [queued("a", 2)] }), "not_my_turn");
  assertEquals(claimRefusal({ ...record, turn: ["a"] }, me, { tickets: [] }), "not_my_turn");
  assertEquals(claimRefusal(held("a"), me, { tickets: [] }), "no_room");
  const freeze = { by: "", reason: "", since: "", until: null };
  assertEquals(claimRefusal({ ...record, freeze }, me, { tickets: [] }), "frozen");
});

Deno.test("a claim in turn leaves room for those who were named before", () => {
  const record = frozen({ ...freeRecord(2), turn: ["a", "b", "c"] });
  assertEquals(claimRefusal(record, { grant: "b", mode: "exclusive", number: null }, "turn"), null);
  assertEquals(
    claimRefusal(record, { grant: "c", mode: "exclusive", number: null }, "turn"),
    "no_room",
  );
  assertEquals(
    claimRefusal(record, { grant: "d", mode: "exclusive", number: null }, "turn"),
    "not_my_turn",
  );
});

Deno.test("a claim does not end the roll call, and the next call begins with 3 s again", () => {
  const tickets = [queued("a", 2), queued("b", 3)];
  let record = settle(freeRecord(), tickets);
  record = granted(call(close(call(record, tickets), tickets), tickets));
  assertEquals(record.roll_call.stands_seconds, 6);
  const next = granted(claim(record, claimant("a"), "turn", "9", ""));
  assert(next.roll_call.open);
  assertEquals(next.roll_call.grants, record.roll_call.grants);
  assertEquals(call(close(next, tickets), tickets).roll_call.stands_seconds, 3);
});

Deno.test("each call since the last claim stands twice as long, at most 60 s", () => {
  const tickets = [queued("a", 2)];
  let record = freeRecord();
  const stands: number[] = [];
  for (let i = 0; i < 12; i++) {
    record = frozen(call(record, tickets));
    stands.push(record.roll_call.stands_seconds);
    record = frozen(close(record, tickets));
  }
  assertEquals(stands, [3, 6, 12, 24, 48, 60, 60, 60, 60, 60, 60, 60]);
});

Deno.test("a call names the first 128 and no more", () => {
  const tickets = Array.from({ length: 200 }, (_, i) => queued(`g${i}`, i + 2));
  const { grants } = call(freeRecord(), tickets).roll_call;
  assertEquals(grants, tickets.slice(0, 128).map(({ ticket }) => ticket.grant));
});

Deno.test("no second call is made while one stands, and none where nobody waits", () => {
  const tickets = [queued("a", 2)];
  const record = granted(call(freeRecord(), tickets));
  assertEquals(call(record, [...tickets, queued("b", 3)]), record);
  assertEquals(call(freeRecord(), []), freeRecord());
});

Deno.test("a call ends when a settle finds no ticket waiting, and its number stays", () => {
  const record = granted(call(freeRecord(), [queued("a", 2)]));
  const next = settle(record, []);
  assertEquals([next.roll_call.open, next.roll_call.number], [false, 1]);
});

Deno.test("who did not answer the call is passed over, and who answered an earlier one only", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((grant, i) => queued(grant, i + 2));
  assert(a && b && c && d);
  const record = granted(call({ ...freeRecord(), roll_call: callNumber(4) }, [a, b, c]));
  const tickets = [a, queued("b", 9, { answered: 5 }), queued("c", 8, { answered: 4 }), d];
  assertEquals(grants(unanswered(record, tickets, [])), ["a", "c"]);
});

Deno.test("an answer does not protect one whose own turn was not claimed in time", () => {
  const tickets = [queued("a", 2, { answered: 1 }), queued("b", 3, { answered: 1 })];
  const record = granted(call(settle(freeRecord(), tickets), tickets));
  assertEquals(grants(unanswered(record, tickets, ["a"])), ["a"]);
});

Deno.test("a turn that is stale but was taken off meanwhile costs nobody the ticket", () => {
  const tickets = [queued("a", 2, { answered: 1 })];
  const record = granted(call(freeRecord(), tickets));
  assertEquals(unanswered(record, tickets, ["a"]), []);
});

Deno.test("while no call stands nobody is passed over", () => {
  const tickets = [queued("a", 2)];
  assertEquals(unanswered(settle(freeRecord(), tickets), tickets, ["a"]), []);
});

Deno.test("an entry that a person broke fills its place, is not renewed and stays told as broken", () => {
  const record = held("a");
  const broken = granted(breakHolder(record, "a", "eve", "stuck"));
  assertEquals(settle(broken, [queued("b", 11)]).turn, []);
  assertEquals(renew(broken, "a", ""), "broken");
  assertEquals(breakHolder(broken, "a", "eve", ""), "broken");
  const after = granted(remove(broken, "a", [], EXPIRED));
  const past = pastOf(after, "a");
  assertEquals([past?.outcome, past?.by, past?.reason], ["broken", "eve", "stuck"]);
});

Deno.test("one that does not hold can be neither renewed, released, removed nor broken", () => {
  const record = held("a");
  assertEquals(renew(record, "b", ""), "not_holder");
  assertEquals(release(record, "b", [], ""), "not_holder");
  assertEquals(remove(record, "b", [], EXPIRED), "not_holder");
  assertEquals(breakHolder(record, "b", "", ""), "not_holder");
});

Deno.test("a renewal counts one more and touches nobody else", () => {
  const turn = ["b"];
  const record = granted(
    claim(frozen({ ...held("a", { capacity: 2 }), turn }), claimant("b"), "turn", "20", ""),
  );
  const next = granted(renew(record, "b", "now"));
  assertEquals(holderOf(next, "b")?.renewals, 1);
  assertEquals(holderOf(next, "b")?.renewed_at, "now");
  assertEquals(holderOf(next, "a"), holderOf(record, "a"));
});

Deno.test("a barred grant is off the turn and can never claim, and the next is named", () => {
  const tickets = [queued("a", 2), queued("b", 3)];
  const record = frozen(settle(freeRecord(), tickets));
  const mode = "exclusive";
  const waiter = {
    grant: "a",
    holder: "",
    link: "",
    mode,
    waitedSeconds: 1,
    number: null,
  } as const;
  const ending = { outcome: "gave_up", by: null, reason: null, at: "" } as const;
  const next = granted(bar(record, waiter, tickets, ending));
  assertEquals(next.turn, ["b"]);
  assertEquals(claim(next, claimant("a"), "turn", "9", ""), "spent");
  assertEquals(pastOf(next, "a")?.token, null);
});

Deno.test("a waiting writer stops later readers, and readers are named together", () => {
  const reader = granted(
    claim(
      frozen({ ...freeRecord(), turn: ["r1"] }),
      claimant("r1", "shared"),
      "turn",
      "9",
      "",
    ),
  );
  const later = [queued("w", 11), queued("r2", 12, { mode: "shared" })];
  assertEquals(settle(reader, later).turn, []);
  const readers = [queued("r2", 12, { mode: "shared" }), queued("r3", 13, { mode: "shared" })];
  assertEquals(settle(reader, [...readers, queued("w", 14)]).turn, ["r2", "r3"]);
});

Deno.test("there is room while more may hold than hold or are named", () => {
  assert(hasRoom(freeRecord()));
  assert(!hasRoom({ ...freeRecord(), turn: ["a"] }));
  assert(!hasRoom(held("a")));
  assert(hasRoom(held("a", { capacity: 2 })));
  assert(!hasRoom({ ...freeRecord(), freeze: { by: "", reason: "", since: "", until: null } }));
});

function callNumber(number: number): LockRecord["roll_call"] {
  return { number, open: false, stands_seconds: 0, calls: 0, grants: [] };
}
