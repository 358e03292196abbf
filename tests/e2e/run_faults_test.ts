/** `run` when its process, its lifeline or its database fails in the middle of a hold. */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { processAlive } from "../../lib/host/processes.ts";
import { eventually, kill, Sandbox } from "../support/sandbox.ts";

/** A command that says its pid and does not end by itself, whatever it is told. */
const STUBBORN = ["sh", "-c", `trap "" TERM INT; echo "pid $$"; while :; do sleep 0.05; done`];

async function pidOf(holder: ReturnType<Sandbox["start"]>): Promise<number> {
  await holder.says(/pid \d+\n/);
  return Number(/pid (\d+)/.exec(holder.stdout)?.[1]);
}

Deno.test("a holder that is stopped past its TTL has its command killed, and touches nothing on waking", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start(["run", "a", "--ttl", "5s", "--", ...STUBBORN]);
  const pid = await pidOf(holder);
  const next = sandbox.start(["run", "a", "--ttl", "5s", "--", "sh", "-c", "echo mine; read _"]);
  await sandbox.waiters("a", 1);
  holder.kill("SIGSTOP");
  await next.says("mine");
  assert(!processAlive(pid, null), "the old work was dead before the next began");
  const successor = (await sandbox.record("a"))?.holders[0]?.grant;
  holder.kill("SIGCONT");
  const { code, stderr } = await holder.ended;
  assertEquals(code, 12, stderr);
  assertMatch(stderr, /lost a: (.* took it over|it was not renewed for)/);
  assertEquals((await sandbox.record("a"))?.holders[0]?.grant, successor);
  next.type("\n");
  assertEquals((await next.ended).code, 0);
});

Deno.test("a lifeline that is killed is replaced, and the next one guards as well", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start(["run", "a", "--", ...STUBBORN]);
  const pid = await pidOf(holder);
  const [lifeline = 0] = sandbox.processes("__lifeline");
  kill(lifeline, "SIGKILL");
  await holder.says("the lifeline died; another one guards the command");
  assert(processAlive(pid, null));
  holder.kill("SIGKILL");
  await eventually("the end of the work", () => !processAlive(pid, null));
});

Deno.test("a database that stays locked for the TTL ends the command before others may hold", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start(["run", "a", "--ttl", "5s", "--", ...STUBBORN]);
  const pid = await pidOf(holder);
  using database = new DatabaseSync(sandbox.database);
  database.exec("BEGIN IMMEDIATE");
  const begun = performance.now();
  await eventually("the end of the work", () => !processAlive(pid, null));
  assert(performance.now() - begun < 5000, "within the TTL");
  database.exec("ROLLBACK");
  const { code, stderr } = await holder.ended;
  assertEquals(code, 12, stderr);
  assertMatch(stderr, /stayed locked|its renewals were not answered/);
  assertEquals((await sandbox.record("a"))?.holders, []);
});

Deno.test("a database that is deleted under a holder stops its command", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start(["run", "a", "--", "sleep", "99"]);
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  await Deno.remove(sandbox.database);
  const { code, stderr } = await holder.ended;
  assertEquals(code, 12);
  assertStringIncludes(stderr, "its record was deleted");
});

Deno.test("a waiter that is killed in its turn is passed over", async () => {
  await using sandbox = await Sandbox.create();
  const holder = sandbox.start(["run", "a", "--", "sh", "-c", "read _"]);
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  const dead = sandbox.start(["run", "a", "--", "true"]);
  await sandbox.waiters("a", 1);
  dead.kill("SIGKILL");
  await dead.ended;
  const next = sandbox.start(["run", "a", "--", "echo", "mine"]);
  await sandbox.waiters("a", 2);
  holder.type("\n");
  const { code, stdout } = await next.ended;
  assertEquals([code, stdout], [0, "mine\n"]);
  assertEquals(await sandbox.tickets("a"), []);
});
