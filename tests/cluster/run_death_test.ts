/** Holders that are killed, stopped or cut off: their commands are dead before anyone else holds. */
import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { withLock } from "../support/lock_site.ts";
import { startWork } from "../support/work.ts";

const TTL = ["--ttl", "6s"];
const TTL_MS = 6000;

/** Does not end by itself, ignores what can be ignored, and leaves its process group and its session. */
const STUBBORN = `
trap '' TERM INT HUP
sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done' &
setsid sh -c 'trap "" TERM INT HUP; echo begun >&9; while :; do sleep 1; done' &
while :; do sleep 1; done`;

Deno.test("a killed holder's command and all that it forked is dead within a second, the next holds one TTL after the last renewal", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", STUBBORN);
    using next = await startWork(site, "next");
    const mark = await site.cluster.auditMark();
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    await site.run("next", next, { args: TTL });
    await site.outside.queued(1);
    await site.renewed("holder");
    const killedAt = performance.now();
    holder.kill("SIGKILL");
    assertLess(await work.dead - killedAt, 1000);
    await next.begun;
    const renewedAt = (await site.writes("holder", mark)).at(-1) ?? NaN;
    const [removedAt = NaN, claimedAt = NaN] = await site.writes("next", mark);
    assertGreaterOrEqual(removedAt - renewedAt, TTL_MS);
    assertLess(claimedAt - renewedAt, TTL_MS + 3000);
  }));

Deno.test("a stopped holder's command is dead before the TTL ends, and it touches nothing of its successor's when it goes on", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", STUBBORN);
    using next = await startWork(site, "next");
    const mark = await site.cluster.auditMark();
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    const successor = await site.run("next", next, { args: TTL });
    await site.outside.queued(1);
    await site.renewed("holder");
    const stoppedAt = performance.now();
    holder.kill("SIGSTOP");
    assertLess(await work.dead - stoppedAt, TTL_MS);
    assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["holder"]);
    await next.begun;
    const renewals = await site.writes("holder", mark);
    holder.kill("SIGCONT");
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    await site.renewed("next");
    assertEquals(await site.writes("holder", mark), renewals);
    await next.finish();
    assertEquals((await successor.end()).code, 0);
    const tokens = site.outside.record?.history.map(({ token }) => token) ?? [];
    assert((tokens[0] ?? 0) > (tokens[1] ?? Infinity), tokens.join());
  }));

Deno.test("a command that ignores SIGTERM is killed before the TTL ends, with all that it forked, when its holder is cut off", () =>
  withLock(async (site) => {
    await using proxy = await FaultProxy.toUrl(site.cluster.server);
    using work = await startWork(site, "work", STUBBORN);
    using next = await startWork(site, "next");
    const options = { args: TTL, server: proxy.url };
    const holder = await site.run("holder", work, options);
    await work.begun;
    await site.run("next", next, { args: TTL });
    await site.outside.queued(1);
    await site.renewed("holder");
    const renewedAt = performance.now();
    proxy.stall();
    const dead = await work.dead;
    assertLess(dead - renewedAt, TTL_MS);
    assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["holder"]);
    await next.begun;
    proxy.resume();
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
  }));
