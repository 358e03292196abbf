/** Lists in several answers, of which a later one comes too late. */
import { assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../lib/lock/store.ts";
import { secretStores } from "../../lib/store/secret_store.ts";
import { clientOf, fakeServer, json, status } from "../kube/fake_server.ts";

const EXPIRED = status(410, "Expired", "The provided continue parameter is too old");

/** The lists of a server that has two pages and forgets where the first `expiring` lists were. */
async function lists(expiring: number) {
  const server = await fakeServer((response, { url }) => {
    const query = new URL(url, "http://server").searchParams;
    // Those of version 3 are a list of their own, of which there are none here.
    if (query.get("labelSelector")?.includes("!=")) return json(response, { items: [] });
    const token = query.get("continue");
    const resource = url.includes("/leases") ? "k8s-lock-a-t-" : "k8s-lock-";
    const page = (name: string, next: string) =>
      json(response, {
        metadata: { continue: next },
        items: [{ metadata: { name: resource + name, uid: name, resourceVersion: "1" } }],
      });
    if (token === null) page("one", "next");
    else if (expiring-- > 0) json(response, EXPIRED, 410);
    else page("two", "");
  });
  const stores = secretStores(clientOf(server), { namespace: "ci" });
  const close = async () => {
    stores.close();
    await server[Symbol.asyncDispose]();
  };
  return { server, stores, [Symbol.asyncDispose]: close };
}

for (const what of ["records", "tickets"] as const) {
  const namesOf = async ({ stores }: Awaited<ReturnType<typeof lists>>) =>
    what === "records"
      ? (await stores.listRecords()).map(({ record }) => record.uid)
      : (await stores.open("k8s-lock-a", "a").listTickets()).map(({ uid }) => uid);

  Deno.test(`a list of ${what} whose next page comes too late is read again from its start`, async () => {
    await using list = await lists(1);
    assertEquals(await namesOf(list), ["one", "two"]);
    const asked = list.server.asked.filter(({ url }) => !url.includes("%21%3D"));
    assertEquals(asked.length, 4);
  });

  Deno.test(`a list of ${what} whose next page always comes too late is given up`, async () => {
    await using list = await lists(Infinity);
    const error = await assertRejects(() => namesOf(list), StoreError);
    assertEquals([error.kind, list.server.asked.length], ["unknown", 6]);
  });
}

Deno.test("a list of lately asks for what is no older than the list before, the first one for this moment", async () => {
  await using server = await fakeServer((response) =>
    json(response, { metadata: { resourceVersion: "41" }, items: [] })
  );
  const stores = secretStores(clientOf(server), { namespace: "ci" });
  const lock = stores.open("k8s-lock-a", "a");
  await lock.listTickets(undefined, "lately");
  await lock.listTickets(undefined, "lately");
  await lock.listTickets();
  stores.close();
  const asked = server.asked.map(({ url }) => new URL(url, "http://server").searchParams);
  assertEquals(asked.map((query) => query.get("resourceVersion")), [null, "41", null]);
  assertEquals(asked.map((query) => query.get("resourceVersionMatch")), [
    null,
    "NotOlderThan",
    null,
  ]);
});
