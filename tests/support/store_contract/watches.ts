/** The contract of a store's watch. */
import { assert, assertEquals } from "@std/assert";
import { follow } from "../follow_record.ts";
import { newTicket, sequence } from "./bench.ts";
import type { Register } from "./bench.ts";

/** Registers what a store promises of watches. */
export function watches(test: Register): void {
  test("a watch reports a change", async ({ lock }) => {
    const made = await lock.createRecord("one");
    using followed = follow(lock, made.revision);
    const replaced = await lock.replaceRecord(made, "two");
    const seen = await followed.record((record) => record.revision === replaced.revision);
    assertEquals([seen.uid, seen.text], [made.uid, "two"]);
  });

  test("a watch further back in the queue reports the last state too", async ({ lock }) => {
    const made = await lock.createRecord("one");
    using followed = follow(lock, made.revision, 40);
    const replaced = await lock.replaceRecord(made, "two");
    await followed.record((record) => record.revision === replaced.revision);
  });

  test("no change between a read and the watch is lost", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const replaced = await lock.replaceRecord(made, "two");
    using followed = follow(lock, made.revision);
    await followed.record((record) => record.revision === replaced.revision);
  });

  test("a watch resumes from an old revision", async ({ lock }) => {
    const made = await lock.createRecord("0");
    let last = made;
    for (const number of sequence(10)) last = await lock.replaceRecord(last, `${number + 1}`);
    using followed = follow(lock, made.revision);
    const seen = await followed.record((record) => record.revision === last.revision);
    assertEquals(seen.text, "10");
  });

  test("no change while a watch begins is lost", async ({ lock }) => {
    let last = await lock.createRecord("0");
    const all = sequence(10).map(() => follow(lock, last.revision, 1));
    try {
      for (const number of sequence(20)) last = await lock.replaceRecord(last, `${number + 1}`);
      await Promise.all(
        all.map((each) => each.record((record) => record.revision === last.revision)),
      );
    } finally {
      for (const each of all) each[Symbol.dispose]();
    }
  });

  test("a watch where there is no record reports the one that is made", async ({ lock }) => {
    assertEquals(await lock.readRecord(), null);
    using followed = follow(lock, "");
    const made = await lock.createRecord("one");
    await followed.record((record) => record.uid === made.uid);
  });

  test("a record made between a read that found none and the watch is reported", async ({ lock }) => {
    assertEquals(await lock.readRecord(), null);
    const made = await lock.createRecord("one");
    using followed = follow(lock, "");
    await followed.record((record) => record.uid === made.uid);
  });

  test("a watch reports a deletion, and the record that is made next", async (bench) => {
    const { lock, object } = bench;
    const old = await lock.createRecord("one");
    using followed = follow(lock, old.revision);
    await bench.deleteRecord(object);
    await followed.deletion();
    const made = await lock.createRecord("two");
    await followed.record((record) => record.uid === made.uid);
  });

  test("a deletion between a read and the watch is reported", async (bench) => {
    const { lock, object } = bench;
    const old = await lock.createRecord("one");
    await bench.deleteRecord(object);
    using followed = follow(lock, old.revision);
    await followed.deletion();
  });

  test("a record deleted and made anew before the watch is reported as deleted", async (bench) => {
    const { lock, object } = bench;
    const old = await lock.createRecord("one");
    await bench.deleteRecord(object);
    const made = await lock.createRecord("one");
    using followed = follow(lock, old.revision);
    await followed.deletion();
    await followed.record((record) => record.uid === made.uid);
  });

  test("a watch reports nothing of other locks and nothing of tickets", async (bench) => {
    const { lock, object, stores } = bench;
    const made = await lock.createRecord("one");
    const other = stores.open(`${object}-b`, "contract");
    using followed = follow(lock, made.revision);
    await other.replaceRecord(await other.createRecord("other"), "other two");
    await bench.deleteRecord(`${object}-b`);
    await lock.createTicket(newTicket());
    const replaced = await lock.replaceRecord(made, "two");
    await followed.record((record) => record.revision === replaced.revision);
    assertEquals(followed.deletions, 0);
    assert(followed.records.every((record) => record.uid === made.uid));
  });

  test("a closed watch reports nothing more", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const closed = follow(lock, made.revision);
    closed[Symbol.dispose]();
    closed[Symbol.dispose]();
    using open = follow(lock, made.revision);
    const replaced = await lock.replaceRecord(made, "two");
    await open.record((record) => record.revision === replaced.revision);
    assertEquals([closed.records, closed.deletions], [[], 0]);
  });

  test("one watch goes on when another is closed from within its own report", async ({ lock }) => {
    const made = await lock.createRecord("one");
    const reports: string[] = [];
    const closing = lock.watchRecord(made.revision, 1, (event) => {
      reports.push(event.kind);
      closing.close();
    });
    using open = follow(lock, made.revision);
    const second = await lock.replaceRecord(made, "two");
    await open.record((record) => record.revision === second.revision);
    const third = await lock.replaceRecord(second, "three");
    await open.record((record) => record.revision === third.revision);
    assert(reports.length <= 1, `reported after its end: ${reports}`);
    closing.close();
  });
}
