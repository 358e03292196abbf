/** `acquire` and what comes after it, on a real API server. */
import { relative } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { allProcesses, environmentOf, processAlive } from "../../lib/host/processes.ts";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { type LockSite, withLock } from "../support/lock_site.ts";
import { argumentsOf, eventually, kill } from "../support/sandbox.ts";

const TTL = ["--ttl", "5s"];

interface Got {
  readonly grant: string;
  readonly token: number;
}

/** The pids of the renewers that were started from this site. */
function renewers(site: LockSite): number[] {
  return allProcesses().filter((pid) =>
    argumentsOf(pid).includes("__renewer") && environmentOf(pid).includes(`HOME=${site.folder}\0`)
  );
}

/** As {@link withLock}; no renewer outlives it. */
function test(name: string, body: (site: LockSite) => Promise<void>): void {
  Deno.test(name, () =>
    withLock(async (site) => {
      try {
        await body(site);
      } finally {
        for (const pid of renewers(site)) kill(pid, "SIGKILL");
      }
    }));
}

async function acquired(
  site: LockSite,
  user: string,
  { args = TTL, ...options }: Parameters<LockSite["call"]>[2] = {},
): Promise<Got> {
  const ended = await site.call(user, ["acquire", "deploy", "-o", "json", ...args], options);
  assertEquals(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

test("an acquire is renewed, verified, and given back for the next to hold", async (site) => {
  const { grant, token } = await acquired(site, "ann");
  await site.renewed("ann");
  assertEquals((await site.call("ann", ["verify", "deploy", "--token", `${token}`])).code, 0);
  const next = await site.start("bob", ["run", "deploy", "--", "true"]);
  await site.outside.queued(1);
  const [renewer = 0] = renewers(site);
  const released = await site.call("ann", ["release", "deploy"]);
  assertEquals(released.code, 0, released.stderr);
  assertEquals((await next.end()).code, 0);
  const history = site.outside.record?.history ?? [];
  assertEquals(history.map(({ holder, outcome }) => [holder, outcome]), [
    ["bob", "released"],
    ["ann", "released"],
  ]);
  assertEquals(history[1]?.grant, grant);
  await eventually("the renewer's end", () => !processAlive(renewer, null));
});

test("nothing of a login is in the state, the arguments, the environment or the log", async (site) => {
  const { token, kubeconfig } = await site.cluster.createServiceAccount(site.namespace, "ci");
  const rules = [
    { resources: ["secrets"], verbs: ["get", "watch", "update", "create", "patch"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "list", "create", "patch", "delete"],
    },
  ];
  await site.cluster.grant({
    namespace: site.namespace,
    to: { serviceAccount: "ci" },
    rules,
  });
  const data = btoa(await Deno.readTextFile(kubeconfig.path));
  const env = { K8S_LOCK_KUBECONFIG_DATA: data, KUBECONFIG: "" };
  const ended = await site.call("ann", ["acquire", "deploy", "-v", ...TTL], { env });
  assertEquals(ended.code, 0, ended.stderr);
  await site.renewed("ann");
  const [renewer = 0] = renewers(site);
  const seen = [ended.stdout, ended.stderr, argumentsOf(renewer), environmentOf(renewer)];
  for (const file of filesBelow(site.folder)) seen.push(await Deno.readTextFile(file));
  assert(seen.length > 4, "a state file at least");
  for (const text of seen) {
    for (const secret of [token, data.slice(0, 60), data.slice(-60)]) {
      assert(!text.includes(secret));
    }
  }
  assert(!environmentOf(renewer).includes("K8S_LOCK_"), "no variable of ours");
  assertEquals((await site.call("ann", ["release", "deploy", "-v"], { env })).code, 0);
});

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

test("a kubeconfig by a relative path serves the renewer too", async (site) => {
  const { KUBECONFIG = "" } = await site.environment("ann");
  await acquired(site, "ann", { env: { KUBECONFIG: relative(Deno.cwd(), KUBECONFIG) } });
  await site.renewed("ann");
});

test("without its renewer the next holds after the TTL, and the job is told", async (site) => {
  await acquired(site, "ann");
  for (const pid of renewers(site)) kill(pid, "SIGKILL");
  const next = await site.call("bob", ["run", "deploy", "--", "true"]);
  assertEquals(next.code, 0, next.stderr);
  const verified = await site.call("ann", ["verify", "deploy"]);
  assertEquals(verified.code, 12);
  assertStringIncludes(verified.stderr, "bob took it over because this holder was silent");
  assertEquals((await site.call("ann", ["release", "deploy"])).code, 12);
});

test("a hold outlives an outage longer than its TTL where nobody took it, and the gap is told", async (site) => {
  await using proxy = await FaultProxy.toUrl(site.cluster.server);
  await acquired(site, "ann", { server: proxy.url });
  await site.renewed("ann");
  const before = Date.parse(site.outside.record?.holders[0]?.renewed_at ?? "");
  proxy.stall();
  const away = await site.call("ann", ["verify", "deploy", "--request-timeout", "1s"], {
    server: proxy.url,
  });
  assertEquals(away.code, 11, away.stderr);
  const release = ["release", "deploy", "--request-timeout", "1s"];
  await eventually("more than a TTL", () => Date.now() - before > 6500);
  proxy.resume();
  await site.renewed("ann");
  await site.renewed("ann");
  const verified = await site.call("ann", ["verify", "deploy"], { server: proxy.url });
  assertEquals(verified.code, 0, verified.stderr);
  assertMatch(verified.stderr, /while deploy was held: .*renewed again after a gap/);
  proxy.stall();
  const unreleased = await site.call("ann", release, { server: proxy.url });
  assertEquals(unreleased.code, 11, unreleased.stderr);
  proxy.resume();
  assertEquals((await site.call("ann", release, { server: proxy.url })).code, 0);
  assertEquals(site.outside.record?.holders, []);
});

test("a record that is deleted is lost: the renewer ends, verify and release say so", async (site) => {
  await acquired(site, "ann");
  const [renewer = 0] = renewers(site);
  await site.cluster.api.must("DELETE", site.path);
  await eventually("the renewer's end", () => !processAlive(renewer, null));
  for (const command of ["verify", "release"]) {
    const { code, stderr } = await site.call("ann", [command, "deploy"]);
    assertEquals(code, 12, stderr);
    assertStringIncludes(stderr, "lost deploy");
  }
  assertEquals((await site.cluster.api.request("GET", site.path)).status, 404);
});

test("release ends an acquire of this job that waits, for good", async (site) => {
  await acquired(site, "ann", { args: ["--no-renew"] });
  const elsewhere = { env: { K8S_LOCK_STATE_DIR: `${site.folder}/bob` } };
  const waiter = await site.start("bob", ["acquire", "deploy"], elsewhere);
  await site.outside.queued(1);
  assertEquals((await site.call("bob", ["release", "deploy"], elsewhere)).code, 0);
  const { code, stderr } = await waiter.end();
  assertEquals(code, 143, stderr);
  await site.outside.queued(0);
  assertEquals((await site.call("ann", ["release", "deploy"])).code, 0);
  assertEquals([site.outside.record?.holders, site.outside.record?.turn], [[], []]);
});

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  test(`${signal} ends an acquire that waits with ${exit}, and its ticket is gone`, async (site) => {
    await acquired(site, "ann", { args: ["--no-renew"] });
    const elsewhere = { env: { K8S_LOCK_STATE_DIR: `${site.folder}/bob` } };
    const waiter = await site.start("bob", ["acquire", "deploy"], elsewhere);
    await site.outside.queued(1);
    await waiter.line("place 1 of 1");
    waiter.kill(signal);
    assertEquals((await waiter.end()).code, exit);
    await site.outside.queued(0);
  });
}

test("a hold that a person breaks is lost at once for verify, and its renewer ends", async (site) => {
  await acquired(site, "ann");
  const [renewer = 0] = renewers(site);
  const breaking = await site.start("carol", ["break", "deploy", "--yes", "--reason", "stuck"]);
  await eventually("the renewer's end", () => !processAlive(renewer, null));
  const verified = await site.call("ann", ["verify", "deploy"]);
  assertEquals(verified.code, 12);
  assertMatch(verified.stderr, /it was broken by \S+: stuck/);
  assertEquals((await site.call("ann", ["release", "deploy"])).code, 12);
  const { code, stderr } = await breaking.end();
  assertEquals(code, 0);
  assertStringIncludes(stderr, "ann gave deploy up");
});

test("who has no rights is told which, exit 11, and leaves no state", async (site) => {
  const kubeconfig = await site.cluster.kubeconfigFor({ user: "eve", namespace: site.namespace });
  const env = { KUBECONFIG: kubeconfig.path };
  const { code, stdout, stderr } = await site.call("eve", ["acquire", "deploy"], { env });
  assertEquals([code, stdout], [11, ""]);
  for (const words of ["get secret", "list leases", site.namespace, "eve"]) {
    assertStringIncludes(stderr, words);
  }
  assertEquals((await site.call("eve", ["release", "deploy", "--strict"], { env })).code, 14);
});

test("status and list name the object as kubectl knows it", async (site) => {
  const { grant } = await acquired(site, "ann", { args: ["--no-renew"] });
  const status = JSON.parse((await site.call("bob", ["status", "deploy", "-o", "json"])).stdout);
  assertEquals(status.object, `secret/${site.namespace}/${site.object}`);
  assertEquals(status.holders[0].grant, grant);
  const [listed] = JSON.parse((await site.call("bob", ["list", "-o", "json"])).stdout);
  const { history: _, ...rest } = status;
  assertEquals(listed, rest);
});
