/** A user with just the rights that the README names. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile } from "node:fs/promises";
import type { LockSite } from "../support/lock_site.ts";
import { withLock } from "../support/lock_site.ts";
import { startWork } from "../support/work.ts";

/** The Role of the README, for this namespace. */
async function role(site: LockSite): Promise<string> {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const found = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(readme)?.[1];
  if (found === undefined) throw new Error("the README has no Role");
  return found.replace("metadata: {", `metadata: { namespace: ${site.namespace},`);
}

/** A new user with that Role and nothing else. */
async function leastRights(site: LockSite): Promise<Record<string, string>> {
  const { cluster, namespace } = site;
  await cluster.apply(await role(site));
  const user = `least-${namespace}`;
  await cluster.apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "least", namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "k8s-lock-deploy" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  });
  const review = {
    spec: {
      user,
      resourceAttributes: {
        namespace,
        verb: "list",
        group: "coordination.k8s.io",
        resource: "leases",
      },
    },
  };
  // The server reads rights through a cache of its own, some milliseconds late.
  const isKnown = async () => {
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    const { status } = await cluster.api.must("POST", path, { body: review });
    return (status as { allowed: boolean }).allowed;
  };
  while (!await isKnown()) await new Promise((resolve) => setTimeout(resolve, 10));
  return { KUBECONFIG: (await cluster.kubeconfigFor({ user, namespace })).path };
}

Deno.test("the README's Role is enough to take, wait, hand over, verify, renew, look, break and give back", () =>
  withLock(async (site) => {
    const env = await leastRights(site);
    using work = await startWork(site, "work");
    const holder = await site.run("holder", work, { env });
    await work.begun;
    const waiter = await site.run("waiter", { command: ["true"] }, { env });
    await site.outside.queued(1);
    const status = await site.call("user", ["status", "deploy", "-o", "json"], { env });
    assertEquals(status.code, 0, status.stderr);
    const seen = JSON.parse(status.stdout);
    assertEquals([seen.holders[0].holder, seen.queue[0].holder], ["holder", "waiter"]);
    await work.finish();
    for (const run of [holder, waiter]) {
      const { code, stderr } = await run.end();
      assertEquals(code, 0, stderr);
    }
    const acquire = ["acquire", "--watch-pid", String(Deno.pid)];
    for (const args of [acquire, ["verify"], ["renew"], ["break", "--yes", "--now"]]) {
      const [command = "", ...options] = args;
      const { code, stderr } = await site.call("user", [command, "deploy", ...options], { env });
      assertEquals(code, 0, `${command}: ${stderr}`);
    }
    const lost = await site.call("user", ["release", "deploy"], { env });
    assertEquals(lost.code, 12, lost.stderr);
    for (const args of [acquire, ["release"]]) {
      const { code, stderr } = await site.call("user", [...args, "deploy"], { env });
      assertEquals(code, 0, `${args[0]}: ${stderr}`);
    }
    await site.outside.queued(0);
    assertEquals(site.outside.record?.holders, []);
  }));

Deno.test("the same user is refused another lock, and told which right is missing", () =>
  withLock(async (site) => {
    const env = await leastRights(site);
    const { code, stderr } = await site.call("user", ["run", "other", "--", "true"], { env });
    assertEquals(code, 11, stderr);
    for (const word of ["k8s-lock-other", site.namespace, "get", `least-${site.namespace}`]) {
      assertStringIncludes(stderr, word);
    }
  }));
