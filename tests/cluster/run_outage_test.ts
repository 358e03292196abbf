/** The API server or etcd goes away under holders and waiters. On a cluster of its own. */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { type Cluster, startCluster } from "../support/cluster/cluster.ts";
import { byRevision } from "../support/lock_outside.ts";
import { LockSite } from "../support/lock_site.ts";
import { holdsIn, journalling, openGate, startWork } from "../support/work.ts";

let cluster: Cluster;

Deno.test.beforeAll(async () => {
  cluster = await startCluster();
});

Deno.test.afterAll(async () => {
  // Keeps the process awake: the end of a child alone does not.
  const awake = setInterval(() => {}, 1000);
  await cluster.stop();
  clearInterval(awake);
});

/** How long an outage lasts that costs nobody anything, in milliseconds. */
const OUTAGE_MS = 5000;
const TTL = ["--ttl", "6s"];
const TTL_MS = 6000;

Deno.test("an API server that is away for 5 s costs the holder nothing, and twenty waiters keep their order", async () => {
  await using site = await LockSite.open(cluster);
  using work = await startWork(site, "work");
  const args = ["--ttl", "30s"];
  const holder = await site.run("holder", work, { args });
  await work.begun;
  const command = journalling(site);
  const waiters = await Promise.all(
    Array.from({ length: 20 }, (_, index) => site.run(`waiter-${index}`, command, { args })),
  );
  await site.outside.queued(20);
  await cluster.stopApiServer("SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  await cluster.startApiServer();
  await site.renewed("holder");
  await openGate(site);
  await work.finish(5);
  assertEquals((await holder.end()).code, 5);
  const ends = await Promise.all(waiters.map((waiter) => waiter.end()));
  assertEquals(ends.map(({ code }) => code), waiters.map(() => 0));
  const held = (await holdsIn(site)).map(({ grant }) => grant);
  assertEquals(held, byRevision(site.outside.tickets).map(({ grant }) => grant));
  assertEquals(await site.outside.queued(0), undefined);
});

const SILENCES = [
  ["the API server falls silent", () => cluster.pauseApiServer(), () => cluster.resumeApiServer()],
  ["etcd falls silent", () => cluster.pauseEtcd(), () => cluster.resumeEtcd()],
] as const;

for (const [what, pause, resume] of SILENCES) {
  Deno.test(`when ${what} for longer than the TTL the command is stopped by its deadline, exit 12, and the next holds alone`, async () => {
    await using site = await LockSite.open(cluster);
    using work = await startWork(
      site,
      "work",
      "trap '' TERM; say begun; while :; do sleep 1; done",
    );
    using next = await startWork(site, "next");
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    const waiter = await site.run("next", next, { args: TTL });
    await site.outside.queued(1);
    await site.renewed("holder");
    const silentSince = performance.now();
    pause();
    try {
      assertLess(await work.dead - silentSince, TTL_MS);
      await new Promise((resolve) => setTimeout(resolve, TTL_MS + silentSince - performance.now()));
    } finally {
      resume();
    }
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    assertStringIncludes(stderr, "it was not renewed for");
    await next.begun;
    assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["next"]);
    await next.finish();
    assertEquals((await waiter.end()).code, 0);
    await site.outside.queued(0);
  });
}
