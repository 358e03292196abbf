/** State folders and databases that cannot be used: a sentence, exit 15, and nothing is left held in silence. */
import { spawnSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../support/sandbox.ts";

/** Mounts a file system of some kilobytes at a folder, where this user may. */
function tinyDisk(folder: string, kilobytes: number): Disposable | null {
  Deno.mkdirSync(folder);
  const size = `size=${kilobytes}k,mode=700`;
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", size, "none", folder]);
  if (status !== 0) return null;
  return { [Symbol.dispose]: () => void spawnSync("umount", ["-l", folder]) };
}

/** Makes a file that leaves no room on its disk. */
function fill(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  try {
    for (;;) file.writeSync(new Uint8Array(4096));
  } catch {
    // It is full now.
  }
}

/** The job's only state file. */
function stateFile(sandbox: Sandbox): string {
  const [folder] = [...Deno.readDirSync(sandbox.stateFolder)];
  const inside = `${sandbox.stateFolder}/${folder?.name}`;
  const found = [...Deno.readDirSync(inside)].find(({ name }) => name.endsWith(".json"));
  return `${inside}/${found?.name}`;
}

for (
  const [what, damage] of [
    ["cut short", (text: string) => text.slice(0, 100)],
    ["empty", () => ""],
    ["written by a newer version", (text: string) => text.replace(`"version": 1`, `"version": 9`)],
    ["another grant's", (text: string) => text.replace(/"grant": "./, `"grant": "x`)],
  ] as const
) {
  Deno.test(`a state file that is ${what} is named, and the way around it told`, async () => {
    await using sandbox = await Sandbox.create();
    const { grant } = await sandbox.json<{ grant: string }>(
      ["acquire", "a", "-o", "json", "--no-renew"],
    );
    const file = stateFile(sandbox);
    await Deno.writeTextFile(file, damage(await Deno.readTextFile(file)));
    const before = await sandbox.record("a");
    for (const command of ["release", "verify", "renew"]) {
      const { code, stderr } = await sandbox.run([command, "a"]);
      assertEquals(code, 15, `${command}: ${stderr}`);
      assertStringIncludes(stderr, file);
      assertStringIncludes(stderr, "--grant");
    }
    assertEquals(await sandbox.record("a"), before);
    const released = await sandbox.run(["release", "a", "--grant", grant]);
    assertEquals(released.code, 0, released.stderr);
    assertEquals((await sandbox.record("a"))?.holders, []);
  });
}

for (
  const [what, make] of [
    ["a file", (path: string) => Deno.writeTextFileSync(path, "")],
    ["below a file", (path: string) => {
      Deno.writeTextFileSync(path, "");
      return `${path}/below`;
    }],
    ["in a place that cannot be written", () => "/proc/k8s-lock"],
  ] as const
) {
  Deno.test(`a state folder that is ${what} is refused before anything is asked for`, async () => {
    await using sandbox = await Sandbox.create();
    const env = {
      K8S_LOCK_STATE_DIR: make(`${sandbox.folder}/place`) ?? `${sandbox.folder}/place`,
    };
    const { code, stdout, stderr } = await sandbox.run(["acquire", "a"], { env });
    assertEquals([code, stdout], [15, ""], stderr);
    assertMatch(stderr, /^k8s-lock: error: cannot .*Set K8S_LOCK_STATE_DIR to a folder/);
    assertEquals(await sandbox.record("a"), null);
  });
}

for (const command of [["acquire", "a"], ["run", "a", "--", "true"]]) {
  Deno.test(`${command[0]} refuses a lock database in a place where nothing can be made`, async () => {
    await using sandbox = await Sandbox.create();
    const env = { K8S_LOCK_LOCAL_PATH: "/proc/k8s-lock/deep/locks.db" };
    const { code, stdout, stderr } = await sandbox.run(command, { env });
    assertEquals([code, stdout], [15, ""], stderr);
    assertStringIncludes(stderr, "the lock database /proc/k8s-lock/deep/locks.db cannot be opened");
  });
}

Deno.test("a state folder that others may write in is not used", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "b", "--no-renew"]);
  const [{ name }] = [...Deno.readDirSync(sandbox.stateFolder)] as [Deno.DirEntry];
  await Deno.chmod(`${sandbox.stateFolder}/${name}`, 0o777);
  for (const command of ["acquire", "verify", "release"]) {
    const { code, stderr } = await sandbox.run([command, "a"]);
    assertEquals(code, 15, stderr);
    assertStringIncludes(stderr, "can be written by other users");
  }
  assertEquals(await sandbox.record("a"), null);
});

Deno.test("on a full disk for the state nothing is acquired", async () => {
  await using sandbox = await Sandbox.create();
  using disk = tinyDisk(sandbox.stateFolder, 8);
  if (disk === null) return;
  fill(`${sandbox.stateFolder}/filler`);
  const { code, stderr } = await sandbox.run(["acquire", "a"]);
  assertEquals(code, 15, stderr);
  assertStringIncludes(stderr, "the disk is full");
  assertEquals((await sandbox.record("a"))?.holders ?? [], []);
});

Deno.test("a disk for the state that is full when the lock is got: it is given back", async () => {
  await using sandbox = await Sandbox.create();
  using disk = tinyDisk(sandbox.stateFolder, 16);
  if (disk === null) return;
  const other = { env: { K8S_LOCK_STATE_DIR: `${sandbox.folder}/other` } };
  await sandbox.run(["acquire", "a", "--no-renew"], other);
  const waiter = sandbox.start(["acquire", "a"]);
  await sandbox.waiters("a", 1);
  fill(`${sandbox.stateFolder}/filler`);
  await sandbox.run(["release", "a"], other);
  const { code, stdout, stderr } = await waiter.ended;
  assertEquals([code, stdout], [15, ""], stderr);
  assertStringIncludes(stderr, "the disk is full");
  const record = await sandbox.record("a");
  assertEquals([record?.holders, await sandbox.tickets("a")], [[], []]);
  assertEquals(sandbox.processes("__renewer"), []);
});

Deno.test("an acquire whose end is not known is taken back whatever became of it", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew"]);
  const file = stateFile(sandbox);
  const text = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, text.replace('"phase": "held"', '"phase": "asking"'));
  const { code, stderr } = await sandbox.run(["release", "a"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "gave a back");
  assertEquals((await sandbox.record("a"))?.holders, []);
});

/** Commands, each of which needs the database. */
const COMMANDS: readonly (readonly string[])[] = [
  ["run", "a", "--", "true"],
  ["acquire", "a"],
  ["status", "a"],
  ["list"],
  ["break", "a", "--yes"],
  ["verify", "a"],
];

for (
  const [what, words, spoil] of [
    [
      "garbage",
      "not a lock database",
      (path: string) => Deno.writeTextFileSync(path, "no database at all\n".repeat(500)),
    ],
    ["another program's", "another program", (path: string) => {
      using database = new DatabaseSync(path);
      database.exec("CREATE TABLE notes (text TEXT)");
    }],
    ["a newer version's", "newer k8s-lock", (path: string) => {
      using database = new DatabaseSync(path);
      database.exec("PRAGMA application_id = 0x6b38736c; PRAGMA user_version = 99");
      database.exec("CREATE TABLE locks (text TEXT)");
    }],
    ["a folder", "cannot be opened", (path: string) => Deno.mkdirSync(path)],
  ] as const
) {
  Deno.test(`a database that is ${what} is exit 15 and stays as it is`, async () => {
    await using sandbox = await Sandbox.create();
    spoil(sandbox.database);
    const content = () => {
      const { isFile } = Deno.statSync(sandbox.database);
      return isFile ? Deno.readFileSync(sandbox.database) : null;
    };
    const before = content();
    const ends = await Promise.all(COMMANDS.map((command) => sandbox.run(command)));
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      assertEquals([code, stdout], [15, ""], `${COMMANDS[index]?.join(" ")}: ${stderr}`);
      assertStringIncludes(stderr, words);
      assertStringIncludes(stderr, sandbox.database);
      assertStringIncludes(stderr, "--local-path");
      assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
    }
    assertEquals(content(), before);
  });
}

Deno.test("a database that stays locked is exit 15 within --request-timeout, with how to find who", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew"]);
  using database = new DatabaseSync(sandbox.database);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE more (text TEXT)");
  const limit = ["--request-timeout", "700ms"];
  const ends = await Promise.all(
    COMMANDS.map(([name = "", ...args]) => sandbox.run([name, ...limit, ...args])),
  );
  for (const [index, { code, stderr }] of ends.entries()) {
    assertEquals(code, 15, `${COMMANDS[index]?.join(" ")}: ${stderr}`);
    assertStringIncludes(stderr, `fuser -v ${sandbox.database}`);
  }
});

Deno.test("who arrives at a database that can be read but not written is told, and goes by --timeout", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew"]);
  using database = new DatabaseSync(sandbox.database);
  database.exec("BEGIN IMMEDIATE");
  const limit = ["--timeout", "1s", "--request-timeout", "300ms"];
  const { code, stderr } = await sandbox.run(["acquire", "b", ...limit]);
  // Whether the last of its requests was one that was answered decides between the two.
  assert(code === 15 || code === 10, stderr);
  assertMatch(stderr, /not in line yet: the lock database .* stayed locked/);
});

Deno.test("a database on a full disk is exit 15, and its holder gives it back all the same", async () => {
  await using sandbox = await Sandbox.create();
  const folder = `${sandbox.folder}/disk`;
  using disk = tinyDisk(folder, 256);
  if (disk === null) return;
  const env = { K8S_LOCK_LOCAL_PATH: `${folder}/locks.db` };
  fill(`${folder}/filler`);
  for (const command of [["run", "a", "--", "echo", "worked"], ["acquire", "a"]]) {
    const { code, stdout, stderr } = await sandbox.run(command, { env });
    assertEquals([code, stdout], [15, ""], stderr);
    assertMatch(stderr, /full|No space/);
  }
  await Deno.remove(`${folder}/filler`);
  const later = await sandbox.run(["run", "a", "--", "echo", "worked"], { env });
  assertEquals([later.code, later.stdout], [0, "worked\n"], later.stderr);
});

Deno.test("a database on a read-only disk is exit 15 for who wants the lock", async () => {
  await using sandbox = await Sandbox.create();
  const folder = `${sandbox.folder}/disk`;
  using disk = tinyDisk(folder, 256);
  if (disk === null) return;
  const env = { K8S_LOCK_LOCAL_PATH: `${folder}/locks.db` };
  await sandbox.run(["run", "a", "--", "true"], { env });
  spawnSync("mount", ["-o", "remount,ro", folder]);
  for (const command of [["run", "a", "--", "echo", "worked"], ["acquire", "a"]]) {
    const { code, stdout, stderr } = await sandbox.run(command, { env });
    assertEquals([code, stdout], [15, ""], stderr);
    assertMatch(stderr, /writable|read-only/);
  }
});

for (
  const [what, words, text] of [
    ["damaged", "cannot be used", "{"],
    ["of a newer version", "newer k8s-lock", `{"version": 99}`],
  ] as const
) {
  Deno.test(`a record that is ${what} is exit 15 for every command, and never overwritten`, async () => {
    await using sandbox = await Sandbox.create();
    await sandbox.run(["acquire", "a", "--no-renew"]);
    {
      using database = new DatabaseSync(sandbox.database);
      database.prepare("UPDATE records SET text = ?").run(text);
    }
    const commands = [...COMMANDS.filter(([name]) => name !== "list"), ["release", "a"], [
      "renew",
      "a",
    ]];
    const ends = await Promise.all(commands.map((command) => sandbox.run(command)));
    for (const [index, { code, stderr }] of ends.entries()) {
      assertEquals(code, 15, `${commands[index]?.join(" ")}: ${stderr}`);
      assertStringIncludes(stderr, words);
    }
    const list = await sandbox.run(["list"]);
    assertStringIncludes(list.stderr, words);
    assertEquals((await sandbox.store("a").readRecord())?.text, text);
  });
}

Deno.test("another lock whose joined name is the same is refused, both named", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "c", "--no-renew", "--repo", "a/b"]);
  const commands = [["run", "b-c", "--", "true"], ["acquire", "b-c"], ["status", "b-c"]];
  for (const [name = "", ...args] of commands) {
    const { code, stderr } = await sandbox.run([
      name,
      "--scope",
      "owner",
      "--repo",
      "a/x",
      ...args,
    ]);
    assertEquals(code, 15, `${name}: ${stderr}`);
    assertMatch(stderr, /c"? of a\/b.*b-c"? of a/);
  }
  assert(await sandbox.record("a-b-c") !== null);
});
