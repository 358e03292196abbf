/** The contract of a store's records. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { compareRevisions } from "../../../lib/lock/store.ts";
import { failsWith, newGrant, newName, newTicket, onlyOne, sequence } from "./bench.ts";
import type { Register } from "./bench.ts";

/** Registers what a store promises of records. */
export function records(test: Register): void {
  test("a record that nobody made reads as null", async ({ lock }) => {
    assertEquals(await lock.readRecord(), null);
  });

  test("a record that was made is read as it was made", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const read = await lock.readRecord();
    assertEquals([read?.uid, read?.revision, read?.text], [made.uid, made.revision, "one"]);
    assert(/^\d+$/.test(made.revision) && made.uid !== "");
  });

  test("a record is made only where there is none", async ({ lock }) => {
    await lock.createRecord("one");
    await failsWith(["exists"], lock.createRecord("two"));
    assertEquals((await lock.readRecord())?.text, "one");
  });

  test("of many who make the record at once exactly one does", async ({ lock }) => {
    const texts = sequence(10).map((number) => `by ${number}`);
    const tried = await Promise.allSettled(texts.map((text) => lock.createRecord(text)));
    const made = onlyOne(tried, "exists");
    assertEquals((await lock.readRecord())?.uid, made.uid);
    assertEquals((await lock.readRecord())?.text, made.text);
  });

  test("a record is replaced by who knows its last revision", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const replaced = await lock.replaceRecord(made, "two");
    assertEquals([replaced.uid, replaced.text], [made.uid, "two"]);
    assert(compareRevisions(replaced.revision, made.revision) > 0);
    const again = await lock.replaceRecord(replaced, "three");
    assertEquals((await lock.readRecord())?.revision, again.revision);
    assertEquals((await lock.readRecord())?.text, "three");
  });

  test("a record is not replaced by who knows an older revision", async ({ lock }) => {
    const made = await lock.createRecord("one");
    await lock.replaceRecord(made, "two");
    await failsWith(["conflict"], lock.replaceRecord(made, "three"));
    assertEquals((await lock.readRecord())?.text, "two");
  });

  test("of many who replace the same state exactly one does", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const texts = sequence(10).map((number) => `by ${number}`);
    const tried = await Promise.allSettled(texts.map((text) => lock.replaceRecord(made, text)));
    const won = onlyOne(tried, "conflict");
    assertEquals((await lock.readRecord())?.text, won.text);
    assertEquals((await lock.readRecord())?.revision, won.revision);
  });

  test("a write that changes nothing leaves a state that can be written on", async ({ lock }) => {
    const same = await lock.replaceRecord(await lock.createRecord("one"), "one");
    assertEquals((await lock.readRecord())?.revision, same.revision);
    assertEquals((await lock.replaceRecord(same, "two")).text, "two");
  });

  test("a record that was never made is not replaced", async ({ lock, stores }) => {
    const other = await stores.open(newName(), "contract").createRecord("other");
    await failsWith(["missing", "conflict"], lock.replaceRecord(other, "two"));
    assertEquals(await lock.readRecord(), null);
  });

  test("a replacement does not bring a deleted record back", async (bench) => {
    const { lock, object } = bench;
    const made = await lock.createRecord("one");
    await bench.deleteRecord(object);
    assertEquals(await lock.readRecord(), null);
    await failsWith(["missing", "conflict"], lock.replaceRecord(made, "two"));
    assertEquals(await lock.readRecord(), null);
  });

  test("a record made anew has another uid and refuses who knows the old", async (bench) => {
    const { lock, object } = bench;
    const old = await lock.createRecord("one");
    await bench.deleteRecord(object);
    const made = await lock.createRecord("one");
    assertNotEquals(made.uid, old.uid);
    await failsWith(["conflict", "missing"], lock.replaceRecord(old, "two"));
    const withOldUid = { ...made, uid: old.uid };
    await failsWith(["conflict", "missing"], lock.replaceRecord(withOldUid, "two"));
    assertEquals((await lock.readRecord())?.text, "one");
  });

  test("the revision goes on growing when a record is deleted", async (bench) => {
    const { lock, object } = bench;
    let last = (await lock.createRecord("0")).revision;
    for (const number of sequence(3)) {
      await bench.deleteRecord(object);
      const made = await lock.createRecord(`${number}`);
      assert(compareRevisions(made.revision, last) > 0, `${made.revision} after ${last}`);
      last = made.revision;
    }
  });

  test("what was written through one client is read through another", async (bench) => {
    const other = bench.stores.open(bench.object, "contract");
    const made = await bench.lock.createRecord("one");
    await other.replaceRecord(made, "two");
    assertEquals((await bench.lock.readRecord())?.text, "two");
  });

  for (const [what, text] of TEXTS) {
    test(`a record and a ticket keep ${what}`, async ({ lock }) => {
      const made = await lock.createRecord(text);
      assertEquals([made.text, (await lock.readRecord())?.text], [text, text]);
      const ticket = await lock.createTicket({ grant: newGrant(), holder: "someone", text });
      assertEquals([ticket.text, (await lock.readTicket(ticket.grant))?.text], [text, text]);
      assertEquals((await lock.listTickets())[0]?.text, text);
    });
  }

  test("records are listed with their names", async ({ stores, lock, object }) => {
    const other = newName();
    await lock.createRecord("one");
    const second = await stores.open(other, "contract").createRecord("two");
    const listed = await stores.listRecords();
    const texts = new Map(listed.map((entry) => [entry.object, entry.record.text]));
    assertEquals([texts.get(object), texts.get(other)], ["one", "two"]);
    const found = listed.find((entry) => entry.object === other)?.record;
    assertEquals([found?.uid, found?.revision], [second.uid, second.revision]);
  });

  test("a deleted record and one with only tickets are not listed", async (bench) => {
    const { stores, lock, object } = bench;
    await lock.createRecord("one");
    await bench.deleteRecord(object);
    await lock.createTicket(newTicket());
    assertEquals((await stores.listRecords()).filter((entry) => entry.object === object), []);
  });

  test("locks of different names have nothing in common", async ({ stores, lock, object }) => {
    const other = stores.open(`${object}-b`, "contract");
    await lock.createRecord("one");
    assertEquals(await other.readRecord(), null);
    await other.createRecord("two");
    assertEquals((await lock.readRecord())?.text, "one");
    assertNotEquals(lock.object, other.object);
  });
}

const TEXTS: readonly (readonly [string, string])[] = [
  ["letters of many scripts", "Ölçü 錠前 🔒 \u{10ffff} é e\u0301"],
  ["line ends, tabs, quotes and braces", "one\ntwo\r\n\t\"{}\" \\n \\u0041 ''\n"],
  ["an empty object", "{}"],
  ["64 kB", JSON.stringify({ text: "0123456789abcdef".repeat(4096) })],
];
