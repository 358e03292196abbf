/** Records as Secrets on a real API server, as a user who has no more than the rights that are needed. */
import process from "node:process";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { KubeClient } from "../../lib/kube/client.ts";
import { loadConnection } from "../../lib/kube/kubeconfig.ts";
import { encodeRecord, parseRecord } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { LockStore, LockStores } from "../../lib/lock/store.ts";
import { secretStores } from "../../lib/store/secret_store.ts";
import { startCluster } from "../support/cluster/cluster.ts";
import type { Rule } from "../support/cluster/rights.ts";
import { readDescription, SHARED_CLUSTER } from "../support/cluster/shared.ts";
import { TestCluster } from "../support/cluster/test_cluster.ts";
import { storeContract } from "../support/store_contract.ts";
import { follow } from "../support/follow_record.ts";

let cluster: TestCluster;
let namespace: string;
let stop: () => Promise<void>;

Deno.test.beforeAll(async () => {
  const file = process.env[SHARED_CLUSTER];
  if (file) {
    const shared = await TestCluster.open(await readDescription(file));
    cluster = shared;
    stop = () => Promise.resolve(shared.api[Symbol.dispose]());
  } else {
    const own = await startCluster();
    cluster = own;
    stop = () => own.stop();
  }
  namespace = await cluster.createNamespace();
});

Deno.test.afterAll(async () => {
  // Keeps the process awake: the end of a child alone does not.
  const awake = setInterval(() => {}, 1000);
  await stop();
  clearInterval(awake);
});

/** All that one lock needs. */
function rights(object: string): Rule[] {
  return [
    {
      resources: ["secrets"],
      resourceNames: [object],
      verbs: ["get", "watch", "update", "create", "patch"],
    },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "list", "create", "patch", "delete"],
    },
  ];
}

let users = 0;
const newUser = () => `deployer-${++users}`;

async function clientOf(kubeconfig: string): Promise<KubeClient> {
  const connection = await loadConnection({
    kubeconfigPaths: kubeconfig,
    env: {},
    home: undefined,
  });
  return new KubeClient(connection, { version: "test" });
}

/** The stores of a new user without any rights, and of the administrator. */
async function open(): Promise<
  { user: string; client: KubeClient; stores: LockStores; admin: KubeClient } & Disposable
> {
  const user = newUser();
  const client = await clientOf((await cluster.kubeconfigFor({ user })).path);
  const admin = await clientOf(cluster.kubeconfig.path);
  const stores = secretStores(client, { namespace });
  return {
    user,
    client,
    stores,
    admin,
    [Symbol.dispose]() {
      stores.close();
      admin.close();
    },
  };
}

/** A lock of a user who has the full rights for it and no others. */
async function openLock(object: string) {
  const opened = await open();
  await cluster.grant({ namespace, to: { user: opened.user }, rules: rights(object) });
  return { ...opened, object, lock: opened.stores.open(object, object) };
}

const secretPath = (object: string) => `/api/v1/namespaces/${namespace}/secrets/${object}`;

/** `stores` as used by `user`, who gets the rights for each lock, by name, just before it is first used. */
function granting(stores: LockStores, user: string, listed: LockStores): LockStores {
  const granted = new Map<string, Promise<void>>();
  const grant = (object: string) => {
    const done = granted.get(object) ??
      cluster.grant({ namespace, to: { user }, rules: rights(object) });
    granted.set(object, done);
    return done;
  };
  return {
    close: () => stores.close(),
    // Listing records is a right of its own, which nobody needs to use a lock.
    listRecords: (signal) => listed.listRecords(signal),
    open(object, label) {
      const lock = stores.open(object, label);
      return new Proxy(lock, {
        get(_, key: keyof LockStore) {
          const member = lock[key];
          if (typeof member !== "function" || key === "watchRecord") {
            return typeof member === "function" ? member.bind(lock) : member;
          }
          return async (...args: unknown[]) => {
            await grant(object);
            return await Reflect.apply(member, lock, args);
          };
        },
      });
    },
  };
}

storeContract("secrets, with the least rights", async () => {
  const { user, stores, admin } = await open();
  return {
    stores: granting(stores, user, secretStores(admin, { namespace })),
    async deleteRecord(object) {
      await cluster.api.must("DELETE", secretPath(object));
    },
    close() {
      stores.close();
      admin.close();
      return Promise.resolve();
    },
  };
});

Deno.test("with the rights for one name no other record can be made, and no Secrets listed", async () => {
  using opened = await openLock("only-this");
  const { stores, user } = opened;
  await stores.open("only-this", "only-this").createRecord("{}");
  const other = await assertRejects(
    () => stores.open("another", "another").createRecord("{}"),
    StoreError,
  );
  assertEquals(other.kind, "refused");
  assertStringIncludes(other.message, `forbidden for user "${user}"`);
  assertStringIncludes(other.message, 'on secrets (resourceNames: ["another"])');
  const list = await assertRejects(() => stores.listRecords(), StoreError);
  assertEquals(list.kind, "refused");
  assertStringIncludes(list.message, "Grant list on secrets");
});

Deno.test("taking a free lock costs two reads side by side and one write", async () => {
  using opened = await openLock("cheap");
  const { lock, user } = opened;
  await lock.createRecord("free");
  const mark = await cluster.auditMark();
  const [record] = await Promise.all([lock.readRecord(), lock.listTickets()]);
  assert(record !== null);
  await lock.replaceRecord(record, "held");
  const asked = (await cluster.auditSince(mark)).filter((entry) => entry.user === user);
  assertEquals(asked.map(({ verb, uri }) => `${verb} ${uri.split("?")[0]}`).sort(), [
    `get ${secretPath("cheap")}`,
    `list /apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    `update ${secretPath("cheap")}`,
  ]);
});

Deno.test("what others added to a record is kept, and labels that were wiped come back", async () => {
  using opened = await openLock("kept");
  const { lock } = opened;
  await lock.createRecord("one");
  await cluster.api.must("PATCH", secretPath("kept"), {
    contentType: "application/merge-patch+json",
    body: {
      metadata: {
        labels: {
          team: "a",
          "app.kubernetes.io/managed-by": null,
          "k8s-lock.dev/lock": null,
        },
        annotations: { note: "b", "k8s-lock.dev/lock-name": null },
      },
      data: { more: "Yw==" },
    },
  });
  const read = await lock.readRecord();
  assert(read !== null);
  const written = await lock.replaceRecord(read, "two");
  assertEquals(written.text, "two");
  const { metadata, data } = await cluster.api.must("GET", secretPath("kept")) as {
    metadata: { labels: Record<string, string>; annotations: Record<string, string> };
    data: Record<string, string>;
  };
  assertEquals(metadata.labels["team"], "a");
  assertEquals(metadata.labels["app.kubernetes.io/managed-by"], "k8s-lock");
  assertEquals(metadata.labels["k8s-lock.dev/role"], "record");
  assertEquals(metadata.labels["k8s-lock.dev/lock"]?.length, 40);
  assertEquals(metadata.annotations, { note: "b", "k8s-lock.dev/lock-name": "kept" });
  assertEquals(data, { more: "Yw==", lock: "dHdv" });
});

Deno.test("somebody else's Secret is refused with what stands there, and never written", async () => {
  const data = { password: "c2VjcmV0" };
  const said = "the keys password";
  const object = "foreign-password";
  using opened = await openLock(object);
  const { lock } = opened;
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const made = await cluster.api.must("POST", path, {
    body: { metadata: { name: object }, data },
  });
  const read = await assertRejects(() => lock.readRecord(), StoreError);
  assertEquals(read.kind, "unusable");
  assertStringIncludes(read.message, said);
  assert(!read.message.includes("c2VjcmV0") && !read.message.includes('secret"'), read.message);
  const create = await assertRejects(() => lock.createRecord("{}"), StoreError);
  assertEquals(create.kind, "exists");
  assertEquals(await cluster.api.must("GET", `${path}/${object}`), made);
});

Deno.test("the number of version 3 stands under its own key beside ours, and goes when the record leaves its form", async () => {
  using opened = await openLock("of-v3");
  const { lock } = opened;
  const path = `/api/v1/namespaces/${namespace}/secrets/of-v3`;
  await cluster.api.must("POST", `/api/v1/namespaces/${namespace}/secrets`, {
    body: { metadata: { name: "of-v3" }, data: { next_build: "NDI=", more: "Yw==" } },
  });
  const read = await lock.readRecord();
  assert(read !== null);
  const record = parseRecord(read.text);
  assertEquals(record.next_build, 42);
  const dataNow = async () => (await cluster.api.must("GET", path))["data"];
  const changed = await lock.replaceRecord(read, encodeRecord({ ...record, next_build: 43 }));
  const { lock: ours, ...others } = await dataNow() as Record<string, string>;
  assertEquals(others, { next_build: "NDM=", more: "Yw==" });
  assert(!atob(ours ?? "").includes("next_build"));
  const { order: _, next_build: __, ...today } = parseRecord(changed.text);
  await lock.replaceRecord(changed, encodeRecord(today));
  assertEquals(Object.keys(await dataNow() as object).sort(), ["lock", "more"]);
});

Deno.test("a record whose key was taken out counts as deleted for who watches it", async () => {
  using opened = await openLock("emptied");
  const { lock } = opened;
  const made = await lock.createRecord("{}");
  using followed = follow(lock, made.revision);
  await cluster.api.must("PATCH", secretPath("emptied"), {
    contentType: "application/merge-patch+json",
    body: { data: { lock: null } },
  });
  await followed.deletion();
  const read = await assertRejects(() => lock.readRecord(), StoreError);
  assertEquals(read.kind, "unusable");
  assertStringIncludes(read.message, "kubectl delete secret emptied");
});

Deno.test("a ticket is a Lease that shows its holder, and one that was damaged can be deleted", async () => {
  using opened = await openLock("shown");
  const { lock } = opened;
  const ticket = await lock.createTicket({
    grant: "g1",
    holder: "a/b deploy\u001b[31m #42\n",
    text: "t",
  });
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/shown-t-g1`;
  const lease = await cluster.api.must("GET", path) as { spec: { holderIdentity: string } };
  assertEquals(lease.spec.holderIdentity, "a/b deploy [31m #42");
  await cluster.api.must("PATCH", path, {
    contentType: "application/merge-patch+json",
    body: { metadata: { annotations: { "k8s-lock.dev/ticket": null } } },
  });
  const [listed] = await lock.listTickets();
  assertEquals([listed?.grant, listed?.uid, listed?.text], ["g1", ticket.uid, ""]);
  await lock.deleteTicket({ grant: "g1", uid: ticket.uid });
  assertEquals(await lock.listTickets(), []);
});

Deno.test("a ticket that is deleted and waits for somebody's finalizer is none any more", async () => {
  using opened = await openLock("going");
  const { lock } = opened;
  const ticket = await lock.createTicket({ grant: "g1", holder: "me", text: "one" });
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/going-t-g1`;
  const have = (finalizers: readonly string[]) =>
    cluster.api.must("PATCH", path, {
      contentType: "application/merge-patch+json",
      body: { metadata: { finalizers } },
    });
  await have(["example.com/audit"]);
  await lock.deleteTicket({ grant: "g1", uid: ticket.uid });
  assertEquals([await lock.listTickets(), await lock.readTicket("g1")], [[], null]);
  await have([]);
});

Deno.test("more tickets than fit into one answer are all listed", async () => {
  using opened = await openLock("many");
  const { lock } = opened;
  const grants = Array.from({ length: 1050 }, (_, index) => `g${index}`);
  await Promise.all(grants.map((grant) => lock.createTicket({ grant, holder: "h", text: "t" })));
  const listed = await lock.listTickets();
  assertEquals(new Set(listed.map(({ grant }) => grant)), new Set(grants));
});

Deno.test("where watching is forbidden the watch ends and says so", async () => {
  using opened = await open();
  const { stores } = opened;
  const ended = Promise.withResolvers<StoreError | undefined>();
  stores.open("unwatched", "unwatched").watchRecord("", 1, (event) => {
    if (event.kind === "ended") ended.resolve(event.error);
  });
  const error = await ended.promise;
  assertEquals(error?.kind, "refused");
  assertStringIncludes(error?.message ?? "", "Grant watch on secrets");
});

Deno.test("in a namespace that does not exist nothing is made, and it is said", async () => {
  using opened = await open();
  const { admin } = opened;
  const lock = secretStores(admin, { namespace: "no-such" }).open("a", "a");
  assertEquals(await lock.readRecord(), null);
  for (
    const asked of [
      () => lock.createRecord("{}"),
      () => lock.createTicket({ grant: "g", holder: "h", text: "t" }),
    ]
  ) {
    const error = await assertRejects(asked, StoreError);
    assertEquals(error.kind, "refused");
    assertStringIncludes(error.message, "kubectl create namespace no-such");
  }
});

Deno.test("in a namespace that is being deleted, and in one with a full quota, it is said why", async () => {
  using opened = await open();
  const { admin } = opened;
  const [ending, full] = [await cluster.createNamespace(), await cluster.createNamespace()];
  // Content keeps a namespace in Terminating.
  await cluster.api.must("DELETE", `/api/v1/namespaces/${ending}`);
  const gone = await assertRejects(
    () => secretStores(admin, { namespace: ending }).open("a", "a").createRecord("{}"),
    StoreError,
  );
  assertEquals(gone.kind, "refused");
  assertStringIncludes(gone.message, "is being deleted");

  await cluster.api.must("POST", `/api/v1/namespaces/${full}/resourcequotas`, {
    body: { metadata: { name: "q" }, spec: { hard: { "count/secrets": "0" } } },
  });
  // No controller runs here that would set what the quota counts against.
  await cluster.api.must("PUT", `/api/v1/namespaces/${full}/resourcequotas/q/status`, {
    body: {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q" },
      status: { hard: { "count/secrets": "0" }, used: { "count/secrets": "0" } },
    },
  });
  const lock = secretStores(admin, { namespace: full }).open("a", "a");
  const error = await assertRejects(() => lock.createRecord("{}"), StoreError);
  assertEquals(error.kind, "refused");
  assertStringIncludes(error.message, "quota is used up");
});
