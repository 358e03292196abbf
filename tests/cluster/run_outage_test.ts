/** The API server or etcd goes away under holders and waiters. On a cluster of its own. */
import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
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
  const failed = ends.filter(({ code }) => code !== 0).map(({ code, stderr }) =>
    `${code}: ${stderr}`
  );
  assertEquals(failed, []);
  const held = (await holdsIn(site)).map(({ grant }) => grant);
  assertEquals(held, byRevision(site.outside.tickets).map(({ grant }) => grant));
  assertEquals(await site.outside.queued(0), undefined);
});

interface Outage {
  readonly what: string;
  begin(): void | Promise<void>;
  end(): void | Promise<void>;
}

const OUTAGES: readonly Outage[] = [
  {
    what: "the API server falls silent",
    begin: () => cluster.pauseApiServer(),
    end: () => cluster.resumeApiServer(),
  },
  {
    what: "the API server is killed",
    begin: () => cluster.stopApiServer("SIGKILL"),
    end: () => cluster.startApiServer(),
  },
  {
    what: "etcd falls silent",
    begin: () => cluster.pauseEtcd(),
    end: () => cluster.resumeEtcd(),
  },
  { what: "etcd is killed", begin: () => cluster.stopEtcd(), end: () => cluster.startEtcd() },
];

/** What one lock goes through: it begins before the outage, all of them meet the same one. */
interface Story {
  /** While nobody has an answer. */
  during?(since: number): Promise<void>;
  /** Once the cluster is back. */
  after(): Promise<void>;
}

/** A `run` whose TTL the outage is longer than, and one that waits. */
async function stopped(site: LockSite, own: AsyncDisposableStack): Promise<Story> {
  const script = "trap '' TERM; say begun; while :; do sleep 1; done";
  const work = own.use(await startWork(site, "work", script));
  const next = own.use(await startWork(site, "next"));
  const holder = await site.run("holder", work, { args: TTL });
  await work.begun;
  const waiter = await site.run("next", next, { args: TTL });
  await site.outside.queued(1);
  await site.renewed("holder");
  return {
    async during(since) {
      assertLess(await work.dead - since, TTL_MS);
    },
    async after() {
      const { code, stderr } = await holder.end();
      assertEquals(code, 12, stderr);
      assertStringIncludes(stderr, "it was not renewed for");
      await next.begun;
      assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["next"]);
      await next.finish();
      assertEquals((await waiter.end()).code, 0);
      await site.outside.queued(0);
    },
  };
}

/** A `run` with a longer TTL, and three that wait. */
async function spared(site: LockSite, own: AsyncDisposableStack): Promise<Story> {
  const work = own.use(await startWork(site, "work"));
  const args = ["--ttl", "60s"];
  const holder = await site.run("holder", work, { args });
  await work.begun;
  const command = journalling(site);
  const names = ["one", "two", "three"];
  const waiters = await Promise.all(names.map((name) => site.run(name, command, { args })));
  await site.outside.queued(3);
  return {
    async after() {
      await site.renewed("holder");
      await openGate(site);
      await work.finish(5);
      assertEquals((await holder.end()).code, 5);
      for (const waiter of waiters) assertEquals((await waiter.end()).code, 0);
      const held = (await holdsIn(site)).map(({ grant }) => grant);
      assertEquals(held, byRevision(site.outside.tickets).map(({ grant }) => grant));
    },
  };
}

/** An `acquire` whose TTL the outage is longer than. Alone it goes on; with one that waits there may be another holder: both are told the same. */
async function acquired(site: LockSite, others: "alone" | "with one that waits"): Promise<Story> {
  const got = await site.call("ann", ["acquire", "deploy", ...TTL]);
  assertEquals(got.code, 0, got.stderr);
  const next = others === "alone" ? null : await site.run("bob", { command: ["true"] });
  if (next !== null) await site.outside.queued(1);
  await site.renewed("ann");
  const before = site.outside.record?.holders[0]?.renewals ?? Infinity;
  return {
    async after() {
      await site.outside.seen(
        "what became of ann",
        ({ holders: [first] }) => first?.holder !== "ann" || first.renewals > before,
      );
      const verified = await site.call("ann", ["verify", "deploy"]);
      if (next === null) {
        assertEquals(verified.code, 0, verified.stderr);
        assertMatch(verified.stderr, /while deploy was held: .*renewed again after a gap/);
      }
      const released = await site.call("ann", ["release", "deploy"]);
      assertEquals(released.code, verified.code, released.stderr);
      if (next !== null) assertEquals((await next.end()).code, 0);
      const ann = site.outside.record?.history.find(({ holder }) => holder === "ann");
      assertEquals(
        [ann?.outcome, verified.code],
        ann?.outcome === "released" ? ["released", 0] : ["expired", 12],
      );
    },
  };
}

for (const { what, begin, end } of OUTAGES) {
  Deno.test(`when ${what} for longer than the TTL the command is stopped by its deadline, exit 12, and the next holds alone; a longer TTL and acquire outlive it`, async () => {
    await using own = new AsyncDisposableStack();
    const site = async () => own.use(await LockSite.open(cluster));
    const stories = [
      await stopped(await site(), own),
      await spared(await site(), own),
      await acquired(await site(), "alone"),
      await acquired(await site(), "with one that waits"),
    ];
    const since = performance.now();
    await begin();
    try {
      await Promise.all(stories.map((story) => story.during?.(since)));
      await new Promise((resolve) => setTimeout(resolve, TTL_MS + since - performance.now()));
    } finally {
      await end();
    }
    await Promise.all(stories.map((story) => story.after()));
  });
}
