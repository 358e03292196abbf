import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { processAlive } from "../../lib/host/processes.ts";
import { atTerminal } from "../support/terminal.ts";
import { fixture, newGrant, startAtTerminal } from "./fixtures/start.ts";
import type { Talker } from "./fixtures/start.ts";

function startHolder(work: string): Talker {
  return startAtTerminal(fixture("holder.ts", "0", "0", "/bin/sh", "-c", work), {
    TEST_GRANT: newGrant(),
    // Which shell a person uses is nothing to the holder, nor to these tests.
    SHELL: "/bin/false",
  });
}

Deno.test(
  "at a terminal a command has it, in a group of its own, in the foreground",
  atTerminal,
  async () => {
    const holder = startHolder(`
    echo to the terminal >/dev/tty
    read -r pid name state parent group session terminal foreground rest </proc/$$/stat
    echo "groups $group $foreground"
    exit 6
  `);
    await holder.says("to the terminal");
    const [group, foreground] = (await holder.says("groups")).split(" ");
    assertEquals(group, foreground);
    assertEquals(group, await holder.says("command"));
    assertEquals(await holder.says("ended"), "6 null");
    await holder.closed();
  },
);

Deno.test(
  "at a terminal Ctrl-C goes to the command, and the holder learns how it ended",
  atTerminal,
  async () => {
    const holder = startHolder(
      `trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.01; done`,
    );
    await holder.says("ready");
    await holder.says("command");
    holder.child.stdin.write("\x03");
    await holder.says("interrupted");
    assertEquals(await holder.says("ended"), "3 null");
    await holder.closed();
  },
);

Deno.test(
  "at a terminal a command that dies of Ctrl-C ends with 130, and the holder has the terminal again",
  atTerminal,
  async () => {
    const holder = startHolder("echo ready; exec sleep 1000");
    await holder.says("ready");
    await holder.says("command");
    holder.child.stdin.write("\x03");
    assertEquals((await holder.says("ended")).split(" ")[0], "130");
    assertEquals(await holder.says("terminal"), "keep");
    await holder.closed();
  },
);

Deno.test("at a terminal Ctrl-Z does not suspend the holder of a lock", atTerminal, async () => {
  const holder = startHolder("echo ready; read line; echo read $line; exit 8");
  await holder.says("ready");
  await holder.says("command");
  holder.child.stdin.write("\x1a");
  await holder.says("k8s-lock: the command holds a lock");
  holder.child.stdin.write("words\n");
  assertEquals(await holder.says("read"), "words");
  assertEquals(await holder.says("ended"), "8 null");
  await holder.closed();
});

Deno.test(
  "at a terminal a command that is killed gives the terminal back to the holder",
  atTerminal,
  async () => {
    const holder = startHolder(
      "trap '' TERM HUP; trap 'echo interrupted' INT; echo ready; while :; do sleep 0.01; done",
    );
    await holder.says("ready");
    const pid = await holder.pidOf("command");
    holder.child.stdin.write("\x03");
    // A key that came only after the command's end would go to the holder.
    await holder.says("interrupted");
    process.kill(await holder.pidOf("holder"), "SIGUSR2");
    assertEquals((await holder.says("ended")).split(" ")[0], "137");
    assertEquals(await holder.says("terminal"), "keep");
    assertEquals(processAlive(pid, null), false);
    await holder.closed();
  },
);

Deno.test("at a terminal a killed holder's work is dead within a second", atTerminal, async () => {
  const holder = startHolder(
    "trap '' TERM INT HUP; setsid sleep 1000 & echo ready; sleep 1000; sleep 1000",
  );
  await holder.says("ready");
  await holder.says("command");
  process.kill(await holder.pidOf("holder"), "SIGKILL");
  const from = performance.now();
  await holder.closed();
  assert(performance.now() - from < 1000);
});
