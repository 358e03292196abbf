/** What this project builds on in the API of a real server, and the test cluster itself. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Api, ApiBody, KubeObject } from "../support/cluster/api.ts";
import { startCluster } from "../support/cluster/cluster.ts";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { withSharedCluster } from "../support/cluster/shared.ts";

const APPLY = "application/apply-patch+yaml";

Deno.test("the server answers the version that was built", () =>
  withSharedCluster(async ({ cluster }) => {
    const { body } = await cluster.api.request("GET", "/version");
    assertMatch(String(body["gitVersion"]), /^v1\.\d+\.\d+$/);
    assertEquals((await cluster.api.request("GET", "/readyz")).text, "ok");
  }));

Deno.test("a PUT without a resourceVersion silently overwrites a Secret", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const { path } = await createdSecret(cluster.api, namespace);
    const body = { ...secret("lock"), stringData: { record: "theirs" } };
    const answer = await cluster.api.request("PUT", path, { body });
    assertEquals(answer.status, 200);
    assertEquals(answer.body["data"], { record: btoa("theirs") });
  }));

Deno.test("a PUT with an older resourceVersion is refused as a conflict", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const { path, created } = await createdSecret(cluster.api, namespace);
    const update = { ...created, stringData: { record: "first" } };
    assertEquals((await cluster.api.request("PUT", path, { body: update })).status, 200);
    const late = { ...created, stringData: { record: "second" } };
    const answer = await cluster.api.request("PUT", path, { body: late });
    assertEquals([answer.status, answer.reason], [409, "Conflict"]);
  }));

Deno.test("a PUT with the uid of an object that is gone is refused as a conflict", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const { path } = await createdSecret(cluster.api, namespace);
    const uid = "00000000-0000-0000-0000-000000000000";
    const body = { ...secret("lock"), metadata: { name: "lock", uid } };
    const answer = await cluster.api.request("PUT", path, { body });
    assertEquals([answer.status, answer.reason], [409, "Conflict"]);
  }));

Deno.test("a PUT without a resourceVersion on a Lease is refused as invalid", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const body = { metadata: { name: "lock" }, spec: { holderIdentity: "somebody" } };
    await cluster.api.must("POST", leases, { body });
    const answer = await cluster.api.request("PUT", `${leases}/lock`, { body });
    assertEquals([answer.status, answer.reason], [422, "Invalid"]);
  }));

Deno.test("an apply with resourceVersion 1 creates, and never touches what exists", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const path = `/api/v1/namespaces/${namespace}/secrets/lock?fieldManager=test`;
    const first = await cluster.api.request("PATCH", path, createIfAbsent("lock", "first"));
    const second = await cluster.api.request("PATCH", path, createIfAbsent("lock", "second"));
    const kept = await cluster.api.must("GET", path);
    assertEquals([first.status, second.status, second.reason], [201, 409, "Conflict"]);
    assertEquals(kept["data"], { record: btoa("first") });
  }));

Deno.test("a right to create one name permits the apply of that name, and no POST", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const rule = { resources: ["secrets"], verbs: ["create", "patch"], resourceNames: ["lock"] };
    await cluster.grant({ namespace, to: { user: "deployer" }, rules: [rule] });
    using api = cluster.apiAs("deployer");
    const secrets = `/api/v1/namespaces/${namespace}/secrets`;
    const apply = (name: string) =>
      api.request("PATCH", `${secrets}/${name}?fieldManager=test`, createIfAbsent(name, "mine"));
    const posted = await api.request("POST", secrets, { body: secret("lock") });
    assertEquals([posted.status, posted.reason], [403, "Forbidden"]);
    assertEquals((await apply("lock")).status, 201);
    assertEquals((await apply("other")).status, 403);
  }));

Deno.test("the audit log tells the requests since a mark, each once", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    await createdSecret(cluster.api, namespace);
    const mark = await cluster.auditMark();
    await cluster.api.request("GET", `/api/v1/namespaces/${namespace}/secrets/lock`);
    const entries = (await cluster.auditSince(mark)).filter((one) => one.namespace === namespace);
    assertEquals(
      entries.map(({ verb, resource, name, user, userAgent, code }) => ({
        verb,
        resource,
        name,
        user,
        userAgent,
        code,
      })),
      [{
        verb: "get",
        resource: "secrets",
        name: "lock",
        user: "administrator",
        userAgent: "k8s-lock-tests",
        code: 200,
      }],
    );
  }));

Deno.test("a service account's kubeconfig reaches the server through a proxy's address", () =>
  withSharedCluster(async ({ cluster, namespace }) => {
    const { kubeconfig } = await cluster.createServiceAccount(namespace, "deployer");
    await using proxy = await FaultProxy.toUrl(cluster.server);
    const args = [`--server=${proxy.url}`, "auth", "whoami", "-o", "jsonpath={.status.userInfo}"];
    const { username } = JSON.parse(await cluster.kubectl(args, { kubeconfig: kubeconfig.path }));
    assertEquals(username, `system:serviceaccount:${namespace}:deployer`);
    assert(proxy.accepted > 0);
  }));

Deno.test("an API server that was killed comes back at the same address with its objects", async () => {
  await using cluster = await startCluster();
  const { path } = await createdSecret(cluster.api, await cluster.createNamespace());
  await cluster.stopApiServer("SIGKILL");
  await assertRejects(() => cluster.api.request("GET", path), Error);
  await cluster.startApiServer();
  assertEquals((await cluster.api.request("GET", path)).status, 200);
});

Deno.test("a paused API server answers nothing until it goes on", async () => {
  await using cluster = await startCluster();
  cluster.pauseApiServer();
  const answer = cluster.api.request("GET", "/version");
  assertEquals(await Promise.race([answer, pendingAfter(300)]), "pending");
  cluster.resumeApiServer();
  assertEquals((await answer).status, 200);
});

Deno.test("while etcd is paused nothing is written, and etcd killed loses nothing", async () => {
  await using cluster = await startCluster();
  const namespace = await cluster.createNamespace();
  const { path } = await createdSecret(cluster.api, namespace);
  cluster.pauseEtcd();
  const body = { ...secret("lock"), stringData: { record: "theirs" } };
  const answer = cluster.api.request("PUT", path, { body });
  assertEquals(await Promise.race([answer, pendingAfter(300)]), "pending");
  cluster.resumeEtcd();
  assertEquals((await answer).status, 200);
  await cluster.stopEtcd();
  await cluster.startEtcd();
  const kept = await cluster.api.must("GET", path);
  assertEquals(kept["data"], { record: btoa("theirs") });
});

async function createdSecret(
  api: Api,
  namespace: string,
): Promise<{ readonly path: string; readonly created: KubeObject }> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const created = await api.must("POST", secrets, { body: secret("lock") });
  return { path: `${secrets}/lock`, created };
}

function secret(name: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    stringData: { record: "ours" },
  };
}

function createIfAbsent(name: string, record: string): ApiBody {
  const metadata = { name, resourceVersion: "1" };
  return { contentType: APPLY, body: { ...secret(name), metadata, stringData: { record } } };
}

/** Silence can only be seen by waiting. */
function pendingAfter(ms: number): Promise<"pending"> {
  return new Promise((resolve) => setTimeout(() => resolve("pending"), ms));
}
