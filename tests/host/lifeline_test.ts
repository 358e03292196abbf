import { readlinkSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { LifelineError, lifelineSupported, startLifeline } from "../../lib/host/lifeline.ts";
import { processAlive } from "../../lib/host/processes.ts";
import { folder } from "./fixtures/folder.ts";
import { dead, fixture, newGrant, start, within } from "./fixtures/start.ts";
import type { Talker } from "./fixtures/start.ts";

const onLinux = { ignore: process.platform !== "linux" };

/** Work that does not want to end: it and a fork ignore signals, and one child leaves the group and the session. */
const STUBBORN = `
trap '' TERM INT HUP QUIT
sh -c 'trap "" TERM INT HUP QUIT; echo fork $$; sleep 1000; sleep 1000' &
setsid sh -c 'echo setsid $$; exec sleep 1000' &
echo leader $$
wait; wait; wait
`;

function startHolder(
  { forMs = 0, everyMs = 0, tell = true, work = STUBBORN, env = {} } = {},
): Talker {
  const words = tell ? [] : ["-"];
  return start(
    fixture("holder.ts", String(forMs), String(everyMs), ...words, "/bin/sh", "-c", work),
    { TEST_GRANT: newGrant(), ...env },
  );
}

async function stubbornWork(holder: Talker): Promise<number[]> {
  return [
    await holder.pidOf("leader"),
    await holder.pidOf("fork"),
    await holder.pidOf("setsid"),
  ];
}

/** How many milliseconds from now it takes until nothing has the holder's outputs and all of these are dead. */
async function msUntilDead(holder: Talker, pids: number[] = []): Promise<number> {
  const from = performance.now();
  await Promise.all([holder.closed(), ...pids.map(dead)]);
  return performance.now() - from;
}

Deno.test(
  "a killed holder's work is dead within a second, with forks that ignore signals and those in other sessions",
  onLinux,
  async () => {
    const holder = startHolder();
    const pids = await stubbornWork(holder);
    await holder.says("command");
    holder.kill("SIGKILL");
    assert(await msUntilDead(holder, pids) < 1000);
  },
);

Deno.test(
  "a holder killed before it could tell its lifeline the command is found out by the grant",
  onLinux,
  async () => {
    const holder = startHolder({ tell: false });
    const pids = await stubbornWork(holder);
    holder.kill("SIGKILL");
    assert(await msUntilDead(holder, pids) < 1000);
  },
);

Deno.test(
  "a killed holder's inner run dies with it, although that has a grant of its own",
  onLinux,
  async () => {
    const inner = fixture("holder.ts", "0", "0", "/bin/sh", "-c", STUBBORN);
    const outer = start(
      fixture("holder.ts", "0", "0", "/usr/bin/env", `TEST_GRANT=${newGrant()}`, ...inner),
      {
        TEST_GRANT: newGrant(),
      },
    );
    const pids = await stubbornWork(outer);
    outer.kill("SIGKILL");
    assert(await msUntilDead(outer, pids) < 1000);
  },
);

Deno.test(
  "a stopped holder's work is killed when its time is over, and the holder learns it when it goes on",
  onLinux,
  async () => {
    const forMs = 1500;
    const holder = startHolder({ forMs });
    await stubbornWork(holder);
    await holder.says("command");
    holder.kill("SIGSTOP");
    const pids = await stubbornWork(holder);
    const from = performance.now();
    await Promise.all(pids.map(dead));
    assert(performance.now() - from < forMs + 1000);
    holder.kill("SIGCONT");
    assertEquals((await holder.says("ended")).split(" ")[0], "137");
    await holder.says("lifeline was killed");
    await holder.closed();
  },
);

Deno.test("work goes on past the first deadline while its holder gives signs of life", async () => {
  const holder = startHolder({ forMs: 600, everyMs: 100, work: "sleep 1.5; exit 4" });
  assertEquals(await holder.says("ended"), "4 null");
  await holder.closed();
});

Deno.test(
  "a lifeline that is killed is replaced, and the new one knows the work and its time",
  onLinux,
  async () => {
    const holder = startHolder({ forMs: 60_000 });
    const pids = await stubbornWork(holder);
    await holder.says("command");
    const first = await holder.pidOf("lifeline");
    process.kill(first, "SIGKILL");
    const second = Number(await holder.says("lifeline replaced"));
    assertNotEquals(second, first);
    holder.kill("SIGKILL");
    assert(await msUntilDead(holder, pids) < 1000);
    await dead(second);
  },
);

Deno.test(
  "a new lifeline knows the time of a holder that was stopped while it came up",
  onLinux,
  async () => {
    using here = folder();
    const gate = join(here.path, "gate");
    assertEquals((await new Deno.Command("mkfifo", { args: [gate] }).output()).code, 0);
    const forMs = 3000;
    const holder = startHolder({ forMs, env: { TEST_GATE: gate } });
    // A pipe is open for writing once somebody reads it: the lifeline is there, and not up yet.
    await within("a lifeline", writeFile(gate, ""));
    const pids = await stubbornWork(holder);
    await holder.says("command");
    const first = await holder.pidOf("lifeline");
    const from = performance.now();
    process.kill(first, "SIGKILL");
    const second = await within("a new lifeline", open(gate, "w"));
    holder.kill("SIGSTOP");
    await second.close();
    await Promise.all(pids.map(dead));
    assert(performance.now() - from < forMs + 1000);
    assertEquals(holder.said.filter((line) => line.startsWith("lifeline replaced")), []);
    holder.kill("SIGKILL");
    await holder.closed();
  },
);

Deno.test("a lifeline that is stopped counts as dead and is replaced", onLinux, async () => {
  const holder = startHolder({ forMs: 60_000, everyMs: 100 });
  await holder.says("command");
  const first = await holder.pidOf("lifeline");
  process.kill(first, "SIGSTOP");
  assertNotEquals(Number(await holder.says("lifeline replaced")), first);
  await dead(first);
  holder.kill("SIGKILL");
  await holder.closed();
});

Deno.test("a lifeline is deaf to the signals that end a job in good order", onLinux, async () => {
  const holder = startHolder();
  await stubbornWork(holder);
  const lifeline = await holder.pidOf("lifeline");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(lifeline, signal);
  holder.kill("SIGKILL");
  assert(await msUntilDead(holder) < 1000);
});

Deno.test("a lifeline ends when its holder lets it go", async () => {
  const holder = startHolder({ work: "exit 0" });
  await holder.says("lifeline was let go");
  const lifeline = await holder.pidOf("lifeline");
  await holder.closed();
  assertEquals(processAlive(lifeline, null), false);
});

Deno.test("a lifeline has nothing of its holder's input and outputs", onLinux, async () => {
  const holder = startHolder();
  await stubbornWork(holder);
  const lifeline = await holder.pidOf("lifeline");
  const files = (pid: number) => [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const held = files(holder.pid);
  assertEquals(files(lifeline).filter((file) => held.includes(file)), []);
  holder.kill("SIGKILL");
  await holder.closed();
});

Deno.test("a lifeline that cannot be started is an error that says why", async () => {
  const self = { command: "/no/such/program", args: [] };
  const error = await assertRejects(
    () => startLifeline({ grants: [newGrant()], onDeath: () => {}, self }),
    LifelineError,
  );
  assert(error.message.includes("/no/such/program"));
});

Deno.test("a program that ends instead of becoming a lifeline is an error that says so", async () => {
  const self = { command: "/bin/sh", args: ["-c", "exit 3"] };
  const error = await assertRejects(
    () => startLifeline({ grants: [newGrant()], onDeath: () => {}, self }),
    LifelineError,
  );
  assert(error.message.includes("ended with 3"));
});

Deno.test("there are no lifelines on Windows", () => {
  assertEquals(lifelineSupported("win32"), false);
  assertEquals(lifelineSupported("linux"), true);
  assertEquals(lifelineSupported("darwin"), true);
});
