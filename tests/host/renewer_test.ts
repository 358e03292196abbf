import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { processAlive, processStatus } from "../../lib/host/processes.ts";
import { folder } from "./fixtures/folder.ts";
import { dead, fixture, start } from "./fixtures/start.ts";
import type { Talker } from "./fixtures/start.ts";

const onLinux = { ignore: process.platform !== "linux" };

function startWithRenewer(path: string, does: string, words: string[] = []): Talker {
  const job = { does, log: join(path, "log"), report: join(path, "report") };
  return start([...words, ...fixture("renewer.ts", JSON.stringify(job))], {
    K8S_LOCK_KUBECONFIG_DATA: "another secret",
    K8S_LOCK_GRANT: "an outer grant",
    RUNNER_TRACKING_ID: "github_test",
  });
}

Deno.test("a renewer lives on in a session of its own when its starter has ended, and holds no output of it", async () => {
  using here = folder();
  const starter = startWithRenewer(here.path, "lives");
  const [pid = 0, startedAt] = (await starter.says("renewer")).split(" ").map(Number);
  await starter.closed();
  await starter.exited();
  assertEquals(processAlive(pid, String(startedAt)), true);
  assertEquals(processStatus(pid)?.session, pid);
  process.kill(pid, "SIGKILL");
  await dead(pid);
});

Deno.test(
  "a renewer gets its secrets by a pipe: not by arguments, variables or files",
  onLinux,
  async () => {
    using here = folder();
    const starter = startWithRenewer(here.path, "lives");
    const pid = await starter.pidOf("renewer");
    const report = JSON.parse(readFileSync(join(here.path, "report"), "utf8"));
    assertEquals(report, {
      secrets: "the secret",
      env: ["RUNNER_TRACKING_ID"],
      argv: ["__renewer"],
    });
    assert(!readFileSync(`/proc/${pid}/environ`, "utf8").includes("secret"));
    assert(!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("secret"));
    assertEquals(readFileSync(join(here.path, "log"), "utf8"), "a line for the log\n");
    assertEquals(statSync(join(here.path, "log")).mode & 0o777, 0o600);
    process.kill(pid, "SIGKILL");
    await dead(pid);
  },
);

Deno.test("a renewer inherits no descriptor that its starter was given", onLinux, async () => {
  using here = folder();
  const starter = startWithRenewer(here.path, "lives", [
    "/bin/sh",
    "-c",
    `exec 3>'${here.path}/held' 7>'${here.path}/held'; exec "$@"`,
    "sh",
  ]);
  const pid = await starter.pidOf("renewer");
  const held = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`).endsWith("/held");
    } catch {
      return false;
    }
  });
  assertEquals(held, []);
  process.kill(pid, "SIGKILL");
  await dead(pid);
});

Deno.test("a renewer that ends before it is ready is an error that names its log", async () => {
  using here = folder();
  const starter = startWithRenewer(here.path, "ends");
  const why = await starter.says("failed");
  assertStringIncludes(why, "it ended with 3");
  assertStringIncludes(why, join(here.path, "log"));
  await starter.closed();
});

Deno.test("a renewer that is not ready in time is killed", async () => {
  using here = folder();
  const starter = startWithRenewer(here.path, "hangs");
  assertStringIncludes(await starter.says("failed"), "not ready after 1 s");
  // It would keep its starter's end of the pipe, and so its starter, alive.
  await starter.closed();
});

Deno.test("a renewer whose log cannot be written is not started", async () => {
  const starter = startWithRenewer("/no/such/folder", "lives");
  assertStringIncludes(await starter.says("failed"), "/no/such/folder/log");
  await starter.closed();
});
