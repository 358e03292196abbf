/** `run` as processes over a local store. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { processAlive } from "../../lib/host/processes.ts";
import { eventually, Sandbox } from "../support/sandbox.ts";

Deno.test("ten jobs take turns, each alone, in the order in which they came", async () => {
  await using sandbox = await Sandbox.create();
  const log = `${sandbox.folder}/log`;
  await Deno.writeTextFile(`${sandbox.folder}/go`, "");
  const first = sandbox.start(
    [
      "run",
      "a",
      "--",
      "sh",
      "-c",
      `while [ -e "$1" ]; do sleep 0.02; done`,
      "sh",
      `${sandbox.folder}/go`,
    ],
  );
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  const jobs = [];
  for (let job = 1; job <= 9; job++) {
    const work = `echo "begin $0" >>"$1"; sleep 0.05; echo "end $0" >>"$1"`;
    jobs.push(sandbox.start(["run", "a", "--", "sh", "-c", work, String(job), log]));
    await sandbox.waiters("a", job);
  }
  await Deno.remove(`${sandbox.folder}/go`);
  const ends = await Promise.all([first, ...jobs].map((job) => job.ended));
  assertEquals(ends.map(({ code }) => code), Array(10).fill(0));
  const expected = Array.from({ length: 9 }, (_, i) => `begin ${i + 1}\nend ${i + 1}\n`).join("");
  assertEquals(await Deno.readTextFile(log), expected);
  const record = await sandbox.record("a");
  assertEquals([record?.holders, record?.turn, await sandbox.tickets("a")], [[], [], []]);
  const tokens = record?.history.map(({ token }) => token ?? 0) ?? [];
  assertEquals(tokens, [...tokens].sort((a, b) => b - a));
});

Deno.test("the command's exit code is passed on, and whose it was is said", async () => {
  await using sandbox = await Sandbox.create();
  const run = (...command: string[]) =>
    sandbox.run(["run", "a", "--log-format", "json", "--", "sh", "-c", ...command]);
  for (const [command, code] of [["exit 0", 0], ["exit 10", 10], ["kill -9 $$", 137]] as const) {
    const ended = await run(command);
    assertEquals(ended.code, code, ended.stderr);
    const last = JSON.parse(ended.stderr.trimEnd().split("\n").at(-1) ?? "");
    assertEquals([last.exit_by, last.exit_code], ["command", code]);
  }
});

Deno.test("a command that is not there or not executable is said before anybody waits", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew"]);
  const missing = await sandbox.run(["run", "a", "--", "no-such-command"]);
  assertEquals([missing.code, missing.stderr], [
    127,
    "k8s-lock: error: no-such-command: not found\n",
  ]);
  const file = `${sandbox.folder}/file`;
  await Deno.writeTextFile(file, "");
  const plain = await sandbox.run(["run", "a", "--", file]);
  assertEquals(plain.code, 126);
  assertStringIncludes(plain.stderr, "not executable");
  assertEquals(await sandbox.tickets("a"), []);
});

Deno.test("a command sees which lock it has, and none of our secrets", async () => {
  await using sandbox = await Sandbox.create();
  const secrets = { K8S_LOCK_KUBECONFIG_DATA: "c2VjcmV0", K8S_LOCK_GITHUB_TOKEN: "ghs_secret" };
  const { code, stdout, stderr } = await sandbox.run(["run", "a", "-v", "--", "env"], {
    env: { ...secrets, OTHER: "kept" },
  });
  assertEquals(code, 0);
  const seen = new Map(stdout.split("\n").map((line) => line.split("=", 2) as [string, string]));
  const past = (await sandbox.record("a"))?.history[0];
  assertEquals(seen.get("K8S_LOCK_NAME"), "a");
  assertEquals(seen.get("K8S_LOCK_GRANT"), past?.grant);
  assertEquals(seen.get("K8S_LOCK_TOKEN"), String(past?.token));
  assertEquals(seen.get("K8S_LOCK_SLOT"), "0");
  assertEquals(seen.get("K8S_LOCK_SLOT_NAME"), "");
  assertEquals(seen.get("OTHER"), "kept");
  for (const name of Object.keys(secrets)) assert(!seen.has(name), name);
  assert(!/c2VjcmV0|ghs_secret/.test(stderr));
});

Deno.test("inside, verify and renew know what is held, in nested runs too", async () => {
  await using sandbox = await Sandbox.create();
  const self = sandbox.line().map((word) => `'${word}'`).join(" ");
  const checks = `for lock in outer inner other; do
    ${self} verify $lock -q; echo "$lock $?"; ${self} renew $lock -q; echo "$lock $?"
  done`;
  const inner = sandbox.line("run", "inner", "--", "sh", "-c", checks);
  const { code, stdout } = await sandbox.run(["run", "outer", "--", ...inner]);
  assertEquals(code, 0);
  assertEquals(stdout, "outer 0\nouter 0\ninner 0\ninner 0\nother 14\nother 14\n");
});

Deno.test("a run that waits for the one around it, or for its job's own acquire, is told so", async () => {
  await using sandbox = await Sandbox.create();
  const inner = sandbox.line("run", "a", "--timeout", "1s", "--", "true");
  const nested = await sandbox.run(["run", "a", "--", ...inner]);
  assertEquals(nested.code, 10);
  assertStringIncludes(nested.stderr, "the run around this command holds a");
  await sandbox.run(["acquire", "a", "--no-renew"]);
  const own = await sandbox.run(["run", "a", "--timeout", "1s", "--", "true"]);
  assertEquals(own.code, 10);
  assertStringIncludes(own.stderr, "this job holds a already");
});

Deno.test("inside, verify tells of a lock that was lost without a trace", async () => {
  await using sandbox = await Sandbox.create();
  const self = sandbox.line().map((word) => `'${word}'`).join(" ");
  const script = `read _; ${self} verify a; echo "verify $?"`;
  const run = sandbox.start(["run", "a", "--on-lost", "warn", "--", "sh", "-c", script]);
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  await Deno.remove(sandbox.database);
  run.type("\n");
  const { stdout, stderr } = await run.ended;
  assertEquals(stdout, "verify 12\n", stderr);
});

Deno.test("a holder that is killed takes its whole work with it, and is passed after its TTL", async () => {
  await using sandbox = await Sandbox.create();
  const work = `trap "" TERM INT HUP
    setsid sh -c 'trap "" TERM; echo "leaf $$"; exec sleep 1000' & sleep 1000 & echo "root $$"; wait`;
  const holder = sandbox.start(["run", "a", "--ttl", "5s", "--", "bash", "-c", work]);
  await holder.says(/leaf \d+\n/);
  await holder.says(/root \d+\n/);
  const pids = [...holder.stdout.matchAll(/(?:leaf|root) (\d+)/g)].map(([, pid]) => Number(pid));
  const waiter = sandbox.start(["run", "a", "--ttl", "5s", "--", "echo", "mine"]);
  await sandbox.waiters("a", 1);
  const killed = performance.now();
  holder.kill("SIGKILL");
  await eventually("the end of the work", () => !pids.some((pid) => processAlive(pid, null)));
  assert(performance.now() - killed < 1000, "within a second");
  const { code, stdout } = await waiter.ended;
  assertEquals([code, stdout], [0, "mine\n"]);
  assertEquals((await sandbox.record("a"))?.history[1]?.outcome, "expired");
});

Deno.test("--timeout 0 is answered at once where the holder lives, and waits a TTL where it is dead", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start([
    "run",
    "a",
    "--ttl",
    "5s",
    "--holder",
    "them",
    "--",
    "sleep",
    "99",
  ]);
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  const busy = await sandbox.run(["run", "a", "--timeout", "0", "--", "true"]);
  assertEquals(busy.code, 10);
  assertStringIncludes(busy.stderr, "a is not free: held by them");
  const other = ["run", "a", "--timeout", "0", "--conflict-exit-code", "77", "--", "true"];
  assertEquals((await sandbox.run(other)).code, 77);
  holder.kill("SIGKILL");
  await holder.ended;
  // A hint for people only: that it looks dead makes others look, and nothing else.
  await sandbox.edit(
    "a",
    (text) => text.replace(/("renewed_at":")[^"]*/, "$12020-01-01T00:00:00Z"),
  );
  const got = await sandbox.run(["run", "a", "--timeout", "0", "--", "echo", "mine"]);
  assertEquals([got.code, got.stdout], [0, "mine\n"], got.stderr);
});

Deno.test("at --max-hold the command is stopped and the exit is 12", async () => {
  await using sandbox = await Sandbox.create();
  const { code, stdout, stderr } = await sandbox.run(
    [
      "run",
      "a",
      "--max-hold",
      "1s",
      "--",
      "sh",
      "-c",
      "trap 'echo stopped; exit 0' TERM; sleep 99 & wait",
    ],
  );
  assertEquals([code, stdout], [12, "stopped\n"], stderr);
  assertStringIncludes(stderr, "--max-hold 1 s");
  assertEquals((await sandbox.record("a"))?.holders, []);
});

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} while waiting ends run with ${exit} and takes its place back`, async () => {
    await using sandbox = await Sandbox.create();
    await sandbox.run(["acquire", "a", "--no-renew"]);
    const waiter = sandbox.start(["run", "a", "--", "true"]);
    await sandbox.waiters("a", 1);
    await waiter.says("place 1 of 1");
    waiter.kill(signal);
    assertEquals((await waiter.ended).code, exit);
    assertEquals(await sandbox.tickets("a"), []);
  });

  Deno.test(`${signal} while holding goes to the command, and its lock is given back`, async () => {
    await using sandbox = await Sandbox.create();
    const work = `trap 'echo got it; exit 5' INT TERM; echo ready; while :; do sleep 0.02; done`;
    const holder = sandbox.start(["run", "a", "--", "sh", "-c", work]);
    await holder.says("ready");
    holder.kill(signal);
    const { code, stdout } = await holder.ended;
    assertStringIncludes(stdout, "got it");
    assertEquals(code, exit);
    assertEquals((await sandbox.record("a"))?.holders, []);
  });
}

// The shell dies of the signal at once, as shells do; what it started finishes its work.
for (
  const [what, started] of [
    [
      "what a signal asked to end and still ends in good order holds the lock until it has",
      `(trap 'sleep 1; echo finished; exit' TERM; echo ready; while :; do sleep 0.02; done) &`,
    ],
    // In no group that was told.
    [
      "what a signal asked to end and had begun a session of its own is told, too, and holds the lock until it has ended",
      `setsid sh -c 'trap "sleep 1; echo finished; exit" TERM; echo ready; while :; do sleep 0.02; done' &`,
    ],
  ] as const
) {
  Deno.test(what, async () => {
    await using sandbox = await Sandbox.create();
    const holder = sandbox.start(["run", "a", "--", "sh", "-c", `${started}\nwait`]);
    await holder.says("ready");
    holder.kill("SIGTERM");
    const next = sandbox.start(["run", "a", "--", "echo", "mine"]);
    await next.says("mine");
    assertStringIncludes(holder.stdout, "finished");
    assertEquals((await holder.ended).code, 143);
  });
}

Deno.test("the emergency door runs the command without a lock, loudly, and demands a reason", async () => {
  await using sandbox = await Sandbox.create();
  const summary = `${sandbox.folder}/summary`;
  const env = { K8S_LOCK_BYPASS: "prod is down", GITHUB_STEP_SUMMARY: summary };
  await sandbox.run(["acquire", "a", "--no-renew"]);
  const before = await sandbox.record("a");
  const { code, stdout, stderr } = await sandbox.run([
    "run",
    "a",
    "--",
    "sh",
    "-c",
    'echo "hi$K8S_LOCK_GITHUB_TOKEN$K8S_LOCK_KUBECONFIG_DATA"; exit 3',
  ], {
    env: { ...env, K8S_LOCK_GITHUB_TOKEN: "secret" },
  });
  assertEquals([code, stdout], [3, "hi\n"]);
  assertMatch(stderr, /warning: BYPASSED: run goes on WITHOUT the lock a .*prod is down/);
  assertStringIncludes(await Deno.readTextFile(summary), "prod is down");
  for (const command of ["acquire", "verify", "renew", "release"]) {
    const door = await sandbox.run([command, "a"], { env });
    assertEquals(door.code, 0, command);
    assertStringIncludes(door.stderr, "BYPASSED");
  }
  const json = await sandbox.json<{ lock: string; token: null }>(["acquire", "a", "-o", "json"], {
    env,
  });
  assertEquals([json.lock, json.token], ["a", null]);
  assertEquals(await sandbox.record("a"), before);
  const empty = await sandbox.run(["run", "a", "--", "true"], { env: { K8S_LOCK_BYPASS: "" } });
  assertEquals(empty.code, 2);
  assertStringIncludes(empty.stderr, "give the reason");
});
