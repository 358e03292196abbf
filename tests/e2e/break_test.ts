/** `break`: whom, how, and who is asked. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../support/sandbox.ts";
import { atTerminal } from "../support/terminal.ts";

async function held(...more: string[]): Promise<Sandbox> {
  const sandbox = await Sandbox.create();
  const args = ["acquire", "a", "--no-renew", "--holder", "Ann", "--link", "https://ci/1", ...more];
  const { code, stderr } = await sandbox.run(args);
  assertEquals(code, 0, stderr);
  return sandbox;
}

for (
  const [what, keys, code, holders] of [
    ["yes", "y\n", 0, 0],
    ["no", "n\n", 2, 1],
    ["an empty line", "\n", 2, 1],
    ["the end of input", "\x04", 2, 1],
    ["Ctrl-C", "\x03", 130, 1],
  ] as const
) {
  Deno.test(
    `at a terminal break shows the holder and asks; ${what} is exit ${code}`,
    atTerminal,
    async () => {
      await using sandbox = await held();
      const asked = sandbox.startAtTerminal(["break", "a", "--now"]);
      await asked.says("[y/N]");
      assertStringIncludes(asked.stdout, "held by Ann");
      assertStringIncludes(asked.stdout, "https://ci/1");
      asked.type(keys);
      const ended = await asked.ended;
      assertEquals(ended.code, code, ended.stdout);
      assertEquals((await sandbox.record("a"))?.holders.length, holders);
    },
  );
}

Deno.test("without a terminal break needs --yes and changes nothing without it", async () => {
  await using sandbox = await held();
  const before = await sandbox.record("a");
  const { code, stderr } = await sandbox.run(["break", "a"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--yes");
  assertEquals(await sandbox.record("a"), before);
});

Deno.test("a lock that nobody holds is not broken, and nothing is made", async () => {
  await using sandbox = await Sandbox.create();
  for (const how of [[], ["--all"], ["--now"]]) {
    const { code, stderr } = await sandbox.run(["break", "a", "--yes", ...how]);
    assertEquals(code, 0);
    assertStringIncludes(stderr, "nobody holds a");
  }
  assertEquals(await sandbox.record("a"), null);
  const grant = await sandbox.run(["break", "a", "--yes", "--grant", "none"]);
  assertEquals(grant.code, 14);
});

Deno.test("break waits until run has stopped its command, which learns by whom and why", async () => {
  await using sandbox = await Sandbox.create();
  const work = "trap 'echo stopped; exit 0' TERM; echo ready; sleep 99 & wait";
  const holder = sandbox.start(["run", "a", "--holder", "Ann", "--", "sh", "-c", work]);
  await holder.says("ready");
  const broken = await sandbox.run(["break", "a", "--yes", "--reason", "incident 7"]);
  assertEquals(broken.code, 0, broken.stderr);
  assertStringIncludes(broken.stderr, "Ann gave a up");
  assertEquals((await sandbox.record("a"))?.holders, []);
  const { code, stdout, stderr } = await holder.ended;
  assertEquals([code, stdout], [12, "ready\nstopped\n"]);
  assertMatch(stderr, /lost a: it was broken by \S+: incident 7/);
});

Deno.test("one who does not answer is removed after its TTL, and break says so", async () => {
  await using sandbox = await held("--ttl", "5s");
  const { code, stderr } = await sandbox.run(["break", "a", "--yes", "--reason", "x"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Ann did not answer for its whole TTL and was removed");
  assertEquals((await sandbox.record("a"))?.holders, []);
  const released = await sandbox.run(["release", "a"]);
  assertEquals(released.code, 12);
});

Deno.test("a hold that is broken is lost for verify and release before its place is free", async () => {
  await using sandbox = await held("--ttl", "1h");
  const breaking = sandbox.start(["break", "a", "--yes", "--reason", "stale"]);
  await sandbox.until("a", ({ holders }) => holders[0]?.state === "broken");
  const verified = await sandbox.run(["verify", "a"]);
  assertEquals(verified.code, 12);
  assertStringIncludes(verified.stderr, "stale");
  assertEquals((await sandbox.run(["renew", "a"])).code, 12);
  const released = await sandbox.run(["release", "a"]);
  assertEquals(released.code, 12, released.stderr);
  const { code, stderr } = await breaking.ended;
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Ann gave a up");
});

Deno.test("with --now the next one holds at once", async () => {
  await using sandbox = await held("--ttl", "1h");
  const next = sandbox.start(["run", "a", "--", "echo", "mine"]);
  await sandbox.waiters("a", 1);
  const { code, stderr } = await sandbox.run(["break", "a", "--yes", "--now"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "its work may still run");
  const ended = await next.ended;
  assertEquals([ended.code, ended.stdout], [0, "mine\n"]);
});

Deno.test("a waiter that is dropped ends with 10, by whom and why, and does not come back", async () => {
  await using sandbox = await held();
  const waiters = [
    sandbox.start(["run", "a", "--", "true"]),
    sandbox.start(["acquire", "a", "--on-busy", "skip"], {
      env: { K8S_LOCK_STATE_DIR: `${sandbox.folder}/other` },
    }),
  ];
  for (const { grant } of await sandbox.waiters("a", 2)) {
    const { code, stderr } = await sandbox.run(
      ["break", "a", "--yes", "--grant", grant.slice(0, 10), "--reason", "not today"],
    );
    assertEquals(code, 0);
    assertMatch(stderr, /dropped \S+ from the queue of a/);
  }
  const ends = await Promise.all(waiters.map((waiter) => waiter.ended));
  for (const { code, stderr } of ends) {
    assertEquals(code, 10, stderr);
    assertMatch(stderr, /dropped from the queue of a by \S+: not today/);
  }
  assertEquals(await sandbox.tickets("a"), []);
  const record = await sandbox.record("a");
  assertEquals(record?.holders.length, 1);
  assertEquals(record?.history.map(({ outcome, token }) => [outcome, token]), [
    ["broken", null],
    ["broken", null],
  ]);
});

Deno.test("texts with escape codes and a megabyte long are shown short and harmless", async () => {
  await using sandbox = await Sandbox.create();
  const evil = "\u001b[31mred\u001b]0;title\u0007 \r\n::set-output name=x::y\u202e";
  const args = ["acquire", "a", "--no-renew", "--holder", `${evil}${"x".repeat(100_000)}`];
  const env = { K8S_LOCK_DESCRIPTION: "y".repeat(100_000), K8S_LOCK_LINK: evil };
  const { code, stderr } = await sandbox.run(args, { env });
  assertEquals(code, 0, stderr);
  const reason = `${evil}${"z".repeat(100_000)}`;
  const outputs = [
    await sandbox.run(["status", "a"]),
    await sandbox.run(["list"]),
    await sandbox.run(["status", "a", "-o", "json"]),
    await sandbox.run(["acquire", "a", "--timeout", "0"]),
    await sandbox.run(["break", "a", "--yes", "--now", "--reason", reason]),
    await sandbox.run(["status", "a"]),
    await sandbox.run(["release", "a"]),
  ];
  for (const { stdout, stderr } of outputs) {
    const text = stdout + stderr;
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u0009\u000b-\u001f\u202e]/.test(text), JSON.stringify(text));
    assert(!/^::/m.test(text), text);
    assert(text.length < 5000, String(text.length));
  }
});
