/**
 * What `lib/lock/store.ts` promises, as tests that every store has to pass.
 *
 * They assume nothing about time: what is to happen is awaited. Revisions are compared among records and among tickets, not
 * between the two: a cluster may keep them in two databases.
 */
import { newName } from "./store_contract/bench.ts";
import type { Bench, OpenedStores } from "./store_contract/bench.ts";
import { records } from "./store_contract/records.ts";
import { requests } from "./store_contract/requests.ts";
import { tickets } from "./store_contract/tickets.ts";
import { watches } from "./store_contract/watches.ts";

export type { OpenedStores };

/** Registers the contract's tests for the store `name`; each test opens its own. */
export function storeContract(name: string, open: () => Promise<OpenedStores>): void {
  function test(sentence: string, body: (bench: Bench) => Promise<void>): void {
    Deno.test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      try {
        const object = newName();
        await body({ ...opened, object, lock: opened.stores.open(object, "contract") });
      } finally {
        await opened.close();
      }
    });
  }
  records(test);
  tickets(test);
  watches(test);
  requests(test);
}
