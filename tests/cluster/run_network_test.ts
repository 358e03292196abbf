/** Connections and outputs that break at the wrong moment: the lock goes on. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { type LockSite, withLock } from "../support/lock_site.ts";
import type { Program } from "../support/program.ts";
import { type Caught, RequestProxy } from "../support/request_proxy.ts";
import { startWork, type Work } from "../support/work.ts";

const TTL = ["--ttl", "6s"];
const WRITE = { method: "PUT", path: "/secrets/" };

/** It goes on: renewed twice more, nobody else ever held, and it ends in order. */
async function goesOn(site: LockSite, holder: Program, work: Work): Promise<void> {
  await site.renewed("holder");
  await site.renewed("holder");
  await work.finish(6);
  assertEquals((await holder.end()).code, 6);
  const { history = [] } = site.outside.record ?? {};
  assertEquals(history.map(({ outcome }) => outcome), ["released"]);
}

const BREAKS: readonly [string, (proxy: RequestProxy) => Caught][] = [
  ["before the server has it", (proxy) => proxy.holdRequest(WRITE)],
  ["after the server carried it out", (proxy) => proxy.holdAnswer(WRITE)],
  ["in the middle of its answer", (proxy) => proxy.holdBody(WRITE)],
];

for (const [when, trap] of BREAKS) {
  Deno.test(`a renewal whose connection is reset ${when} costs nothing`, () =>
    withLock(async (site) => {
      await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
      using work = await startWork(site, "work");
      const holder = await site.run("holder", work, { args: TTL, server: proxy.url });
      await work.begun;
      const renewal = trap(proxy);
      await renewal.caught;
      renewal.reset();
      await goesOn(site, holder, work);
    }));
}

Deno.test("a renewal whose answer stalls in its body for ever costs nothing", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    using work = await startWork(site, "work");
    const holder = await site.run("holder", work, { args: TTL, server: proxy.url });
    await work.begun;
    const renewal = proxy.holdBody(WRITE);
    await renewal.caught;
    await goesOn(site, holder, work);
  }));

Deno.test("a claim whose answer stalls in its body is found out: one grant, and the work runs", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    using work = await startWork(site, "work");
    const claim = proxy.holdBody(WRITE);
    const args = [...TTL, "--request-timeout", "1s"];
    const holder = await site.run("holder", work, { args, server: proxy.url });
    await claim.caught;
    await work.begun;
    await goesOn(site, holder, work);
  }));

Deno.test("idle connections that are reset between two renewals cost nothing", () =>
  withLock(async (site) => {
    await using proxy = await FaultProxy.toUrl(site.cluster.server);
    using work = await startWork(site, "work");
    const holder = await site.run("holder", work, { args: TTL, server: proxy.url });
    await work.begun;
    await site.renewed("holder");
    const accepted = proxy.accepted;
    proxy.cut();
    await goesOn(site, holder, work);
    assertGreater(proxy.accepted, accepted);
  }));

Deno.test("a run whose stdout and stderr nobody reads any more goes on", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    const options = { args: [...TTL, "-v"], stdout: "closed", stderr: "closed" } as const;
    const holder = await site.run("holder", work, options);
    await work.begun;
    await goesOn(site, holder, work);
  }));

Deno.test("a run whose stderr is a pipe that is full goes on", () =>
  withLock(async (site) => {
    const path = await site.pipe("full");
    // As much as a pipe takes. It has the pipe open in both directions, so that nothing waits for a reader.
    const script = 'exec 9<>"$1"; head -c 65536 /dev/zero >&9; echo full; exec sleep 1000';
    const filler = spawn("sh", ["-c", script, "sh", path], { stdio: ["ignore", "pipe", "ignore"] });
    assert(filler.stdout);
    await once(filler.stdout, "data");
    const stderr = openSync(path, "w");
    try {
      using work = await startWork(site, "work");
      const holder = await site.run("holder", work, { args: [...TTL, "-v"], stderr });
      await work.begun;
      await goesOn(site, holder, work);
    } finally {
      closeSync(stderr);
      filler.kill("SIGKILL");
      await once(filler, "close");
    }
  }));
