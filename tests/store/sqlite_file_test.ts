import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "@std/assert";
import { compareRevisions, StoreError } from "../../lib/lock/store.ts";
import type { StoreFailureKind } from "../../lib/lock/store.ts";
import { type SqliteOptions, sqliteStores } from "../../lib/store/sqlite_store.ts";
import { follow } from "../support/follow_record.ts";
import { byHand, DENO, integrity, start, temporaryFolder } from "./sqlite_support.ts";

function opened(options: SqliteOptions = {}) {
  const folder = temporaryFolder();
  const path = `${folder.path}/locks.db`;
  const stores = sqliteStores(path, options);
  return {
    folder: folder.path,
    path,
    stores,
    lock: stores.open("shared", "shared"),
    [Symbol.dispose]() {
      stores.close();
      folder[Symbol.dispose]();
    },
  };
}

async function fails(
  asked: Promise<unknown>,
  kind: StoreFailureKind,
  sentence: RegExp,
): Promise<void> {
  const error = await assertRejects(() => asked, StoreError);
  assertEquals(error.kind, kind, error.message);
  assertMatch(error.message, sentence);
}

const MODE = 0o777;

Deno.test("sqlite: a look at locks makes no file", async () => {
  using bench = opened();
  assertEquals(await bench.lock.readRecord(), null);
  assertEquals(await bench.lock.listTickets(), []);
  assertEquals(await bench.stores.listRecords(), []);
  assertEquals([...Deno.readDirSync(bench.folder)], []);
});

Deno.test("sqlite: only its owner may read the file and its folder", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/state/locks.db`;
  const stores = sqliteStores(path);
  await stores.open("shared", "shared").createRecord("one");
  const modes = [`${folder.path}/state`, path, `${path}-wal`, `${path}-shm`]
    .map((each) => (Deno.statSync(each).mode ?? 0) & MODE);
  stores.close();
  assertEquals(modes, [0o700, 0o600, 0o600, 0o600]);
});

Deno.test("sqlite: records and tickets share one revision that survives deletions", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  const ticket = await bench.lock.createTicket({ grant: "g", holder: "someone", text: "one" });
  await bench.lock.deleteTicket(ticket);
  const next = await bench.lock.replaceRecord(record, "two");
  const revisions = [record.revision, ticket.revision, next.revision];
  assertEquals(revisions, ["1", "2", "4"]);
});

Deno.test("sqlite: revisions beyond what a double can hold stay exact", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  byHand(bench.path, (database) => database.exec("UPDATE meta SET revision = 9007199254740993"));
  const next = await bench.lock.replaceRecord(record, "two");
  assertEquals(next.revision, "9007199254740994");
  assertEquals((await bench.lock.replaceRecord(next, "three")).revision, "9007199254740995");
});

Deno.test("sqlite: what was written is there when the file is opened again", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  bench.stores.close();
  const again = sqliteStores(bench.path);
  assertEquals(await again.open("shared", "shared").readRecord(), record);
  again.close();
});

Deno.test("sqlite: a closed store answers nothing and its watches are over", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  using followed = follow(bench.lock, record.revision);
  bench.stores.close();
  await fails(bench.lock.readRecord(), "unusable", /closed/);
  assertEquals([followed.records, followed.deletions], [[], 0]);
});

Deno.test("sqlite: a file that stays locked is said so, and nothing was written", async () => {
  using bench = opened({ requestTimeoutMs: 50 });
  const record = await bench.lock.createRecord("one");
  await whileLocked(bench.path, async () => {
    await fails(bench.lock.replaceRecord(record, "two"), "throttled", /stayed locked .* fuser -v/);
    assertEquals((await bench.lock.readRecord())?.text, "one");
  });
  assertEquals((await bench.lock.readRecord())?.revision, record.revision);
});

Deno.test("sqlite: a request waits for a locked file, and the process goes on meanwhile", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  let asked: Promise<unknown> = Promise.resolve();
  await whileLocked(bench.path, async () => {
    asked = bench.lock.replaceRecord(record, "two");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals((await bench.lock.readRecord())?.text, "one");
  });
  await asked;
  assertEquals((await bench.lock.readRecord())?.text, "two");
});

Deno.test("sqlite: a request that waits for a locked file can be given up", async () => {
  using bench = opened();
  const record = await bench.lock.createRecord("one");
  await whileLocked(bench.path, async () => {
    const control = new AbortController();
    const asked = bench.lock.replaceRecord(record, "two", control.signal);
    control.abort();
    await fails(asked, "throttled", /Nothing was written/);
  });
});

/** What `act` does while somebody else has a write under way. */
async function whileLocked(path: string, act: () => Promise<void>): Promise<void> {
  const database = new DatabaseSync(path);
  database.exec("BEGIN EXCLUSIVE");
  try {
    await act();
  } finally {
    database.close();
  }
}

Deno.test("sqlite: a full disk is refused, and what was there before is intact", async () => {
  using bench = opened({ maxPages: 40 });
  const small = await bench.lock.createRecord("small");
  const text = "x".repeat(64 * 1024);
  const fill = async () => {
    for (let number = 0; number < 10; number++) {
      await bench.lock.createTicket({ grant: `g${number}`, holder: "someone", text });
    }
  };
  await fails(fill(), "refused", /full/);
  assertEquals(await bench.lock.readRecord(), small);
  const tickets = await bench.lock.listTickets();
  assertGreater(tickets.length, 0);
  assert(tickets.every((ticket) => ticket.text === text));
  assertEquals((await bench.lock.replaceRecord(small, "still")).text, "still");
  assertEquals(integrity(bench.path), "ok");
});

Deno.test("sqlite: a file of a newer schema is refused and left as it is", async () => {
  using bench = opened();
  await bench.lock.createRecord("one");
  bench.stores.close();
  byHand(bench.path, (database) => database.exec("PRAGMA user_version = 2"));
  await refusedUntouched(bench.path, /written by a newer k8s-lock \(schema 2; this one knows 1\)/);
});

Deno.test("sqlite: a database of another program is refused and left as it is", async () => {
  using bench = opened();
  byHand(bench.path, (database) => database.exec("CREATE TABLE bookmarks (url TEXT)"));
  await refusedUntouched(bench.path, /a database of another program/);
});

Deno.test("sqlite: a file that is no database is refused and left as it is", async () => {
  using bench = opened();
  Deno.writeTextFileSync(bench.path, "apiVersion: v1\nkind: Config\n".repeat(200));
  await refusedUntouched(bench.path, /is not a lock database, or is damaged/);
});

Deno.test("sqlite: a file that was cut off is refused and left as it is", async () => {
  using bench = opened();
  await bench.lock.createRecord("x".repeat(64 * 1024));
  bench.stores.close();
  Deno.truncateSync(bench.path, 8192);
  await refusedUntouched(bench.path, /damaged/);
});

Deno.test("sqlite: tables that are not as we made them are refused", async () => {
  using bench = opened();
  await bench.lock.createRecord("one");
  byHand(bench.path, (database) => database.exec("DROP TABLE records"));
  await fails(bench.lock.readRecord(), "unusable", /no such table/);
});

Deno.test("sqlite: a folder in the place of the file is refused", async () => {
  using bench = opened();
  Deno.mkdirSync(bench.path);
  await fails(bench.lock.readRecord(), "unusable", /cannot be opened/);
  await fails(bench.lock.createRecord("one"), "unusable", /cannot be opened/);
});

Deno.test("sqlite: a file in the place of the folder is refused", async () => {
  using bench = opened();
  Deno.writeTextFileSync(`${bench.folder}/state`, "");
  const lock = sqliteStores(`${bench.folder}/state/locks.db`).open("shared", "shared");
  await fails(lock.createRecord("one"), "unusable", /cannot be opened/);
});

async function refusedUntouched(path: string, sentence: RegExp): Promise<void> {
  const before = Deno.readFileSync(path);
  const stores = sqliteStores(path);
  try {
    const lock = stores.open("shared", "shared");
    await fails(lock.readRecord(), "unusable", sentence);
    await fails(lock.createRecord("one"), "unusable", sentence);
  } finally {
    stores.close();
  }
  assertEquals(Deno.readFileSync(path), before);
}

Deno.test("sqlite: a file that this user may not write is said so", async () => {
  using bench = opened();
  await bench.lock.createRecord("one");
  bench.stores.close();
  Deno.chmodSync(bench.path, 0o444);
  Deno.chmodSync(bench.folder, 0o555);
  try {
    await using child = start(DENO, ["powerless", bench.path]);
    await child.line();
    assertMatch(await child.line() ?? "", /^unusable .*(read-only|to be writable)/);
    assert((await child.ended()).success);
  } finally {
    Deno.chmodSync(bench.folder, 0o700);
  }
});

Deno.test("sqlite: a folder in which this user may not make a file is said so", async () => {
  using bench = opened();
  Deno.chmodSync(bench.folder, 0o555);
  try {
    await using child = start(DENO, ["powerless", bench.path]);
    assertEquals(await child.line(), "answered nothing");
    assertMatch(await child.line() ?? "", /^unusable .*read-only for this user/);
    assert((await child.ended()).success);
  } finally {
    Deno.chmodSync(bench.folder, 0o700);
  }
});

Deno.test("sqlite: a folder that this user may not look into is said so", async () => {
  using bench = opened();
  await bench.lock.createRecord("one");
  bench.stores.close();
  Deno.chmodSync(bench.folder, 0o000);
  try {
    await using child = start(DENO, ["powerless", bench.path]);
    assertMatch(await child.line() ?? "", /^unusable .*for this user/);
    assertMatch(await child.line() ?? "", /^unusable .*for this user/);
    assert((await child.ended()).success);
  } finally {
    Deno.chmodSync(bench.folder, 0o700);
  }
});

for (const gone of [["locks.db"], ["locks.db", "locks.db-wal", "locks.db-shm"]]) {
  Deno.test(`sqlite: that ${gone} were deleted while open is noticed by all`, async () => {
    using bench = opened();
    const other = sqliteStores(bench.path);
    try {
      const lock = other.open("shared", "shared");
      const old = await bench.lock.createRecord("one");
      assertEquals(await lock.readRecord(), old);
      using mine = follow(bench.lock, old.revision);
      using theirs = follow(lock, old.revision, 10);
      for (const name of gone) Deno.removeSync(`${bench.folder}/${name}`);
      assertEquals(await bench.lock.readRecord(), null);
      await Promise.all([mine.deletion(), theirs.deletion()]);
      await fails(lock.replaceRecord(old, "two"), "missing", /there is no record/);
      const made = await lock.createRecord("two");
      await Promise.all([mine, theirs].map((each) => each.record(({ uid }) => uid === made.uid)));
      assertEquals(await bench.lock.readRecord(), made);
      assert(compareRevisions(made.revision, old.revision) > 0);
      await bench.lock.replaceRecord(made, "three");
      assertEquals((await lock.readRecord())?.text, "three");
    } finally {
      other.close();
    }
    assertEquals(integrity(bench.path), "ok");
  });
}

for (const gone of [["-wal", "-shm"], ["-wal"], ["-shm"]]) {
  Deno.test(`sqlite: with ${gone} deleted by hand nobody goes on alone with a file of his own`, async () => {
    using bench = opened();
    const old = await bench.lock.createRecord("one");
    for (const ending of gone) Deno.removeSync(`${bench.path}${ending}`);
    // Who has it open looks at it all the time: it has put what stood in them where all find it.
    assertEquals(await bench.lock.readRecord(), old);
    const newcomer = sqliteStores(bench.path);
    try {
      const lock = newcomer.open("shared", "shared");
      assertEquals(await lock.readRecord(), old);
      const next = await lock.replaceRecord(old, "two");
      assertEquals(await bench.lock.readRecord(), next);
      await fails(bench.lock.replaceRecord(old, "three"), "conflict", /changed by somebody else/);
      // With two that have it open what stood there is lost, and both know it.
      for (const ending of gone) Deno.removeSync(`${bench.path}${ending}`);
      // Until the last of them has let go of what was deleted it may be answered that nobody knows.
      await Promise.allSettled([bench.lock, lock].map((one) => one.readRecord()));
      const [mine, theirs] = [await bench.lock.readRecord(), await lock.readRecord()];
      assertEquals(mine, theirs);
      const made = mine === null
        ? await lock.createRecord("four")
        : await lock.replaceRecord(mine, "four");
      assertEquals(await bench.lock.readRecord(), made);
      assert(compareRevisions(made.revision, next.revision) > 0);
    } finally {
      newcomer.close();
    }
    assertEquals(integrity(bench.path), "ok");
  });
}

Deno.test("sqlite: a file put in the place of the open one is read at once", async () => {
  using bench = opened();
  const old = await bench.lock.createRecord("one");
  using backup = opened();
  const begun = await backup.lock.createRecord("begun elsewhere");
  const record = await backup.lock.replaceRecord(begun, "from elsewhere");
  backup.stores.close();
  using followed = follow(bench.lock, old.revision);
  // SQLite would apply a log that stays behind to whatever file is there next.
  for (const log of ["-wal", "-shm"]) Deno.removeSync(`${bench.path}${log}`);
  Deno.renameSync(backup.path, bench.path);
  assertEquals(await bench.lock.readRecord(), record);
  await followed.record(({ uid }) => uid === record.uid);
});
