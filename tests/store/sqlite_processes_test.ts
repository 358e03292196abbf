import { assert, assertEquals } from "@std/assert";
import { sqliteStores } from "../../lib/store/sqlite_store.ts";
import { follow } from "../support/follow_record.ts";
import { bundled, nodeCommand } from "./node.ts";
import { DENO, integrity, start, temporaryFolder } from "./sqlite_support.ts";

const node = await nodeCommand();

Deno.test("sqlite: of what a killed writer was told is written nothing is lost or damaged", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/locks.db`;
  const stores = sqliteStores(path);
  const lock = stores.open("shared", "shared");
  let last = 0;
  // The number of lines read before the kill differs, so that it meets the writer at different points.
  for (const lines of [1, 2, 3, 5, 8, 13, 40, 120]) {
    await using child = start(DENO, ["count", path, "1000000"]);
    for (let line = 0; line < lines; line++) last = Number(await child.line());
    child.kill();
    // What it had still said before the end counts too.
    for (let line = await child.line(); line !== null; line = await child.line()) {
      if (Number(line) > last) last = Number(line);
    }
    assertEquals(integrity(path), "ok");
    const found = Number((await lock.readRecord())?.text);
    // One more may be written and not acknowledged.
    assert(found === last || found === last + 1, `${found} in the file, ${last} acknowledged`);
  }
  stores.close();
});

async function countTogether(commands: readonly (readonly string[])[]): Promise<void> {
  using folder = temporaryFolder();
  const path = `${folder.path}/state/locks.db`;
  const children = commands.map((command) => start(command, ["count", path, "100"]));
  try {
    for (const child of children) {
      let said = 0;
      while (await child.line() !== null) said++;
      assertEquals(await child.ended(), { success: true, stderr: "" });
      assertEquals(said, 100);
    }
  } finally {
    for (const child of children) await child[Symbol.asyncDispose]();
  }
  const stores = sqliteStores(path);
  const record = await stores.open("shared", "shared").readRecord();
  stores.close();
  assertEquals(record?.text, `${commands.length * 100}`);
  assertEquals(integrity(path), "ok");
}

async function handOver(command: readonly string[]): Promise<void> {
  using folder = temporaryFolder();
  const path = `${folder.path}/locks.db`;
  const stores = sqliteStores(path);
  const lock = stores.open("shared", "shared");
  await using child = start(command, ["answer", path]);
  assertEquals(await child.line(), "watching");
  let record = await lock.createRecord("begin");
  using followed = follow(lock, record.revision);
  for (let number = 0; number < 20; number++) {
    await lock.replaceRecord(record, `ping ${number}`);
    record = await followed.record(({ text }) => text === `pong ${number}`);
  }
  await lock.replaceRecord(record, "end");
  assertEquals(await child.ended(), { success: true, stderr: "" });
  stores.close();
}

Deno.test("sqlite: processes that make one file at once and write to it lose no update", async () => {
  await countTogether([DENO, DENO, DENO, DENO]);
});

Deno.test("sqlite: two processes hand the record to and fro by their watches", async () => {
  await handOver(DENO);
});

Deno.test("sqlite: a file deleted again and again under its writers damages none that follows", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/locks.db`;
  const stores = sqliteStores(path);
  const lock = stores.open("shared", "shared");
  const children = [1, 2, 3].map(() => start(DENO, ["count", path, "1000000"]));
  const heard = children.map(async (child) => {
    while (await child.line() !== null);
  });
  try {
    const uids = new Set<string>();
    for (let round = 0; round < 20; round++) {
      using followed = follow(lock, "");
      const { uid } = await followed.record((record) => !uids.has(record.uid));
      uids.add(uid);
      // Without its -wal and -shm, which the writers still use: the worst of all ways.
      Deno.removeSync(path);
    }
    using followed = follow(lock, "");
    await followed.record((record) => !uids.has(record.uid) && Number(record.text) > 20);
  } finally {
    for (const child of children) child.kill();
    await Promise.all(heard);
    for (const child of children) await child[Symbol.asyncDispose]();
  }
  for (const child of children) assertEquals((await child.ended()).stderr, "");
  assertEquals(integrity(path), "ok");
  assertEquals((await stores.listRecords()).length, 1);
  stores.close();
});

Deno.test({
  name: node.found
    ? "sqlite: Node and Deno write to one file, and Node warns of nothing"
    : `sqlite: Node and Deno write to one file (SKIPPED: ${node.why})`,
  ignore: !node.found,
  async fn() {
    assert(node.found);
    using bundle = await bundled();
    const command = [node.path, bundle.path];
    await countTogether([DENO, command, command]);
    await handOver(command);
  },
});
