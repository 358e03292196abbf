import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import {
  changeState,
  isStopped,
  readState,
  readStates,
  removeState,
  stopRenewer,
  tombstone,
  tombstones,
  writeState,
} from "../../lib/host/state.ts";
import type { LockState } from "../../lib/host/state.ts";
import { sessionId, StateError, stateFolder } from "../../lib/host/state_folder.ts";
import { folder } from "./fixtures/folder.ts";
import { start } from "./fixtures/start.ts";

const asRoot = { ignore: process.getuid?.() !== 0 };

function state(changes: Partial<LockState> = {}): LockState {
  return {
    version: 1,
    lock: "deploy",
    object: "secret/ci/k8s-lock-deploy",
    store_address: "https://cluster.example:6443 ci",
    namespace: "ci",
    grant: "0a1b2c3d4e5f",
    holder: "o/r deploy #1",
    token: null,
    phase: "asking",
    ttl_seconds: 60,
    acquired_at: null,
    renewer_pid: null,
    renewer_started: null,
    watch_pid: null,
    job: null,
    connection: { kubeconfig: ["/etc/kube/config"], context: "prod" },
    last_renewed_at: null,
    last_error: null,
    lost: null,
    ...changes,
  };
}

const held = state({
  token: 42,
  phase: "lost",
  acquired_at: "2026-01-31T12:00:00Z",
  renewer_pid: 77,
  renewer_started: "123456",
  watch_pid: 78,
  job: "1234/deploy",
  last_renewed_at: "2026-01-31T12:01:00Z",
  last_error: "the cluster does not answer",
  lost: { why: "another grant is in the record" },
});

Deno.test("a state that was written is read as it was", () => {
  using here = folder();
  const path = join(here.path, "new", "folders");
  writeState(path, held);
  assertEquals(readState(path, held.grant), held);
  assertEquals(readStates(path), { states: [held], damaged: [] });
});

Deno.test("fields of a later version are kept", () => {
  using here = folder();
  writeState(here.path, state());
  const file = join(here.path, `${state().grant}.json`);
  writeFileSync(file, JSON.stringify({ ...state(), mood: "good" }));
  const read = readState(here.path, state().grant);
  assert(read !== null);
  writeState(here.path, { ...read, phase: "held" });
  assertEquals(readState(here.path, state().grant)?.extra, { mood: "good" });
});

Deno.test("fields of a later version inside others are written back where they stood, however often", () => {
  using here = folder();
  const file = join(here.path, `${state().grant}.json`);
  const stored = {
    ...state(),
    connection: { kubeconfig: [], context: null, proxy: "a" },
    lost: { why: "deleted", at: "noon" },
  };
  writeState(here.path, state());
  writeFileSync(file, JSON.stringify(stored));
  for (let times = 0; times < 3; times++) {
    const read = readState(here.path, state().grant);
    assert(read !== null);
    writeState(here.path, read);
  }
  assertEquals(JSON.parse(readFileSync(file, "utf8")), stored);
});

Deno.test("a state is for its user alone, and so is the folder that is made for it", () => {
  using here = folder();
  const path = join(here.path, "new");
  writeState(path, state());
  assertEquals(statSync(path).mode & 0o777, 0o700);
  assertEquals(statSync(join(path, `${state().grant}.json`)).mode & 0o777, 0o600);
  assertEquals(readdirSync(path), [`${state().grant}.json`]);
});

Deno.test("a folder that is not there has no states", () => {
  using here = folder();
  const path = join(here.path, "none");
  assertEquals(readStates(path), { states: [], damaged: [] });
  assertEquals(readState(path, state().grant), null);
  assertEquals(tombstones(path, ["a"]), "");
});

for (
  const [what, damage, why] of [
    ["cut short", (file: string) => truncateSync(file, 100), /cut short/],
    ["empty", (file: string) => truncateSync(file, 0), /empty/],
    ["garbage", (file: string) => writeFileSync(file, "\0\0\0"), /not JSON/],
    ["a list", (file: string) => writeFileSync(file, "[]"), /not an object/],
    ["without a field", (file: string) => writeFileSync(file, '{"version":1}'), /lock is missing/],
    [
      "of a newer version",
      (file: string) => writeFileSync(file, '{"version":2}'),
      /newer k8s-lock/,
    ],
    [
      "another grant's",
      (file: string) => writeFileSync(file, JSON.stringify(state({ grant: "other" }))),
      /another grant/,
    ],
    ["too long", (file: string) => writeFileSync(file, " ".repeat(100_000)), /no state file/],
    [
      "a folder",
      (file: string) => {
        rmSync(file);
        mkdirSync(file);
      },
      /no state file/,
    ],
    [
      "a link to elsewhere",
      (file: string) => {
        rmSync(file);
        symlinkSync("/dev/zero", file);
      },
      /no state file/,
    ],
  ] as const
) {
  Deno.test(`a state file that is ${what} is reported, and the others are read`, () => {
    using here = folder();
    const other = state({ grant: "bbb" });
    writeState(here.path, state({ grant: "aaa" }));
    writeState(here.path, other);
    const file = join(here.path, "aaa.json");
    damage(file);
    const { states, damaged } = readStates(here.path);
    assertEquals(states, [other]);
    assertEquals(damaged.map((entry) => entry.file), [file]);
    assertMatch(damaged[0]?.why ?? "", why);
  });
}

Deno.test("one damaged state that is asked for is an error that names the file", () => {
  using here = folder();
  writeState(here.path, state());
  truncateSync(join(here.path, `${state().grant}.json`), 9);
  const error = assertThrows(() => readState(here.path, state().grant), StateError);
  assertMatch(error.message, /0a1b2c3d4e5f\.json cannot be used/);
});

Deno.test("a full disk is an error in words, and leaves the old state", () => {
  using here = folder();
  writeState(here.path, state());
  const full = {
    write(path: string) {
      writeFileSync(path, "half");
      throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    },
    rename() {},
  };
  const error = assertThrows(() => writeState(here.path, held, full), StateError);
  assertMatch(error.message, /cannot write .*: the disk is full/);
  assertEquals(readStates(here.path).states, [state()]);
  assertEquals(readdirSync(here.path).length, 1);
});

Deno.test("a read-only file system is an error in words", () => {
  using here = folder();
  const readOnly = {
    write() {
      throw Object.assign(new Error("EROFS"), { code: "EROFS" });
    },
    rename() {},
  };
  const error = assertThrows(() => writeState(here.path, held, readOnly), StateError);
  assertMatch(error.message, /the file system is read-only\. Set K8S_LOCK_STATE_DIR/);
});

Deno.test("a folder below a file is an error in words", () => {
  const error = assertThrows(() => writeState("/dev/null/state", held), StateError);
  assertMatch(error.message, /cannot make the state folder/);
});

Deno.test("a folder that others can write is not used", () => {
  using here = folder();
  chmodSync(here.path, 0o777);
  for (const use of [() => writeState(here.path, held), () => readStates(here.path)]) {
    assertMatch(assertThrows(use, StateError).message, /can be written by other users/);
  }
});

Deno.test("a folder that belongs to another user is not used", asRoot, () => {
  using here = folder();
  chownSync(here.path, 12345, 12345);
  for (const use of [() => writeState(here.path, held), () => readStates(here.path)]) {
    assertMatch(assertThrows(use, StateError).message, /belongs to another user/);
  }
});

Deno.test("a folder that is a link is not used", () => {
  using here = folder();
  const link = join(here.path, "link");
  symlinkSync(here.path, link);
  assertMatch(assertThrows(() => writeState(link, held), StateError).message, /not a folder/);
});

Deno.test("a removed state is gone, with what belongs to it, and removing it again is nothing", () => {
  using here = folder();
  writeState(here.path, held);
  stopRenewer(here.path, held.grant);
  removeState(here.path, held.grant);
  removeState(here.path, held.grant);
  assertEquals(readdirSync(here.path), []);
});

for (
  const [what, meanwhile] of [
    ["removed", (path: string) => removeState(path, state().grant)],
    ["to be stopped", (path: string) => stopRenewer(path, state().grant)],
  ] as const
) {
  Deno.test(`a change that was on its way when its grant was ${what} is not written`, () => {
    using dir = folder();
    writeState(dir.path, state());
    const write = (path: string, content: string) => {
      writeFileSync(path, content);
      meanwhile(dir.path);
    };
    changeState(dir.path, state().grant, { last_error: "late" }, { write, rename: renameSync });
    assertEquals(readState(dir.path, state().grant)?.last_error ?? null, null);
    assertEquals(readdirSync(dir.path).filter((name) => name.endsWith(".tmp")), []);
  });
}

Deno.test("a change keeps all else of a state, and makes none where there is none", () => {
  using dir = folder();
  changeState(dir.path, state().grant, { last_error: "gap" });
  assertEquals(readState(dir.path, state().grant), null);
  writeState(dir.path, held);
  changeState(dir.path, held.grant, { last_error: "gap" });
  assertEquals(readState(dir.path, held.grant), { ...held, last_error: "gap" });
});

Deno.test("a grant cannot name a file elsewhere", () => {
  using here = folder();
  assertThrows(() => writeState(here.path, state({ grant: "../x" })), TypeError);
});

Deno.test("a renewer is told to stop by its stop file, and by the loss of the folder", () => {
  using here = folder();
  const path = join(here.path, "new");
  writeState(path, held);
  assertEquals(isStopped(path, held.grant), false);
  stopRenewer(path, "another");
  assertEquals(isStopped(path, held.grant), false);
  stopRenewer(path, held.grant);
  assertEquals(isStopped(path, held.grant), true);
  rmSync(path, { recursive: true });
  assertEquals(isStopped(path, "third"), true);
});

Deno.test("an acquire sees the tombstone of a release that began after it, not an older one", () => {
  using here = folder();
  tombstone(here.path, "secret/ci/a");
  const before = tombstones(here.path, ["secret/ci/a", "grant"]);
  assertEquals(tombstones(here.path, ["secret/ci/a", "grant"]), before);
  tombstone(here.path, "secret/ci/b");
  assertEquals(tombstones(here.path, ["secret/ci/a", "grant"]), before);
  tombstone(here.path, "secret/ci/a");
  assertNotEquals(tombstones(here.path, ["secret/ci/a", "grant"]), before);
  assert(existsSync(here.path));
});

const someone = { storeAddress: "https://a", jobId: null, sessionId: "1 2", cwd: "/here" };

Deno.test("each job and each store has a folder of its own", () => {
  const env = { RUNNER_TEMP: "/temp" };
  const folders = [
    stateFolder({ ...someone, env }),
    stateFolder({ ...someone, env, sessionId: "1 3" }),
    stateFolder({ ...someone, env, jobId: "1 2" }),
    stateFolder({ ...someone, env, jobId: "7" }),
    stateFolder({ ...someone, env, storeAddress: "https://b" }),
  ];
  assertEquals(new Set(folders).size, folders.length);
  for (const path of folders) assertMatch(path, /^\/temp\/k8s-lock\/[0-9a-f]+$/);
});

Deno.test("a folder that is named is the job, whatever its session and id", () => {
  const env = { K8S_LOCK_STATE_DIR: "mine", RUNNER_TEMP: "/temp" };
  const path = stateFolder({ ...someone, env });
  assertMatch(path, /^\/here\/mine\/[0-9a-f]+$/);
  assertEquals(stateFolder({ ...someone, env, sessionId: "x", jobId: "7" }), path);
});

Deno.test("without a named or a runner's folder the user's runtime folder serves, then the state folder", () => {
  using here = folder();
  const there = { XDG_RUNTIME_DIR: here.path, XDG_STATE_HOME: "/state" };
  assert(stateFolder({ ...someone, env: there }).startsWith(join(here.path, "k8s-lock", "")));
  const gone = { ...there, XDG_RUNTIME_DIR: "/no/such/folder", RUNNER_TEMP: "" };
  assert(stateFolder({ ...someone, env: gone }).startsWith("/state/k8s-lock/"));
});

Deno.test("processes of one session have one session id, those of another have another", async () => {
  const sessions = [start(["/bin/cat"]), start(["/bin/cat"])];
  const ids = sessions.map(({ pid }) => sessionId(pid));
  assertNotEquals(ids[0], ids[1]);
  assertNotEquals(ids[0], sessionId());
  assertEquals(sessionId(process.pid), sessionId(process.ppid));
  for (
    const { child, closed } of sessions.map((one) => ({ child: one.child, closed: one.closed() }))
  ) {
    child.stdin.end();
    await closed;
  }
});
