import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { HISTORY_LENGTH } from "../../lib/lock/record.ts";
import type { LockRecord, Mode } from "../../lib/lock/record.ts";
import { CALL_SIZE, inOrder, isSpent, settle, waiting } from "../../lib/lock/queue.ts";
import { claim } from "../../lib/lock/rules.ts";
import type { Queued } from "../../lib/lock/queue.ts";
import { acts, claimant, frozen, Model } from "./rules_model.ts";
import type { Act } from "./rules_model.ts";

/** Runs random acts on locks of random capacity and lets `check` see each step. */
function always(
  without: readonly Act["kind"][],
  check: (before: LockRecord, model: Model, settled: boolean, act: Act) => void,
): void {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), acts(without), (capacity, steps) => {
      const model = new Model(capacity);
      for (const act of steps) {
        const before = model.record;
        const settled = model.act(act);
        check(before, model, settled, act);
      }
    }),
    { numRuns: 1000 },
  );
}

function fits(modes: readonly Mode[], capacity: number): boolean {
  const exclusive = modes.filter((mode) => mode === "exclusive").length;
  return exclusive === 0 || (exclusive === modes.length && exclusive <= capacity);
}

function modesOf(record: LockRecord, tickets: readonly Queued[]): Mode[] {
  const named = tickets.filter(({ ticket }) => record.turn.includes(ticket.grant));
  return [
    ...record.holders.map((holder) => holder.mode),
    ...named.map(({ ticket }) => ticket.mode),
  ];
}

Deno.test("never more hold than the capacity allows, and nobody exclusive beside others", () => {
  always(["resize"], (_before, { record }) => {
    const modes = record.holders.map((holder) => holder.mode);
    assert(fits(modes, record.capacity), `${modes} with capacity ${record.capacity}`);
  });
});

Deno.test("when the capacity shrinks nobody new holds before there is room", () => {
  always([], (before, { record }) => {
    const modes = record.holders.map((holder) => holder.mode);
    if (record.holders.length > before.holders.length) assert(fits(modes, record.capacity));
  });
});

Deno.test("no two exclusive holders share a slot, and a claim takes the lowest that is free", () => {
  always(["resize"], ({ holders: before }, { record }) => {
    const slots = record.holders.filter(({ mode }) => mode === "exclusive").map(({ slot }) => slot);
    assertEquals(new Set(slots).size, slots.length);
    const claimed = record.holders.find(({ grant }) => !before.some((old) => old.grant === grant));
    if (claimed?.mode !== "exclusive") return;
    for (let slot = 0; slot < claimed.slot; slot++) assert(slots.includes(slot));
    assertLessOrEqual(claimed.slot, record.capacity - 1);
  });
});

Deno.test("those who hold and those whose turn it is fit together after each settle", () => {
  always(["resize"], (_before, { record, tickets }, settled) => {
    if (settled) assert(fits(modesOf(record, tickets), record.capacity));
  });
});

Deno.test("a turn always belongs to a ticket that waits, after each settle", () => {
  always([], (_before, { record, tickets }, settled) => {
    if (!settled) return;
    const queue = waiting(record, tickets).map(({ ticket }) => ticket.grant);
    for (const grant of record.turn) assert(queue.includes(grant), `${grant} does not wait`);
  });
});

Deno.test("nobody is named while one with an earlier place waits unnamed", () => {
  always([], (before, { record, tickets }, settled) => {
    if (!settled) return;
    const queue = waiting(record, tickets).map(({ ticket }) => ticket.grant);
    for (const grant of record.turn) {
      if (before.turn.includes(grant)) continue;
      const earlier = queue.slice(0, queue.indexOf(grant));
      for (const other of earlier) assert(record.turn.includes(other), `${grant} before ${other}`);
    }
  });
});

Deno.test("the first that is not named does not fit: settling leaves no place empty", () => {
  always([], (_before, { record, tickets }, settled) => {
    if (!settled || record.freeze !== null) return;
    const next = waiting(record, tickets).find(({ ticket }) => !record.turn.includes(ticket.grant));
    if (next === undefined) return;
    assert(!fits([...modesOf(record, tickets), next.ticket.mode], record.capacity));
  });
});

Deno.test("a turn that stands is left, whoever comes with a higher priority", () => {
  always(["resize", "freeze", "bar"], (before, { record, tickets }, settled) => {
    if (!settled) return;
    const queue = waiting(record, tickets).map(({ ticket }) => ticket.grant);
    for (const grant of before.turn) {
      if (queue.includes(grant)) assert(record.turn.includes(grant), `${grant} lost its turn`);
    }
  });
});

Deno.test("when the capacity shrinks the last turns in order are taken off first", () => {
  always([], (before, { record, tickets }, settled, act) => {
    if (!settled || act.kind !== "resize") return;
    const queue = waiting(record, tickets).map(({ ticket }) => ticket.grant);
    const kept = queue.filter((grant) => before.turn.includes(grant))
      .map((grant) => record.turn.includes(grant));
    const modes = modesOf(before, tickets);
    if (new Set(modes).size > 1) return;
    assertEquals(kept, [...kept].sort((a, b) => Number(b) - Number(a)));
  });
});

Deno.test("the token of each claim is greater than all before it, and not below the revision read", () => {
  always([], (before, { record, revision }, _settled, act) => {
    assert(record.last_token >= before.last_token);
    if (record.holders.length <= before.holders.length) return;
    assert(act.kind === "claim" || act.kind === "claim past the queue");
    assertGreater(record.last_token, before.last_token);
    assertEquals(record.holders.at(-1)?.token, record.last_token);
    assert(record.last_token >= revision);
  });
});

Deno.test("a spent ticket is never named and never called", () => {
  always([], (before, { record, tickets }) => {
    for (const grant of record.turn) {
      if (!before.turn.includes(grant)) assert(!isSpent(record, grant));
    }
    if (record.roll_call.open && !before.roll_call.open) {
      for (const grant of record.roll_call.grants) assert(!isSpent(record, grant));
    }
    for (const { ticket } of waiting(record, tickets)) assert(!isSpent(record, ticket.grant));
  });
});

Deno.test("while a lock is frozen nobody is named, nobody claims and no call stands", () => {
  always([], (before, { record }, settled) => {
    if (record.freeze === null) return;
    if (settled) {
      assertEquals(record.turn, []);
      assert(!record.roll_call.open);
    }
    assertLessOrEqual(record.holders.length, before.holders.length);
  });
});

Deno.test("the history keeps the last holds, the newest first, and no more than it may", () => {
  always([], (before, { record }) => {
    assertLessOrEqual(record.history.length, HISTORY_LENGTH);
    if (record.history === before.history) return;
    assertEquals(
      record.history.slice(1),
      before.history.slice(0, HISTORY_LENGTH - 1),
    );
  });
});

Deno.test("settling what is settled changes nothing", () => {
  always([], (_before, { record, tickets }) => {
    const once = frozen(settle(record, tickets));
    assertEquals(settle(once, tickets), once);
  });
});

Deno.test("a call grows its number, names at most 128 in order, and stands until it is closed", () => {
  always([], (before, { record, tickets }, _settled, act) => {
    const [was, is] = [before.roll_call, record.roll_call];
    assert(is.number >= was.number);
    assertLessOrEqual(is.grants.length, CALL_SIZE);
    if (is.open && !was.open) {
      const queue = waiting(record, tickets).map(({ ticket }) => ticket.grant);
      assertEquals(is.grants, queue.slice(0, CALL_SIZE));
      assertEquals(is.number, was.number + 1);
    }
    if (was.open && !is.open) {
      const nobody = waiting(record, tickets).length === 0 || record.freeze !== null;
      assert(act.kind === "close" || nobody, `${act.kind} ended the call`);
    }
  });
});

Deno.test("what settles keeps everything else of the record", () => {
  always([], ({ holders, history, last_token, identity, pool }, { record }, _settled, act) => {
    if (act.kind !== "settle") return;
    assertEquals(record.holders, holders);
    assertEquals(record.history, history);
    assertEquals(record.last_token, last_token);
    assertEquals(record.identity, identity);
    assertEquals(record.pool, pool);
  });
});

Deno.test("one that holds or has held cannot claim again under its grant", () => {
  always([], (_before, { record, tickets }) => {
    for (const { grant } of [...record.holders, ...record.history]) {
      assertEquals(claim(record, claimant(grant), "turn", "1", ""), "spent");
      assertEquals(claim(record, claimant(grant), { tickets }, "1", ""), "spent");
    }
  });
});

Deno.test("the order of a list of tickets does not depend on how it was listed", () => {
  fc.assert(
    fc.property(acts(), fc.integer(), (steps, seed) => {
      const model = new Model(2);
      steps.forEach((act) => model.act(act));
      const shuffled = [...model.tickets].sort((a, b) =>
        (a.uid.length * 7919 + seed) % 13 - (b.uid.length * 7919 + seed) % 13 ||
        a.uid.localeCompare(b.uid)
      );
      assertEquals(inOrder(shuffled), inOrder(model.tickets));
    }),
  );
});

Deno.test("releasing and removing name the next in the same write, and so do bar and close", () => {
  always(["freeze"], (before, { record, tickets }, _settled, act) => {
    if (!["release", "remove", "bar", "close"].includes(act.kind) || record === before) return;
    assertEquals(settle(record, tickets), record);
  });
});
