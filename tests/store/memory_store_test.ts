import { assert, assertEquals } from "@std/assert";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";
import type { MemoryChange } from "../../lib/store/memory_store.ts";
import { compareRevisions } from "../../lib/lock/store.ts";
import { storeContract } from "../support/store_contract.ts";

storeContract("memory", () => {
  const core = new MemoryCore();
  const stores = memoryStores(core);
  return Promise.resolve({
    stores,
    close: () => Promise.resolve(stores.close()),
    deleteRecord: (object) => Promise.resolve(core.deleteRecord(object)),
  });
});

Deno.test("memory: a write that changes nothing keeps the revision and tells nobody", () => {
  const core = new MemoryCore();
  const record = core.createRecord("a", "one");
  const ticket = core.createTicket("a", { grant: "g", holder: "someone", text: "one" });
  const told: MemoryChange[] = [];
  core.subscribe((change) => told.push(change));
  assertEquals(core.replaceRecord("a", record, "one"), record);
  assertEquals(core.patchTicket("a", ticket, "one"), ticket);
  assertEquals(core.editRecord("a", "one"), record);
  assertEquals(told, []);
});

Deno.test("memory: records and tickets share one revision that survives deletions", () => {
  const core = new MemoryCore();
  const revisions = [core.createRecord("a", "one").revision];
  const ticket = core.createTicket("a", { grant: "g", holder: "someone", text: "one" });
  revisions.push(ticket.revision);
  core.deleteTicket("a", ticket);
  revisions.push(core.revision);
  core.deleteRecord("a");
  revisions.push(core.revision, core.createRecord("b", "one").revision);
  const sorted = revisions.toSorted(compareRevisions);
  assertEquals(revisions, sorted);
  assertEquals(new Set(revisions).size, revisions.length);
});

Deno.test("memory: listeners are told of each change in order, until they end it", () => {
  const core = new MemoryCore();
  const told: MemoryChange[] = [];
  const end = core.subscribe((change) => told.push(change));
  const record = core.createRecord("a", "one");
  const ticket = core.createTicket("a", { grant: "g", holder: "someone", text: "one" });
  core.deleteRecord("a");
  end();
  core.createRecord("a", "two");
  assertEquals(told, [
    { kind: "record", object: "a", record },
    { kind: "ticket", object: "a", grant: "g", ticket },
    { kind: "record", object: "a", record: null },
  ]);
});

Deno.test("memory: the same calls give the same uids and revisions", () => {
  const play = () => {
    const core = new MemoryCore();
    core.createRecord("a", "one");
    core.deleteRecord("a");
    core.createTicket("a", { grant: "g", holder: "someone", text: "one" });
    return [core.editRecord("a", "two"), core.listTickets("a"), core.revision];
  };
  assertEquals(play(), play());
});

Deno.test("memory: several clients of one core see each other's writes", async () => {
  const core = new MemoryCore();
  const [one, other] = [memoryStores(core), memoryStores(core)];
  const made = await one.open("a", "a").createRecord("one");
  assertEquals(await other.open("a", "a").readRecord(), made);
  one.close();
  assert((await other.listRecords()).length === 1);
});
