/** What a lock costs, counted at the server. */
import { assertEquals } from "@std/assert";
import type { AuditEntry, AuditMark } from "../support/cluster/audit.ts";
import { type LockSite, withLock } from "../support/lock_site.ts";
import { RequestProxy } from "../support/request_proxy.ts";
import { startWork } from "../support/work.ts";

/** So long that nobody renews while a test looks. */
const LONG = { args: ["--ttl", "1h"] };

/** Requests but watches, which come to their end some time later. */
async function requests(site: LockSite, since: AuditMark): Promise<AuditEntry[]> {
  return (await site.audit(since)).filter(({ verb }) => verb !== "watch");
}

function named({ verb, resource }: AuditEntry): string {
  return `${verb} ${resource}`;
}

const TAKING = ["get secrets", "list leases", "update secrets"];

Deno.test("a run on a free lock takes three requests to hold and two to give back", () =>
  withLock(async (site) => {
    assertEquals((await site.call("before", ["run", "deploy", "--", "true"])).code, 0);
    const mark = await site.cluster.auditMark();
    assertEquals((await site.call("user", ["run", "deploy", "--", "true"])).code, 0);
    const made = (await requests(site, mark)).map(named);
    // The first two side by side: whichever is answered first.
    assertEquals([...made.slice(0, 2).sort(), ...made.slice(2)], [
      ...TAKING,
      "list leases",
      "update secrets",
    ]);
  }));

Deno.test("record and tickets are read side by side", () =>
  withLock(async (site) => {
    await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
    const record = proxy.holdRequest({ method: "GET", path: "/secrets/" });
    const tickets = proxy.holdRequest({ method: "GET", path: "/leases" });
    const run = await site.run("user", { command: ["true"] }, { server: proxy.url });
    await Promise.all([record.caught, tickets.caught]);
    await Promise.all([record.pass(), tickets.pass()]);
    assertEquals((await run.end()).code, 0);
  }));

Deno.test("a release of what acquire took is three requests", () =>
  withLock(async (site) => {
    assertEquals((await site.call("before", ["run", "deploy", "--", "true"])).code, 0);
    const start = await site.cluster.auditMark();
    assertEquals((await site.call("user", ["acquire", "deploy", "--no-renew"])).code, 0);
    assertEquals((await requests(site, start)).map(named).sort(), TAKING);
    const mark = await site.cluster.auditMark();
    const { code, stderr } = await site.call("user", ["release", "deploy"]);
    assertEquals(code, 0, stderr);
    assertEquals((await requests(site, mark)).map(named), TAKING);
  }));

Deno.test("joining writes nothing to the record and wakes nobody", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    await site.run("holder", work, LONG);
    await work.begun;
    await site.run("waiter", { command: ["true"] }, LONG);
    await site.watches("waiter");
    const { revision } = site.outside.records.at(-1) ?? {};
    const mark = await site.cluster.auditMark();
    await site.run("joiner", { command: ["true"] }, LONG);
    await site.watches("joiner");
    const made = await requests(site, mark);
    assertEquals(made.map((entry) => `${entry.user}: ${named(entry)}`).sort(), [
      "joiner: create leases",
      "joiner: get secrets",
      "joiner: get secrets",
      "joiner: list leases",
    ]);
    assertEquals((await site.secret()).metadata?.resourceVersion, revision);
  }));

Deno.test("a hand-over is two writes of the record, and those further back ask for nothing", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    using next = await startWork(site, "next");
    const asHolder = { user: "holder", groups: ["system:masters"] };
    await using proxy = await RequestProxy.to(await site.cluster.kubeconfigFor(asHolder));
    const holder = await site.run("holder", work, { ...LONG, server: proxy.url });
    await work.begun;
    await site.run("next", next, LONG);
    await site.watches("next");
    await site.run("third", next, LONG);
    await site.watches("third");
    await site.watches("holder");
    const mark = await site.cluster.auditMark();
    // It is answered only when there is more news for its watch than its own write.
    const release = proxy.holdAnswer({ method: "PUT", path: "/secrets/" });
    await work.finish();
    await next.begun;
    await site.outside.queued(1);
    await release.pass();
    await holder.end();
    const made = (await requests(site, mark)).map((entry) => `${entry.user}: ${named(entry)}`);
    assertEquals(made, [
      "holder: list leases",
      "holder: update secrets",
      "next: update secrets",
      "next: delete leases",
    ]);
  }));
