/** What people do to a lock's record, with and without this program, while it is in use. */
import { assert, assertEquals, assertGreaterOrEqual, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { type LockSite, withLock } from "../support/lock_site.ts";
import { startWork } from "../support/work.ts";

const TTL = ["--ttl", "6s"];
const TTL_MS = 6000;
/** Needs half a second to end in order. */
const SLOW_TO_END = `
trap 'sleep 0.5; exit 3' TERM
say begun
while :; do sleep 0.05; done`;

Deno.test("when the record is deleted the holder stops, the waiters go on in order after a TTL, and tokens grow", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", "say begun; sleep 1000");
    using first = await startWork(site, "first");
    using second = await startWork(site, "second");
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    const token = site.outside.record?.last_token ?? NaN;
    const waiters = [
      await site.run("first", first, { args: TTL }),
      await site.outside.queued(1).then(() => site.run("second", second, { args: TTL })),
    ];
    await site.outside.queued(2);
    const mark = await site.cluster.auditMark();
    await site.cluster.api.must("DELETE", site.path);
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    assertStringIncludes(stderr, "its record was deleted");
    await first.begun;
    await first.finish();
    await second.begun;
    await second.finish();
    for (const waiter of waiters) assertEquals((await waiter.end()).code, 0);
    const entries = (await site.audit(mark)).filter(({ resource }) => resource === "secrets");
    const at = (wanted: string) =>
      Date.parse(entries.find(({ verb }) => verb === wanted)?.receivedAt ?? "");
    assertGreaterOrEqual(at("patch") - at("delete"), TTL_MS);
    const tokens = site.outside.record?.history.map(({ token }) => token) ?? [];
    const [later = NaN, earlier = NaN] = tokens;
    assert(later !== null && earlier !== null && later > earlier && earlier > token, `${tokens}`);
  }));

Deno.test("a break stops the holder's command, says by whom and why, and returns when it is given up", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", SLOW_TO_END);
    const holder = await site.run("holder", work);
    await work.begun;
    const broken = await site.call("boss", [
      "break",
      "deploy",
      "--reason",
      "wrong branch",
      "--yes",
    ]);
    const returnedAt = performance.now();
    assertEquals(broken.code, 0, broken.stderr);
    assertGreaterOrEqual(returnedAt, await work.dead);
    assertStringIncludes(broken.stderr, "holder gave deploy up");
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    const [past] = site.outside.record?.history ?? [];
    assertEquals([past?.outcome, past?.reason], ["broken", "wrong branch"]);
    assert(past?.by);
    assertStringIncludes(stderr, `broken by ${past.by}: wrong branch`);
  }));

Deno.test("a break at once takes the entry off, and its holder's command is stopped all the same", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", SLOW_TO_END);
    const holder = await site.run("holder", work);
    await work.begun;
    const broken = await site.call("boss", [
      "break",
      "deploy",
      "--now",
      "--reason",
      "fire",
      "--yes",
    ]);
    assertEquals(broken.code, 0, broken.stderr);
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    await work.dead;
    const [past] = site.outside.record?.history ?? [];
    assertStringIncludes(stderr, `broken by ${past?.by}: fire`);
    const removed = await site.outside.seen(
      "it taken off",
      ({ holders, history }) => holders.length === 0 && history[0]?.outcome === "broken",
    );
    assertEquals(removed.record.turn, []);
  }));

Deno.test("a waiter that is dropped by a break ends with 10, by whom and why", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    const holder = await site.run("holder", work);
    await work.begun;
    const waiter = await site.run("waiter", { command: ["true"] });
    await site.outside.queued(1);
    const grant = site.outside.tickets[0]?.grant ?? "";
    const args = ["break", "deploy", "--grant", grant, "--reason", "not today", "--yes"];
    assertEquals((await site.call("boss", args)).code, 0);
    const { code, stderr } = await waiter.end();
    assertEquals(code, 10, stderr);
    assertStringIncludes(stderr, "not today");
    await site.outside.queued(0);
    await work.finish(7);
    assertEquals((await holder.end()).code, 7);
  }));

/** Makes a Secret of the record's name with these data, and returns its revision. */
async function putSecret(site: LockSite, data: Record<string, string>): Promise<string> {
  const encoded = Object.entries(data)
    .map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  const body = { metadata: { name: site.object }, data: Object.fromEntries(encoded) };
  const path = `/api/v1/namespaces/${site.namespace}/secrets`;
  const made = await site.cluster.api.must("POST", path, { body });
  return made.metadata?.resourceVersion ?? "";
}

for (
  const [what, data, words] of [
    ["garbage", { lock: "{]" }, "not JSON"],
    ["of a newer version", { lock: '{"version":99}' }, "newer k8s-lock"],
    ["somebody else's Secret", { password: "geheim" }, "somebody else's"],
  ] as const
) {
  Deno.test(`a record that is ${what} is refused with 15 and left as it is`, () =>
    withLock(async (site) => {
      const revision = await putSecret(site, data);
      const { code, stderr } = await site.call("user", ["run", "deploy", "--", "echo", "ran"]);
      assertEquals(code, 15, stderr);
      assertStringIncludes(stderr, words);
      assert(!stderr.includes("geheim"));
      assertEquals((await site.secret()).metadata?.resourceVersion, revision);
      await site.outside.queued(0);
    }));
}

Deno.test("a record that becomes garbage while it is held ends holder and waiter, and is left as it is", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", "say begun; sleep 1000");
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    const waiter = await site.run("waiter", { command: ["true"] });
    await site.outside.queued(1);
    const body = { data: { lock: Buffer.from("{]").toString("base64") } };
    const contentType = "application/merge-patch+json";
    const spoilt = await site.cluster.api.must("PATCH", site.path, { body, contentType });
    assertEquals((await holder.end()).code, 12);
    await work.dead;
    assertEquals((await waiter.end()).code, 15);
    const { metadata, data } = await site.secret();
    assertEquals([metadata?.resourceVersion, data], [
      spoilt.metadata?.resourceVersion,
      spoilt["data"],
    ]);
    await site.outside.queued(0);
  }));

Deno.test("labels and annotations that others put on the record are there after holds", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    const holder = await site.run("holder", work, { args: TTL });
    await work.begun;
    const body = { metadata: { labels: { team: "shop" }, annotations: { note: "ours" } } };
    const contentType = "application/merge-patch+json";
    await site.cluster.api.must("PATCH", site.path, { body, contentType });
    await site.renewed("holder");
    await work.finish();
    assertEquals((await holder.end()).code, 0);
    assertEquals((await site.call("user", ["run", "deploy", "--", "true"])).code, 0);
    const { metadata } = await site.secret();
    assertEquals([metadata?.labels?.["team"], metadata?.annotations?.["note"]], ["shop", "ours"]);
  }));
