/**
 * What `lib/lock/store.ts` promises, as tests that every store has to pass.
 *
 * They assume nothing about time: what is to happen is awaited. Revisions are compared among records and among tickets, not
 * between the two: a cluster may keep them in two databases.
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { compareRevisions, StoreError } from "../../lib/lock/store.ts";
import type { LockStore, LockStores, StoreFailureKind } from "../../lib/lock/store.ts";
import { follow } from "./follow_record.ts";

/** A store under test. */
export interface OpenedStores {
  readonly stores: LockStores;
  /** Lets go of everything that was opened for the test. */
  close(): Promise<void>;
  /** Deletes a record as a person does by hand. @param object the name given to `stores.open` */
  deleteRecord(object: string): Promise<void>;
}

interface Bench extends OpenedStores {
  readonly object: string;
  readonly lock: LockStore;
}

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

type Register = (sentence: string, body: (bench: Bench) => Promise<void>) => void;

function records(test: Register): void {
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

function tickets(test: Register): void {
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

function watches(test: Register): void {
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

function requests(test: Register): void {
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

const TEXTS: readonly (readonly [string, string])[] = [
  ["letters of many scripts", "Ölçü 錠前 🔒 \u{10ffff} é e\u0301"],
  ["line ends, tabs, quotes and braces", "one\ntwo\r\n\t\"{}\" \\n \\u0041 ''\n"],
  ["an empty object", "{}"],
  ["64 kB", JSON.stringify({ text: "0123456789abcdef".repeat(4096) })],
];

async function failsWith(
  kinds: readonly StoreFailureKind[],
  asked: Promise<unknown>,
): Promise<StoreError> {
  const error = await assertRejects(() => asked, StoreError);
  assert(kinds.includes(error.kind), `${error.kind} instead of ${kinds}: ${error.message}`);
  return error;
}

/** The result of the only try that succeeded; all others have to have failed as `kind`. */
function onlyOne<T>(tried: readonly PromiseSettledResult<T>[], kind: StoreFailureKind): T {
  const won = tried.filter((each) => each.status === "fulfilled");
  for (const each of tried) {
    if (each.status === "fulfilled") continue;
    assert(each.reason instanceof StoreError, String(each.reason));
    assertEquals(each.reason.kind, kind, each.reason.message);
  }
  assertEquals(won.length, 1);
  const [first] = won;
  assert(first !== undefined);
  return first.value;
}

function sequence(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function newName(): string {
  return `k8s-lock-contract-${newGrant().slice(0, 8)}`;
}

function newGrant(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

function newTicket(): { grant: string; holder: string; text: string } {
  return { grant: newGrant(), holder: "someone", text: "waits" };
}
