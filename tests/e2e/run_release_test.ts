/** `run` while its lock is given back and the store does not answer: said, bounded, and a person may end it. */
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Program } from "../support/sandbox.ts";
import { Sandbox } from "../support/sandbox.ts";

/** A `run` whose command has just ended, with its database locked by somebody else. */
async function whileLocked(
  args: readonly string[],
  test: (holder: Program, sandbox: Sandbox, unlock: () => void) => Promise<void>,
): Promise<void> {
  await using sandbox = await Sandbox.create({ K8S_LOCK_REQUEST_TIMEOUT: "1s" });
  const command = ["sh", "-c", "echo begun; read _; exit 5"];
  const holder = sandbox.start(["run", "a", ...args, "--", ...command]);
  await holder.says("begun\n");
  using database = new DatabaseSync(sandbox.database);
  database.exec("BEGIN IMMEDIATE");
  holder.type("\n");
  await holder.says("is not given back yet");
  await test(holder, sandbox, () => database.exec("ROLLBACK"));
}

Deno.test("a lock that cannot be given back at once is said, tried again, and given back", () =>
  whileLocked(["--ttl=1h"], async (holder, sandbox, unlock) => {
    unlock();
    const { code, stderr } = await holder.ended;
    assertEquals(code, 5, stderr);
    assertStringIncludes(stderr, "gave it back");
    assertEquals((await sandbox.record("a"))?.holders, []);
  }));

Deno.test("a signal while the lock cannot be given back says what the next one does", () =>
  whileLocked(["--ttl=1h"], async (holder, sandbox, unlock) => {
    holder.kill("SIGINT");
    await holder.says("SIGINT again");
    unlock();
    const { code, stderr } = await holder.ended;
    assertEquals(code, 130, stderr);
    assertMatch(stderr, /ended by SIGINT; a is given back/);
    assertEquals((await sandbox.record("a"))?.holders, []);
  }));

Deno.test("a second signal while the lock cannot be given back ends it at once, and says that it is held until its TTL is over", () =>
  whileLocked(["--ttl=1h"], async (holder, sandbox, unlock) => {
    holder.kill("SIGINT");
    await holder.says("SIGINT again");
    holder.kill("SIGINT");
    const { code, stderr } = await holder.ended;
    assertEquals(code, 130, stderr);
    assertMatch(stderr, /a was not given back: .* the end of its TTL of 1 h/);
    unlock();
    assertEquals((await sandbox.record("a"))?.holders.length, 1);
    assertEquals(sandbox.processes("__lifeline"), []);
  }));

Deno.test("a lock that can never be given back is tried for 15 s or its TTL, and nobody says that it was", () =>
  whileLocked(["--ttl=5s"], async (holder) => {
    holder.kill("SIGTERM");
    const { code, stderr } = await holder.ended;
    assertEquals(code, 143, stderr);
    assertStringIncludes(stderr, "could not be given back");
    assertEquals(/a is given back|gave it back/.test(stderr), false, stderr);
  }));
