import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { brought, migrateLock } from "../../lib/lock/migrate.ts";
import { emptyRecord, encodeRecord, encodeTicket, parseRecord } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { LockStore } from "../../lib/lock/store.ts";
import { joined } from "../../lib/lock/v3_form.ts";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";
import { claim } from "../../lib/lock/rules.ts";
import { callOver } from "../../lib/lock/queue.ts";
import { helpedOn } from "../../lib/lock/sequential.ts";
import { v3Record } from "./arbitraries.ts";
import { claimant, granted, queued } from "./rules_model.ts";

const NAME = "lock";
const IDENTITY = { scope: "repo", owner: "acme", repository: "shop", lock: "deploy" } as const;
const PATIENCE = { now: () => performance.now(), until: performance.now() + 60_000 };
const BACK = { nextBuild: null, runNumber: null };

/** A store with this record in it. */
function storeWith(text: string): { core: MemoryCore; store: LockStore } {
  const core = new MemoryCore();
  core.createRecord(NAME, text);
  return { core, store: memoryStores(core).open(NAME, "deploy") };
}

Deno.test("a record as version 3 left it comes into today's form and gets its identity; on the way back its number is as it was", async () => {
  const { core, store } = storeWith(joined(undefined, "42"));
  const order = { identity: IDENTITY, how: "write" } as const;
  assertEquals((await migrateLock(store, { ...order, to: "today" }, PATIENCE)).kind, "changed");
  const today = parseRecord(core.readRecord(NAME)?.text ?? "");
  assertEquals(today, { ...emptyRecord(IDENTITY), was_next_build: 42 });
  assertEquals((await migrateLock(store, { ...order, to: "today" }, PATIENCE)).kind, "there");
  assertEquals((await migrateLock(store, { ...order, to: BACK }, PATIENCE)).kind, "changed");
  const back = parseRecord(core.readRecord(NAME)?.text ?? "");
  assertEquals(back, { ...emptyRecord(IDENTITY), order: "sequential", next_build: 42 });
});

Deno.test("both ways keep the history, the tokens and fields that nobody knows", () => {
  fc.assert(fc.property(v3Record, (record) => {
    const free = {
      ...record,
      version: 1,
      identity: IDENTITY,
      holders: [],
      turn: [],
      capacity: 1,
      pool: null,
    };
    const today = brought(free, [], "today", IDENTITY);
    if ("kind" in today) throw new Error(today.kind);
    assertEquals(parseRecord(encodeRecord(today)), today);
    const back = brought(today, [], BACK, IDENTITY);
    if ("kind" in back) throw new Error(back.kind);
    const { given_up: _, was_next_build: __, ...kept } = parseRecord(encodeRecord(free));
    const without = { ...kept, roll_call: callOver(kept) };
    assertEquals(parseRecord(encodeRecord(back)), without);
  }));
});

Deno.test("a roll call that is still open when a record is brought into version 3's form costs nobody the number", () => {
  const empty = { ...emptyRecord(IDENTITY), was_next_build: 42 };
  const roll_call = { ...empty.roll_call, number: 1, open: true, grants: ["gone-1"] };
  const back = brought({ ...empty, roll_call }, [], BACK, IDENTITY);
  if ("kind" in back) throw new Error(back.kind);
  assertEquals(helpedOn(back, []).next_build, 42);
});

Deno.test("the run that is next is the one that is said, else the later of this one and the one before", () => {
  const was = { ...emptyRecord(IDENTITY), was_next_build: 42 };
  const next = (nextBuild: number | null, runNumber: number | null, record = was) => {
    const after = brought(record, [], { nextBuild, runNumber }, IDENTITY);
    return "kind" in after ? after.kind : after.next_build;
  };
  assertEquals(next(7, 50), 7);
  assertEquals(next(null, 50), 50);
  assertEquals(next(null, 5), 42);
  assertEquals(next(null, null), 42);
  assertEquals(brought(emptyRecord(IDENTITY), [], BACK, IDENTITY), { kind: "numberless" });
});

Deno.test("nothing is changed while somebody holds, is named or waits, for whatever number", async () => {
  const free = parseRecord(joined(undefined, "42"));
  const held = granted(claim(free, { ...claimant("a"), number: 42 }, { tickets: [] }, "7", ""));
  for (const record of [held, { ...free, turn: ["a"] }]) {
    assertEquals(brought(record, [], "today", IDENTITY), { kind: "in_use" });
  }
  const { core, store } = storeWith(encodeRecord(free));
  const ticket = queued("b", 3, { order: "sequential", order_key: 99 }).ticket;
  core.createTicket(NAME, { grant: "b", holder: "b", text: encodeTicket(ticket) });
  const order = { to: "today", identity: IDENTITY, how: "write" } as const;
  assertEquals((await migrateLock(store, order, PATIENCE)).kind, "in_use");
  assertEquals(parseRecord(core.readRecord(NAME)?.text ?? ""), free);
});

Deno.test("what cannot be said in the other form stays as it is", () => {
  const bare = parseRecord(joined(undefined, "42"));
  assertEquals(brought(bare, [], "today", null), { kind: "nameless" });
  const other = { ...bare, identity: { ...IDENTITY, lock: "other" } };
  assertEquals(brought(other, [], "today", IDENTITY), {
    kind: "another",
    identity: other.identity,
  });
  const to = { nextBuild: 5, runNumber: null };
  assertEquals(brought({ ...emptyRecord(IDENTITY), capacity: 2 }, [], to, null), {
    kind: "too_big",
  });
});

Deno.test("a look changes nothing, and a lost answer is found out", async () => {
  const { core, store } = storeWith(joined(undefined, "42"));
  const order = { to: "today", identity: IDENTITY } as const;
  assertEquals((await migrateLock(store, { ...order, how: "look" }, PATIENCE)).kind, "changed");
  assertEquals(parseRecord(core.readRecord(NAME)?.text ?? "").next_build, 42);
  let lost = 0;
  const losing: LockStore = {
    ...store,
    replaceRecord: async (...args) => {
      await store.replaceRecord(...args);
      lost++;
      throw new StoreError("unknown", "reset");
    },
  };
  const migrated = await migrateLock(losing, { ...order, how: "write" }, PATIENCE);
  assertEquals([migrated.kind, lost], ["changed", 1]);
});
