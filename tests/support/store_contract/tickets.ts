/** The contract of a store's tickets. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { compareRevisions } from "../../../lib/lock/store.ts";
import { failsWith, newGrant, newTicket, sequence } from "./bench.ts";
import type { Register } from "./bench.ts";

/** Registers what a store promises of tickets. */
export function tickets(test: Register): void {
  test("a lock has no tickets at first", async ({ lock }) => {
    assertEquals(await lock.listTickets(), []);
    assertEquals(await lock.readTicket(newGrant()), null);
  });

  test("a ticket is made, read and listed without a record", async ({ lock }) => {
    const made = await lock.createTicket({ grant: newGrant(), holder: "someone", text: "one" });
    assertEquals(await lock.readTicket(made.grant), made);
    assertEquals(await lock.listTickets(), [made]);
    assertEquals(await lock.readRecord(), null);
  });

  test("a list of lately is no older than what was listed before", async ({ lock }) => {
    const made = await lock.createTicket(newTicket());
    assertEquals(await lock.listTickets(), [made]);
    await lock.deleteTicket(made);
    assertEquals(await lock.listTickets(), []);
    assertEquals(await lock.listTickets(undefined, "lately"), []);
  });

  test("a grant has one ticket", async ({ lock }) => {
    const made = await lock.createTicket({ grant: newGrant(), holder: "someone", text: "one" });
    const again = { grant: made.grant, holder: "another", text: "two" };
    await failsWith(["exists"], lock.createTicket(again));
    assertEquals(await lock.listTickets(), [made]);
  });

  test("a ticket is patched only in the state that its writer knows", async ({ lock }) => {
    const made = await lock.createTicket(newTicket());
    const patched = await lock.patchTicket(made, "two");
    assertEquals([patched.uid, patched.grant, patched.text], [made.uid, made.grant, "two"]);
    assert(compareRevisions(patched.revision, made.revision) > 0);
    await failsWith(["conflict"], lock.patchTicket(made, "three"));
    assertEquals(await lock.readTicket(made.grant), patched);
    assertEquals((await lock.patchTicket(patched, "four")).text, "four");
  });

  test("a ticket that is gone is neither patched nor deleted", async ({ lock }) => {
    const made = await lock.createTicket(newTicket());
    await lock.deleteTicket(made);
    assertEquals(await lock.readTicket(made.grant), null);
    await failsWith(["missing"], lock.patchTicket(made, "two"));
    await failsWith(["missing"], lock.deleteTicket(made));
    assertEquals(await lock.listTickets(), []);
  });

  test("a ticket made again is not taken for the first", async ({ lock }) => {
    const ticket = newTicket();
    const first = await lock.createTicket(ticket);
    await lock.deleteTicket(first);
    const second = await lock.createTicket(ticket);
    assertNotEquals(second.uid, first.uid);
    assert(compareRevisions(second.revision, first.revision) > 0);
    await failsWith(["conflict", "missing"], lock.patchTicket(first, "two"));
    await failsWith(["conflict"], lock.deleteTicket({ grant: first.grant, uid: first.uid }));
    assertEquals(await lock.readTicket(second.grant), second);
  });

  test("a ticket is deleted by its uid in whatever state, or only in one state", async ({ lock }) => {
    const [one, two] = [
      await lock.createTicket(newTicket()),
      await lock.createTicket(newTicket()),
    ];
    const patched = await lock.patchTicket(one, "answered");
    await failsWith(["conflict"], lock.deleteTicket(one));
    assertEquals(await lock.readTicket(one.grant), patched);
    await lock.deleteTicket({ grant: one.grant, uid: one.uid });
    await lock.deleteTicket(two);
    assertEquals(await lock.listTickets(), []);
  });

  test("fifty tickets made side by side are all listed, in distinct revisions", async ({ lock }) => {
    const made = await Promise.all(sequence(50).map(() => lock.createTicket(newTicket())));
    const listed = await lock.listTickets();
    assertEquals(listed.map(({ grant }) => grant).sort(), made.map(({ grant }) => grant).sort());
    assertEquals(new Set(listed.map(({ revision }) => revision)).size, 50);
    assertEquals(new Set(listed.map(({ uid }) => uid)).size, 50);
  });

  test("tickets made one after the other have growing revisions", async ({ lock }) => {
    const first = await lock.createTicket(newTicket());
    const second = await lock.createTicket(newTicket());
    await lock.deleteTicket(second);
    const third = await lock.createTicket(newTicket());
    assert(compareRevisions(second.revision, first.revision) > 0);
    assert(compareRevisions(third.revision, second.revision) > 0);
  });

  test("tickets of other locks are not listed", async ({ stores, lock, object }) => {
    const other = stores.open(`${object}-b`, "contract");
    const theirs = await other.createTicket(newTicket());
    const mine = await lock.createTicket(newTicket());
    assertEquals(await lock.listTickets(), [mine]);
    assertEquals(await other.listTickets(), [theirs]);
    assertEquals(await lock.readTicket(theirs.grant), null);
  });

  test("joining the queue does not touch the record", async ({ lock }) => {
    const made = await lock.createRecord("one");
    await lock.deleteTicket(await lock.createTicket(newTicket()));
    assertEquals((await lock.replaceRecord(made, "two")).text, "two");
  });
}
