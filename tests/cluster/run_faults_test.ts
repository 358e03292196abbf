/** Single requests and watches that meet a fault, and the hands of people, while a waiter waits or a holder holds. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { type LockSite, withLock } from "../support/lock_site.ts";
import type { RequestFault, WatchFault } from "../support/request_faults.ts";
import { RequestProxy } from "../support/request_proxy.ts";
import { WallClock } from "../support/faketime.ts";
import { startWork } from "../support/work.ts";

const TTL = ["--ttl", "6s"];
const TTL_MS = 6000;
const RECORD = "/secrets/";
const TICKETS = "/leases";

/** What a write may meet without anybody's harm: the same is true of each. */
const FAULTS: readonly [string, RequestFault][] = [
  ["turned away with 429", { kind: "answer", status: 429, headers: { "retry-after": "1" } }],
  ["answered 500", { kind: "answer", status: 500 }],
  ["answered 502", { kind: "answer", status: 502 }],
  ["answered 503", { kind: "answer", status: 503 }],
  ["answered 504", { kind: "answer", status: 504 }],
  ["lost on its way", { kind: "drop" }],
  ["carried out without an answer", { kind: "lose_answer" }],
  ["sent twice by a proxy", { kind: "twice" }],
  ["answered with garbage", { kind: "garbage" }],
  ["answered in drips", { kind: "slow", ms: 500 }],
];

/** What the lock's life consists of, as requests. */
const STEPS = [
  ["the read that finds the record", "GET", RECORD],
  ["the list of tickets", "GET", TICKETS],
  ["the ticket's creation", "POST", TICKETS],
  ["the claim", "PUT", RECORD],
  ["the deletion of the ticket", "DELETE", TICKETS],
] as const;

/** Two holds with nothing of either left, each alone, in order. */
async function assertTurns(site: LockSite, holders: readonly string[]): Promise<void> {
  await site.outside.queued(0);
  const { history = [], holders: holding = [] } = site.outside.record ?? {};
  assertEquals(holding, []);
  const past = history.filter(({ token }) => token !== null).map(({ holder }) => holder);
  assertEquals(past.reverse(), holders);
}

for (const [what, fault] of FAULTS) {
  Deno.test(`a waiter each of whose first requests is ${what} keeps its place, holds once and leaves nothing`, () =>
    withLock(async (site) => {
      await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
      using first = await startWork(site, "first");
      using second = await startWork(site, "second");
      using third = await startWork(site, "third");
      const holder = await site.run("first", first, { args: TTL });
      await first.begun;
      const met = STEPS.map(([, method, path]) => proxy.spoil({ method, path }, fault));
      const faulty = await site.run("second", second, { args: TTL, server: proxy.url });
      // Its place is before that of whoever comes then.
      await site.outside.queued(1);
      const last = await site.run("third", third, { args: TTL });
      await site.outside.queued(2);
      await first.finish();
      await second.begun;
      await second.finish();
      await third.begun;
      await third.finish();
      const ends = await Promise.all([holder, faulty, last].map((one) => one.end()));
      assertEquals(ends.map(({ code }) => code), [0, 0, 0]);
      await Promise.all(met);
      await assertTurns(site, ["first", "second", "third"]);
    }));
}

const WATCH_FAULTS: readonly WatchFault[] = ["cut", "end", "garbage", "gone", "repeat", "bookmark"];

for (const fault of WATCH_FAULTS) {
  Deno.test(`a waiter whose watch meets "${fault}" misses no turn`, () =>
    withLock(async (site) => {
      await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
      using first = await startWork(site, "first");
      using second = await startWork(site, "second");
      const holder = await site.run("first", first, { args: TTL });
      await first.begun;
      const waiter = await site.run("second", second, { args: TTL, server: proxy.url });
      await site.outside.queued(1);
      await site.renewed("first");
      await site.renewed("first");
      assertGreater(proxy.disturbWatches(fault), 0);
      await first.finish();
      await second.begun;
      await second.finish();
      assertEquals([(await holder.end()).code, (await waiter.end()).code], [0, 0]);
      await assertTurns(site, ["first", "second"]);
    }));
}

Deno.test("a waiter whose watch says nothing for ever finds its turn by reading", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    using first = await startWork(site, "first");
    using second = await startWork(site, "second");
    await site.run("first", first, { args: TTL });
    await first.begun;
    const waiter = await site.run("second", second, { args: TTL, server: proxy.url });
    await site.outside.queued(1);
    proxy.pauseWatches();
    await first.finish();
    await second.begun;
    await second.finish();
    assertEquals((await waiter.end()).code, 0);
  }));

Deno.test("a claim that lands long after its client is dead is a ghost for no longer than its TTL", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    assertEquals((await site.call("before", ["run", "deploy", "--", "true"])).code, 0);
    using work = await startWork(site, "work");
    const claim = proxy.holdRequest({ method: "PUT", path: RECORD });
    const dead = await site.run("dead", work, { args: TTL, server: proxy.url });
    await claim.caught;
    dead.kill("SIGKILL");
    await dead.end();
    assertEquals(await claim.pass(), 200);
    const landedAt = performance.now();
    using next = await startWork(site, "next");
    const run = await site.run("next", next, { args: TTL });
    await next.begun;
    assertLess(performance.now() - landedAt, TTL_MS + 3000 + 2000);
    await next.finish();
    assertEquals((await run.end()).code, 0);
  }));

Deno.test("a ticket that lands after its waiter has gone is passed over within the claim timeout", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    using first = await startWork(site, "first");
    using last = await startWork(site, "last");
    await site.run("first", first, { args: TTL });
    await first.begun;
    const ticket = proxy.holdRequest({ method: "POST", path: TICKETS });
    const gone = await site.run("gone", last, { args: TTL, server: proxy.url });
    await ticket.caught;
    gone.kill("SIGKILL");
    await gone.end();
    assertEquals(await ticket.pass(), 201);
    const run = await site.run("last", last, { args: TTL });
    await site.outside.queued(2);
    const mark = await site.cluster.auditMark();
    await first.finish();
    await last.begun;
    const releasedAt = (await site.writes("first", mark)).at(-1) ?? NaN;
    const claimedAt = (await site.writes("last", mark)).at(-1) ?? NaN;
    assertLess(claimedAt - releasedAt, 5000 + 1000);
    await last.finish();
    assertEquals((await run.end()).code, 0);
    await site.outside.queued(0);
  }));

Deno.test("a waiter whose ticket is annotated keeps ticket and place, one whose ticket is deleted makes it again in its place", () =>
  withLock(async (site) => {
    using first = await startWork(site, "first");
    await site.run("first", first);
    await first.begun;
    const waiters = [];
    for (const name of ["touched", "deleted", "untouched"]) {
      waiters.push(await site.run(name, { command: ["true"] }));
      await site.outside.queued(waiters.length);
      await site.watches(name);
    }
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${site.namespace}/leases`;
    const pathOf = (name: string) =>
      `${leases}/${site.object}-t-${
        site.outside.tickets.find(({ holder }) => holder === name)?.grant
      }`;
    const body = { metadata: { annotations: { note: "somebody was here" } } };
    const contentType = "application/merge-patch+json";
    await site.cluster.api.must("PATCH", pathOf("touched"), { body, contentType });
    await site.cluster.api.must("DELETE", pathOf("deleted"));
    // Each waiter looks after its ticket now and then: the one is made again, the other is given its first revision.
    await site.outside.queued(3);
    const place = site.outside.tickets.find(({ holder }) => holder === "touched")?.revision;
    const hasPlace = async () =>
      JSON.stringify(await site.cluster.api.must("GET", pathOf("touched")))
        .includes(`\\"order_revision\\":\\"${place}\\"`);
    // Nothing tells this from outside but asking.
    while (!await hasPlace()) await new Promise((resolve) => setTimeout(resolve, 100));
    await first.finish();
    for (const waiter of waiters) assertEquals((await waiter.end()).code, 0);
    const grants = site.outside.tickets.filter(({ holder }) => holder === "touched");
    assertEquals(grants.length, 1);
    await assertTurns(site, ["first", "touched", "deleted", "untouched"]);
  }));

Deno.test("a live waiter that is stopped through a roll call loses its turn and keeps its place", () =>
  withLock(async (site) => {
    using first = await startWork(site, "first");
    using slow = await startWork(site, "slow");
    using next = await startWork(site, "next");
    await site.run("first", first, { args: TTL });
    await first.begun;
    const stopped = await site.run("slow", slow, { args: TTL });
    await site.outside.queued(1);
    await site.watches("slow");
    await site.run("next", next, { args: TTL });
    await site.outside.queued(2);
    await site.watches("next");
    stopped.kill("SIGSTOP");
    await first.finish();
    await next.begun;
    const behind = await site.run("behind", { command: ["true"] }, { args: TTL });
    await site.outside.queued(1);
    stopped.kill("SIGCONT");
    // Its old place: before the one that came while it was stopped.
    await site.outside.queued(2);
    await next.finish();
    await slow.begun;
    await slow.finish();
    assertEquals([(await stopped.end()).code, (await behind.end()).code], [0, 0]);
    await assertTurns(site, ["first", "next", "slow", "behind"]);
  }));

Deno.test("wall clocks that are days apart and jump decide nothing", async (t) => {
  await using ahead = await WallClock.off(86_400);
  await using behind = await WallClock.off(-86_400);
  if (ahead === null || behind === null) {
    // Linux has it in a package (libfaketime), which is asked of Debian's archive.
    await t.step({ name: "no libfaketime on this system", ignore: true, fn: () => {} });
    return;
  }
  await withLock(async (site) => {
    using first = await startWork(site, "first");
    using second = await startWork(site, "second");
    const mark = await site.cluster.auditMark();
    const holder = await site.run("first", first, { args: TTL, env: ahead.env });
    await first.begun;
    const waiter = await site.run("second", second, { args: TTL, env: behind.env });
    await site.outside.queued(1);
    await ahead.jump(-3600);
    await behind.jump(86_400);
    await site.renewed("first");
    await ahead.jump(3600);
    await site.renewed("first");
    await site.renewed("first");
    holder.kill("SIGKILL");
    await second.begun;
    const renewedAt = (await site.writes("first", mark)).at(-1) ?? NaN;
    const [removedAt = NaN, claimedAt = NaN] = await site.writes("second", mark);
    assert(removedAt - renewedAt >= TTL_MS, `after ${removedAt - renewedAt} ms`);
    assertLess(claimedAt - renewedAt, TTL_MS + 3000);
    await second.finish();
    assertEquals((await waiter.end()).code, 0);
  });
});

Deno.test("who may not write the record ends with 11 and is passed over at once", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    using first = await startWork(site, "first");
    using next = await startWork(site, "next");
    await site.run("first", first, { args: TTL });
    await first.begun;
    const body = JSON.stringify({
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      reason: "Forbidden",
      code: 403,
      message:
        `secrets "${site.object}" is forbidden: User "barred" cannot update resource "secrets"`,
    });
    proxy.weather = ({ method, path }) =>
      method === "PUT" && path.includes(RECORD) ? { kind: "answer", status: 403, body } : null;
    const barred = await site.run("barred", next, { args: TTL, server: proxy.url });
    await site.outside.queued(1);
    const run = await site.run("next", next, { args: TTL });
    await site.outside.queued(2);
    await first.finish();
    const { code, stderr } = await barred.end();
    assertEquals(code, 11, stderr);
    await next.begun;
    await next.finish();
    assertEquals((await run.end()).code, 0);
    await site.outside.queued(0);
  }));

Deno.test("tries alone free a lock whose holder died", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    const holder = await site.run("dead", work, { args: TTL });
    await work.begun;
    await site.renewed("dead");
    holder.kill("SIGKILL");
    await holder.end();
    // One that comes while the last renewal is young is told so at once; the next one stays to see.
    let code = 10;
    for (let tries = 0; tries < 20 && code === 10; tries++) {
      const tried = await site.call("cron", [
        "run",
        "deploy",
        "--timeout",
        "0",
        ...TTL,
        "--",
        "true",
      ]);
      code = tried.code ?? -1;
    }
    assertEquals(code, 0);
  }));
