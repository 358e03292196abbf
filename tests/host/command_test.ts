import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as passed } from "node:timers/promises";
import { assertEquals, assertRejects } from "@std/assert";
import {
  commandEnvironment,
  CommandError,
  findCommand,
  startCommand,
} from "../../lib/host/command.ts";
import { belongsTo, survivors } from "../../lib/host/work.ts";
import { folder } from "./fixtures/folder.ts";
import { fixture, newGrant, start } from "./fixtures/start.ts";

function program(path: string, mode: number, text = "#!/bin/sh\nexit 5\n"): void {
  writeFileSync(path, text);
  chmodSync(path, mode);
}

function shell(script: string, grant = newGrant()) {
  return startCommand({
    command: "/bin/sh",
    args: ["-c", script],
    env: commandEnvironment(process.env, { K8S_LOCK_GRANT: grant }),
    terminal: "none",
  });
}

Deno.test("a command is found in the first folder of the path that has it", () => {
  using first = folder();
  using second = folder();
  program(join(second.path, "tool"), 0o755);
  const path = `${first.path}:${second.path}`;
  assertEquals(findCommand("tool", path, "/"), { found: true, path: join(second.path, "tool") });
  program(join(first.path, "tool"), 0o755);
  assertEquals(findCommand("tool", path, "/"), { found: true, path: join(first.path, "tool") });
});

Deno.test("a command that is a path is looked up from the current folder, not on the path", () => {
  using here = folder();
  using elsewhere = folder();
  program(join(here.path, "tool"), 0o755);
  program(join(elsewhere.path, "other"), 0o755);
  assertEquals(findCommand("./tool", elsewhere.path, here.path), {
    found: true,
    path: join(here.path, "tool"),
  });
  assertEquals(findCommand("./other", elsewhere.path, here.path).found, false);
});

Deno.test("a command that is nowhere has a shell's exit code 127", () => {
  using here = folder();
  for (const name of ["tool", "./tool", ""]) {
    assertEquals(findCommand(name, here.path, here.path), {
      found: false,
      why: "not found",
      exitCode: 127,
    });
  }
});

Deno.test("a command that may not be executed has a shell's exit code 126", () => {
  using here = folder();
  program(join(here.path, "tool"), 0o644);
  for (const name of ["tool", "./tool", here.path]) {
    assertEquals(findCommand(name, here.path, here.path), {
      found: false,
      why: "not executable",
      exitCode: 126,
    });
  }
});

Deno.test("an executable further along the path wins over a file that is none", () => {
  using first = folder();
  using second = folder();
  program(join(first.path, "tool"), 0o644);
  program(join(second.path, "tool"), 0o755);
  assertEquals(findCommand("tool", `${first.path}:${second.path}`, "/").found, true);
});

Deno.test("a command's exit code is passed on", async () => {
  assertEquals(await (await shell("exit 0")).ended, { exitCode: 0, signal: null });
  assertEquals(await (await shell("exit 77")).ended, { exitCode: 77, signal: null });
});

Deno.test("a command killed by signal N ends with 128 + N", async () => {
  assertEquals(await (await shell("kill -TERM $$")).ended, { exitCode: 143, signal: "SIGTERM" });
  assertEquals(await (await shell("kill -KILL $$")).ended, { exitCode: 137, signal: "SIGKILL" });
});

Deno.test("a command whose interpreter is missing is an error with 127", async () => {
  using here = folder();
  const command = join(here.path, "tool");
  program(command, 0o755, "#!/no/such/interpreter\n");
  const error = await assertRejects(
    () => startCommand({ command, args: [], env: {}, terminal: "none" }),
    CommandError,
  );
  assertEquals(error.exitCode, 127);
});

Deno.test("a signal reaches the whole process group", async () => {
  const holder = start(
    fixture(
      "holder.ts",
      "0",
      "0",
      "/bin/sh",
      "-c",
      `
      trap 'wait; echo leader got it; exit 3' TERM
      sh -c 'trap "echo fork got it; exit" TERM; echo fork ready; while :; do sleep 0.01; done' &
      wait
    `,
    ),
    { TEST_GRANT: newGrant() },
  );
  await holder.says("fork ready");
  await holder.says("command");
  holder.kill("SIGTERM");
  await holder.says("fork got it");
  await holder.says("leader got it");
  assertEquals(await holder.says("ended"), "3 null");
  await holder.closed();
});

Deno.test("a stopped command acts on a signal all the same", async () => {
  const command = await shell("kill -STOP $$; exit 0");
  command.signal("SIGTERM");
  await command.ended;
});

Deno.test("a command is not gone while a child of it runs in another session", async () => {
  const grant = newGrant();
  const command = await shell("setsid sleep 1000 & exit 0", grant);
  await command.ended;
  const gone = command.gone();
  const work = { group: command.pid, grants: [grant] };
  let isGone = false;
  void gone.then(() => isGone = true);
  // In the middle of an exec a process shows no environment: one look may miss it.
  while (!isGone && survivors(work).length === 0) await passed(5);
  assertEquals(isGone, false);
  await command.killAll();
  await gone;
  assertEquals(survivors(work), []);
});

Deno.test("the work that is looked for is never the one who looks, nor its ancestors", async () => {
  const grant = newGrant();
  const looker = start(fixture("looker.ts", grant), { K8S_LOCK_GRANT: grant });
  assertEquals(await looker.says("left"), "[]");
  await looker.closed();
});

Deno.test("waiting for a command to be gone can be given up", async () => {
  const command = await shell("sleep 1000");
  const why = new Error("enough");
  assertEquals(await command.gone(AbortSignal.abort(why)).catch((error) => error), why);
  await command.killAll();
  assertEquals((await command.ended).signal, "SIGKILL");
});

Deno.test("a command does not inherit our secrets", () => {
  const inherited = { K8S_LOCK_KUBECONFIG_DATA: "s", K8S_LOCK_GITHUB_TOKEN: "s", PATH: "/bin" };
  assertEquals(commandEnvironment(inherited, { K8S_LOCK_GRANT: "a" }), {
    PATH: "/bin",
    K8S_LOCK_GRANT: "a",
  });
});

Deno.test("a command knows the grants of the runs around it", () => {
  const outer = commandEnvironment({}, { K8S_LOCK_GRANT: "a,b" });
  const inner = commandEnvironment(outer, { K8S_LOCK_GRANT: "c" });
  const innermost = commandEnvironment(inner, { K8S_LOCK_GRANT: "d" });
  assertEquals(innermost, { K8S_LOCK_GRANT: "d", K8S_LOCK_OUTER_GRANTS: "a,b,c" });
});

Deno.test("a process belongs to work whose grant its environment names in full", () => {
  const environment = "PATH=/bin\0K8S_LOCK_GRANT=abc,def\0X=K8S_LOCK_GRANT=no\0";
  assertEquals(belongsTo(environment, ["def"]), true);
  assertEquals(belongsTo(environment, ["ab", "no", ""]), false);
  assertEquals(belongsTo("K8S_LOCK_OUTER_GRANTS=abc\0", ["abc"]), true);
  assertEquals(belongsTo("K8S_LOCK_GRANT=\0", []), false);
});
