/** Many that want the same lock: one at a time, in order, whoever dies. */
import { assertEquals, assertLess } from "@std/assert";
import { byRevision } from "../support/lock_outside.ts";
import { withLock } from "../support/lock_site.ts";
import { holdsIn, journalling, openGate, startWork } from "../support/work.ts";

Deno.test("twenty that start side by side never overlap, and hold in the order of their tickets", () =>
  withLock(async (site) => {
    const command = journalling(site);
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, index) => site.run(`runner-${index}`, command)),
    );
    await site.outside.queued(19);
    await openGate(site);
    const ends = await Promise.all(runs.map((run) => run.end()));
    assertEquals(ends.map(({ code }) => code), runs.map(() => 0));
    const holds = await holdsIn(site);
    assertEquals(holds.length, 20);
    // The one that found it free made no ticket.
    const [, ...queued] = holds.map(({ grant }) => grant);
    assertEquals(queued, byRevision(site.outside.tickets).map(({ grant }) => grant));
    const tokens = holds.map(({ token }) => token);
    assertEquals(tokens, [...new Set(tokens)].sort((one, other) => one - other));
  }));

/** How long one may be silent at its turn before it is passed over, in milliseconds; promised, and what requests take. */
const CLAIM_TIMEOUT_MS = 5000;
const NEXT_IS_DEAD_TOO_MS = 5000;
const REQUESTS_MS = 1000;

Deno.test("a waiter that was killed is passed over within the claim timeout, and its ticket is gone", () =>
  withLock(async (site) => {
    using first = await startWork(site, "first");
    using last = await startWork(site, "last");
    await site.run("first", first);
    await first.begun;
    const killed = await site.run("killed", last);
    await site.outside.queued(1);
    const run = await site.run("last", last);
    await site.outside.queued(2);
    killed.kill("SIGKILL");
    await killed.end();
    const mark = await site.cluster.auditMark();
    await first.finish();
    await last.begun;
    const { record } = await site.held("last");
    const releasedAt = (await site.writes("first", mark)).at(-1) ?? NaN;
    const claimedAt = (await site.writes("last", mark)).at(-1) ?? NaN;
    assertLess(claimedAt - releasedAt, CLAIM_TIMEOUT_MS + REQUESTS_MS);
    assertEquals(record.roll_call.number, 1);
    await last.finish();
    assertEquals((await run.end()).code, 0);
    await site.outside.queued(0);
  }));

Deno.test("ten dead waiters at the head are passed over in one roll call", () =>
  withLock(async (site) => {
    using first = await startWork(site, "first");
    using last = await startWork(site, "last");
    await site.run("first", first);
    await first.begun;
    const dead = await Promise.all(
      Array.from({ length: 10 }, (_, index) => site.run(`dead-${index}`, last)),
    );
    await site.outside.queued(10);
    const run = await site.run("last", last);
    await site.outside.queued(11);
    for (const one of dead) one.kill("SIGKILL");
    await Promise.all(dead.map((one) => one.end()));
    const called = site.outside.record?.roll_call.number ?? 0;
    const mark = await site.cluster.auditMark();
    await first.finish();
    const { record } = await site.held("last");
    const releasedAt = (await site.writes("first", mark)).at(-1) ?? NaN;
    const claimedAt = (await site.writes("last", mark)).at(-1) ?? NaN;
    assertLess(claimedAt - releasedAt, CLAIM_TIMEOUT_MS + NEXT_IS_DEAD_TOO_MS + REQUESTS_MS);
    assertEquals(record.roll_call.number, called + 1);
    await last.finish();
    assertEquals((await run.end()).code, 0);
    await site.outside.queued(0);
  }));
