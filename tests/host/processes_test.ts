import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { ancestors, environmentOf, processAlive, processStatus } from "../../lib/host/processes.ts";
import { dead, start } from "./fixtures/start.ts";

Deno.test("a process is told from a later one with the same pid", () => {
  const startedAt = processStatus(process.pid)?.startedAt ?? "";
  assert(startedAt !== "");
  assertEquals(processAlive(process.pid, startedAt), true);
  assertEquals(processAlive(process.pid, `${startedAt}0`), false);
});

Deno.test("a process whose name has parentheses and spaces is read right", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "k8s-lock-test-")), "a) Z (1");
  copyFileSync("/bin/sleep", path);
  const odd = start(["/bin/sh", "-c", '"$0" 1000 & echo pid $!; wait', path]);
  const pid = await odd.pidOf("pid");
  assertEquals(processStatus(pid)?.parent, odd.pid);
  assertEquals(processStatus(pid)?.group, odd.pid);
  process.kill(-odd.pid, "SIGKILL");
  await odd.closed();
  rmSync(dirname(path), { recursive: true });
});

Deno.test("a process that is dead, or that there never was, is not alive", async () => {
  const child = start(["/bin/sh", "-c", "exit 0"]);
  await dead(child.pid);
  for (const pid of [0, -1, 1.5, NaN, 2 ** 31 - 1]) assertEquals(processAlive(pid, null), false);
});

Deno.test("the parent is the first of the ancestors", () => {
  assertEquals(ancestors(process.pid)[0], process.ppid);
});

Deno.test("the environment of a process that is not there is empty", () => {
  assertEquals(environmentOf(2 ** 31 - 1), "");
});
