import { assertEquals } from "@std/assert";
import { emptyRecord, encodeRecord, encodeTicket, parseRecord } from "../../lib/lock/record.ts";
import { breakLock, withdraw } from "../../lib/lock/people.ts";
import { pastOf } from "../../lib/lock/queue.ts";
import type { LockStore } from "../../lib/lock/store.ts";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";
import { queued } from "./rules_model.ts";

const NAME = "lock";

/** A lock with these waiters, and what is written to it in the order of the writes. */
function lockWith(...grants: readonly string[]) {
  const core = new MemoryCore();
  const identity = { scope: "global", owner: "", repository: "", lock: "deploy" } as const;
  core.createRecord(NAME, encodeRecord(emptyRecord(identity)));
  for (const grant of grants) {
    core.createTicket(NAME, { grant, holder: grant, text: encodeTicket(queued(grant, 0).ticket) });
  }
  const written: string[] = [];
  core.subscribe((change) => {
    if (change.kind === "record") written.push("record");
    else written.push(`${change.ticket === null ? "no " : ""}ticket ${change.grant}`);
  });
  const store: LockStore = memoryStores(core).open(NAME, "deploy");
  const record = () => parseRecord(core.readRecord(NAME)?.text ?? "");
  return { core, store, written, record };
}

const PATIENCE = { now: () => performance.now(), until: performance.now() + 60_000 };

Deno.test("a waiter is dropped in the record before its ticket is deleted, and the next is named by that write", async () => {
  const { store, written, record } = lockWith("a-1", "b-1");
  const order = { grants: ["a-1"], how: "in order", by: "eve", reason: "why" } as const;
  await breakLock(store, order, PATIENCE);
  assertEquals(written, ["record", "no ticket a-1"]);
  const past = pastOf(record(), "a-1");
  assertEquals([past?.outcome, past?.by, past?.reason], ["broken", "eve", "why"]);
  assertEquals(record().turn, ["b-1"]);
});

Deno.test("a grant that is withdrawn is barred before its ticket is deleted", async () => {
  const { store, written, record } = lockWith("a-1", "b-1");
  await withdraw(store, { grant: "a-1", holder: "a" }, PATIENCE);
  assertEquals(written, ["record", "no ticket a-1"]);
  assertEquals(pastOf(record(), "a-1")?.outcome, "gave_up");
  assertEquals(record().turn, ["b-1"]);
});

Deno.test("a grant that waited for its number is withdrawn with the number of its ticket, whatever its job's is", async () => {
  const { core, store, record } = lockWith();
  core.editRecord(NAME, encodeRecord({ ...record(), order: "sequential", next_build: 5 }));
  const ticket = { ...queued("a-1", 0).ticket, order: "sequential", order_key: 7 } as const;
  core.createTicket(NAME, { grant: "a-1", holder: "a", text: encodeTicket(ticket) });
  await withdraw(store, { grant: "a-1", holder: "a", number: null }, PATIENCE);
  assertEquals([record().next_build, record().given_up], [5, [7]]);
});
