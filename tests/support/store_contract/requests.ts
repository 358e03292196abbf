/** The contract of all of a store's requests. */
import { assert, assertEquals } from "@std/assert";
import { StoreError } from "../../../lib/lock/store.ts";
import { failsWith, newTicket } from "./bench.ts";
import type { Register } from "./bench.ts";

/** Registers what a store promises of every request. */
export function requests(test: Register): void {
  test("every request whose signal is aborted already rejects with unknown", async (bench) => {
    const { lock, stores } = bench;
    const record = await lock.createRecord("one");
    const ticket = await lock.createTicket(newTicket());
    const signal = AbortSignal.abort();
    await failsWith(["unknown"], lock.readRecord(signal));
    await failsWith(["unknown"], lock.createRecord("two", signal));
    await failsWith(["unknown"], lock.replaceRecord(record, "two", signal));
    await failsWith(["unknown"], lock.listTickets(signal));
    await failsWith(["unknown"], lock.readTicket(ticket.grant, signal));
    await failsWith(["unknown"], lock.createTicket(newTicket(), signal));
    await failsWith(["unknown"], lock.patchTicket(ticket, "two", signal));
    await failsWith(["unknown"], lock.deleteTicket(ticket, signal));
    await failsWith(["unknown"], stores.listRecords(signal));
  });

  test("a request that is given up on its way is done, or rejects with unknown", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const control = new AbortController();
    const asked = lock.replaceRecord(made, "two", control.signal);
    control.abort();
    const [outcome] = await Promise.allSettled([asked]);
    if (outcome.status === "rejected") {
      assert(outcome.reason instanceof StoreError);
      assertEquals(outcome.reason.kind, "unknown");
    } else {
      assertEquals((await lock.readRecord())?.text, "two");
    }
  });

  test("what went wrong is said in a sentence", async ({ lock }) => {
    await lock.createRecord("one");
    const error = await failsWith(["exists"], lock.createRecord("two"));
    assert(error.message.length > 10 && !error.message.includes("\n"), error.message);
  });
}
