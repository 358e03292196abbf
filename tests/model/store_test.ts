import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Answer, Request } from "../../lib/lock/driver.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import { MemoryCore } from "../../lib/store/memory_store.ts";
import { queued } from "../lock/rules_model.ts";
import { carriedOut, OBJECT } from "../sim/network.ts";
import { IDENTITY } from "../sim/world.ts";
import { deleteRecord, EMPTY_STORE, execute } from "./store.ts";
import type { Plain } from "./store.ts";

/** What the memory store does with the same request. */
function answered(core: MemoryCore, request: Plain): Answer {
  try {
    switch (request.kind) {
      case "list":
        return { tickets: core.listTickets(OBJECT) };
      case "delete_tickets":
        return {
          undeleted: request.tickets.filter((one) => !deleted(core, one)).map((t) => t.grant),
        };
      default:
        return carriedOut(core, request);
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { failure: { kind: error.kind, message: error.kind } };
  }
}

function deleted(core: MemoryCore, ticket: { grant: string; uid: string; revision?: string }) {
  try {
    core.deleteTicket(OBJECT, ticket);
    return true;
  } catch (error) {
    return error instanceof StoreError && error.kind === "missing";
  }
}

const ACT = fc.record({
  kind: fc.constantFrom<Request["kind"] | "by hand">(
    "read",
    "list",
    "read_ticket",
    "create_record",
    "replace",
    "create_ticket",
    "patch_ticket",
    "delete_tickets",
    "by hand",
  ),
  grant: fc.constantFrom("a", "b"),
  pick: fc.nat(99),
  capacity: fc.integer({ min: 1, max: 3 }),
});

Deno.test("the model's store does what the memory store does", () => {
  fc.assert(fc.property(fc.array(ACT, { maxLength: 40, size: "max" }), (acts) => {
    const core = new MemoryCore();
    let store = EMPTY_STORE;
    const records: StoredRecord[] = [];
    const tickets: StoredTicket[] = [];
    for (const { kind, grant, pick, capacity } of acts) {
      const record = { ...emptyRecord(IDENTITY), capacity };
      const { ticket } = queued(grant, 1, { answered: capacity });
      const base = records[pick % records.length];
      const old = tickets[pick % tickets.length];
      const request: Plain | null = kind === "create_record"
        ? { kind, record }
        : kind === "replace" && base !== undefined
        ? { kind, base, next: record }
        : kind === "create_ticket"
        ? { kind, ticket }
        : kind === "patch_ticket" && old !== undefined
        ? { kind, base: old, ticket }
        : kind === "delete_tickets" && old !== undefined
        ? { kind, tickets: [pick % 2 === 0 ? old : { grant: old.grant, uid: old.uid }] }
        : kind === "read_ticket"
        ? { kind, grant }
        : kind === "list"
        ? { kind, when: "now" }
        : kind === "read"
        ? { kind }
        : null;
      if (request === null) {
        core.deleteRecord(OBJECT);
        store = deleteRecord(store);
        continue;
      }
      const executed = execute(store, request);
      assertEquals(executed.answer, answered(core, request));
      store = executed.store;
      if (executed.answer.record) records.push(executed.answer.record);
      if (executed.answer.ticket) tickets.push(executed.answer.ticket);
    }
    assertEquals(`${store.revision}`, core.revision);
    assertEquals(store.record, core.readRecord(OBJECT));
    assertEquals(store.tickets, core.listTickets(OBJECT));
  }));
});
