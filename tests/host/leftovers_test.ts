import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { endLeftovers } from "../../lib/host/leftovers.ts";
import { hasProc, processStatus } from "../../lib/host/processes.ts";

/** A process with that variable, once it runs. */
async function started(script: string, cookie: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", `echo up; ${script}`, "sh", ...args], {
    env: { PATH: "/usr/bin:/bin", TEST_JOB: cookie },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return child;
}

const startedAt = (child: ChildProcess) => processStatus(child.pid ?? 0)?.startedAt ?? "";
const ended = async (child: ChildProcess) => {
  const [, signal] = child.signalCode === null ? await once(child, "exit") : [0, child.signalCode];
  return signal;
};

Deno.test({
  name: "what a job has started later is ended, whether it listens or not; the rest is left alone",
  ignore: !hasProc,
  async fn() {
    const job = randomUUID();
    const earlier = await started("exec sleep 1000", job);
    const since = startedAt(earlier);
    // The system counts in hundredths of a second.
    for (let later = since; later === since;) {
      const probe = await started("exec sleep 1000", randomUUID());
      later = startedAt(probe);
      probe.kill("SIGKILL");
      await ended(probe);
    }
    const listens = await started("exec sleep 1000", job);
    const stubborn = await started('trap "" TERM; while :; do sleep 0.05; done', job);
    const spared = await started("while :; do sleep 0.05; done", job, "__spared");
    const others = await started("exec sleep 1000", randomUUID());

    const { left } = await endLeftovers({ cookie: `TEST_JOB=${job}`, since, spared: "__spared" });

    assertEquals(left, 0);
    assertEquals([await ended(listens), await ended(stubborn)], ["SIGTERM", "SIGKILL"]);
    for (const child of [earlier, spared, others]) {
      assertEquals(processStatus(child.pid ?? 0)?.zombie, false);
      child.kill("SIGKILL");
      await ended(child);
    }
  },
});
