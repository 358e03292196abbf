/** `acquire` and what comes after it, as processes over a local store. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { processAlive } from "../../lib/host/processes.ts";
import { readStates } from "../../lib/host/state.ts";
import type { LockState } from "../../lib/host/state.ts";
import { eventually, kill, Sandbox } from "../support/sandbox.ts";

interface Got {
  readonly grant: string;
  readonly token: number;
}

/** The states that this job has. */
function states(sandbox: Sandbox): LockState[] {
  return [...Deno.readDirSync(sandbox.stateFolder)]
    .flatMap(({ name }) => readStates(`${sandbox.stateFolder}/${name}`).states);
}

function acquired(sandbox: Sandbox, ...args: string[]): Promise<Got> {
  return sandbox.json<Got>(["acquire", ...args, "-o", "json"]);
}

Deno.test("an acquire is renewed, verified, given back, and then gone", async () => {
  await using sandbox = await Sandbox.create();
  const { grant, token } = await acquired(sandbox, "a", "--ttl", "5s");
  await sandbox.until("a", ({ holders }) => (holders[0]?.renewals ?? 0) > 1);
  const verified = await sandbox.run(["verify", "a", "--token", String(token)]);
  assertEquals([verified.code, verified.stdout], [0, ""]);
  assertEquals((await sandbox.run(["verify", "a", "--token", String(token + 1)])).code, 12);
  const [renewer = 0] = sandbox.processes("__renewer");
  const released = await sandbox.run(["release", "a"]);
  assertEquals(released.code, 0);
  const record = await sandbox.record("a");
  assertEquals(record?.holders, []);
  assertEquals(record?.history[0]?.grant, grant);
  assertEquals(record?.history[0]?.outcome, "released");
  await eventually("the renewer's end", () => !processAlive(renewer, null));
  assertEquals(states(sandbox), []);
  assertEquals((await sandbox.run(["verify", "a"])).code, 14);
});

Deno.test("what acquire prints as JSON has the documented fields and no others", async () => {
  await using sandbox = await Sandbox.create();
  const got = await sandbox.json<Record<string, unknown>>(
    ["acquire", "a", "-o", "json", "--holder", "me", "--no-renew"],
  );
  assertEquals(Object.keys(got), [
    "lock",
    "object",
    "grant",
    "holder",
    "token",
    "slot",
    "slot_name",
    "mode",
    "waited_seconds",
  ]);
  const { grant, waited_seconds, token, ...rest } = got;
  assertEquals([typeof grant, typeof waited_seconds, typeof token], ["string", "number", "number"]);
  assertEquals(rest, {
    lock: "a",
    object: "local/k8s-lock-a",
    holder: "me",
    slot: 0,
    slot_name: null,
    mode: "exclusive",
  });
});

Deno.test("a capture of what acquire prints returns although the renewer lives on", async () => {
  await using sandbox = await Sandbox.create();
  const script = `got=$("$@" 3>&1 4>&1 2>&1); echo "captured: $got"`;
  const shell = sandbox.start(["acquire", "a"], { by: ["bash", "-c", script, "bash"] });
  const { code, stdout } = await shell.ended;
  assertEquals(code, 0);
  assertStringIncludes(stdout, "captured: a: held with token");
  assertEquals(sandbox.processes("__renewer").length, 1);
});

Deno.test("without its renewer a lock is free after its TTL, and the job is told", async () => {
  await using sandbox = await Sandbox.create();
  await acquired(sandbox, "a", "--ttl", "5s");
  const [renewer = 0] = sandbox.processes("__renewer");
  kill(renewer, "SIGKILL");
  const other = { env: { K8S_LOCK_STATE_DIR: `${sandbox.folder}/other` } };
  await sandbox.json(["acquire", "a", "-o", "json", "--ttl", "5s"], other);
  const verified = await sandbox.run(["verify", "a"]);
  assertEquals(verified.code, 12);
  assertMatch(verified.stderr, /lost a: .* took it over because this holder was silent/);
  const released = await sandbox.run(["release", "a"]);
  assertEquals(released.code, 12);
  assertStringIncludes(released.stderr, "lost a before it was given back");
  assertEquals((await sandbox.run(["release", "a"])).code, 0, "told once");
  assertEquals((await sandbox.run(["verify", "a"], other)).code, 0);
});

Deno.test("a hold that goes on after its renewer was stopped past the TTL tells of the gap", async () => {
  await using sandbox = await Sandbox.create();
  await acquired(sandbox, "a", "--ttl", "5s");
  const [renewer = 0] = sandbox.processes("__renewer");
  const before = (await sandbox.until("a", ({ holders }) => holders[0]?.renewals !== 0)).holders[0];
  kill(renewer, "SIGSTOP");
  await eventually(
    "more than a TTL",
    () => Date.now() - Date.parse(before?.renewed_at ?? "") > 6500,
  );
  kill(renewer, "SIGCONT");
  await sandbox.until(
    "a",
    ({ holders }) => (holders[0]?.renewals ?? 0) > (before?.renewals ?? 0) + 1,
  );
  const verified = await sandbox.run(["verify", "a"]);
  assertEquals(verified.code, 0);
  assertMatch(verified.stderr, /while a was held: .*renewed again after a gap/);
});

for (
  const [what, end] of [
    [
      "its state folder is gone",
      (sandbox: Sandbox) => Deno.removeSync(sandbox.stateFolder, { recursive: true }),
    ],
    ["another grant is in the record", async (sandbox: Sandbox) => {
      await sandbox.run(["break", "a", "--now", "--yes"]);
      await sandbox.run(["acquire", "a", "--no-renew"], {
        env: { K8S_LOCK_STATE_DIR: `${sandbox.folder}/other` },
      });
    }],
    ["the database is gone", (sandbox: Sandbox) => Deno.removeSync(sandbox.database)],
  ] as const
) {
  Deno.test(`a renewer ends when ${what}`, async () => {
    await using sandbox = await Sandbox.create();
    await acquired(sandbox, "a", "--ttl", "5s");
    const [renewer = 0] = sandbox.processes("__renewer");
    await end(sandbox);
    await eventually("its end", () => !processAlive(renewer, null));
  });
}

Deno.test("a renewer ends with the process that it watches, and at --max-hold", async () => {
  await using sandbox = await Sandbox.create();
  const shell = sandbox.start(["acquire", "a", "--ttl", "5s"], {
    by: ["bash", "-c", `"$@" --watch-pid $$; read _`, "bash"],
  });
  await Promise.all([
    shell.says("held with token"),
    acquired(sandbox, "b", "--max-hold", "4s", "--ttl", "5s"),
  ]);
  shell.child.stdin?.end();
  await shell.ended;
  await eventually("both ends", () => sandbox.processes("__renewer").length === 0);
  for (const command of ["verify", "release"]) {
    const { code, stderr } = await sandbox.run([command, "b"]);
    assertEquals(code, 12, stderr);
    assertStringIncludes(stderr, "it was held for the longest time allowed (--max-hold 4 s)");
  }
  assertEquals((await sandbox.record("b"))?.holders, []);
  const { stderr } = await sandbox.run(["verify", "a"]);
  assertMatch(stderr, /not renewed any more: process \d+ is gone|took it over/);
});

Deno.test("a watched process that is not there is refused", async () => {
  await using sandbox = await Sandbox.create();
  const { code, stderr } = await sandbox.run(["acquire", "a", "--watch-pid", "2147483647"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "there is no process 2147483647");
  assertEquals(await sandbox.record("a"), null);
});

Deno.test("without renewals the hold lasts one TTL, and renew makes it longer", async () => {
  await using sandbox = await Sandbox.create();
  const { stderr } = await sandbox.run(["acquire", "a", "--no-renew", "--ttl", "1h"]);
  assertStringIncludes(stderr, "others may take it in 1 h");
  assertEquals(sandbox.processes("__renewer"), []);
  const renewed = await sandbox.run(["renew", "a"]);
  assertEquals(renewed.code, 0);
  assertEquals((await sandbox.record("a"))?.holders[0]?.renewals, 1);
  assertEquals((await sandbox.run(["release", "a"])).code, 0);
  assertEquals((await sandbox.run(["renew", "a"])).code, 14);
});

Deno.test("a result that cannot be written is exit 1, and says that the lock is held all the same", async () => {
  await using sandbox = await Sandbox.create();
  const { code, stderr } = await sandbox.run(["acquire", "a", "--no-renew"], {
    by: ["bash", "-c", `"$@" >/dev/full`, "bash"],
  });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "done all the same");
  assertEquals((await sandbox.run(["verify", "a"])).code, 0);
});
