/** Watches: whatever happens to one, it reports changes or its end. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import type { ServerResponse } from "node:http";
import { clientOf, failure, fakeServer, json, SECRET, status, watched } from "./fake_server.ts";

const object = (data: string) => ({ kind: "Secret", data });
const line = (type: string, body: unknown) => `${JSON.stringify({ type, object: body })}\n`;

/** Begins a watch's answer. */
function open(response: ServerResponse): ServerResponse {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  return response;
}

/** Writes parts one after the other, so that they arrive apart. */
async function inParts(response: ServerResponse, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    await new Promise((resolve) => response.write(part, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

Deno.test("a watch asks for one object by name, with bookmarks and an end", async () => {
  await using server = await fakeServer((response) => open(response).end());
  using client = clientOf(server, { random: () => 0.5 });
  const { end, events } = await watched(client, "42");
  assertEquals([end, events], [{ kind: "ended" }, []]);
  const url = new URL(server.asked[0]?.url ?? "", server.url);
  assertEquals(url.pathname, "/api/v1/namespaces/ci/secrets");
  assertEquals(Object.fromEntries(url.searchParams), {
    watch: "1",
    fieldSelector: "metadata.name=k8s-lock-deploy",
    resourceVersion: "42",
    allowWatchBookmarks: "true",
    timeoutSeconds: "270",
  });
});

Deno.test("watches that began together end between 4 and 5 minutes later, each at a time of its own", async () => {
  await using server = await fakeServer((response) => open(response).end());
  const drawn = [0, 0.25, 0.999];
  using client = clientOf(server, { random: () => drawn.shift() ?? 0 });
  for (const _ of [1, 2, 3]) await watched(client);
  const asked = server.asked.map(({ url }) =>
    new URL(url, server.url).searchParams.get("timeoutSeconds")
  );
  assertEquals(asked, ["240", "255", "300"]);
});

Deno.test("a watch from nowhere in particular names no revision", async () => {
  await using server = await fakeServer((response) => open(response).end());
  using client = clientOf(server);
  await watched(client, "");
  assert(!server.asked[0]?.url.includes("resourceVersion"));
});

Deno.test("changes and deletions are reported however their bytes are cut up", async () => {
  const bytes = Buffer.from(
    line("ADDED", object("Ölçü 🔒")) + line("MODIFIED", object("錠前")) +
      line("DELETED", object("é")),
  );
  await using server = await fakeServer(async (response) => {
    await inParts(open(response), Array.from(bytes, (byte) => Uint8Array.of(byte)));
    response.end();
  });
  using client = clientOf(server);
  const { end, events } = await watched(client);
  assertEquals(events, [
    { kind: "changed", object: object("Ölçü 🔒") },
    { kind: "changed", object: object("錠前") },
    { kind: "deleted", object: object("é") },
  ]);
  assertEquals(end, { kind: "ended" });
});

Deno.test("bookmarks and empty lines are not reported, and keep a watch alive", async () => {
  await using server = await fakeServer(async (response) => {
    open(response);
    // Longer in all than the silence that ends a watch.
    for (let sent = 0; sent < 8; sent++) {
      response.write(sent % 2 === 0 ? line("BOOKMARK", object("")) : "\n");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end();
  });
  using client = clientOf(server, { silenceMs: 600 });
  assertEquals(await watched(client), { events: [], end: { kind: "ended" } });
});

Deno.test("a watch that falls silent ends with an error, and frees its connection", async () => {
  await using server = await fakeServer((response) =>
    open(response).write(line("ADDED", object("a")))
  );
  using client = clientOf(server, { silenceMs: 50 });
  const { end, events } = await watched(client);
  assertEquals(events.length, 1);
  assertEquals([end.error?.kind, end.error?.reason], ["unknown", "Silence"]);
  await server.allClosed();
});

Deno.test("a watch whose answer does not begin ends in the time of a request", async () => {
  await using server = await fakeServer(() => {});
  using client = clientOf(server, { requestTimeoutMs: 50 });
  const { end } = await watched(client);
  assertEquals(end.error?.kind, "unknown");
  assertStringIncludes(end.error?.message ?? "", "did not answer in time");
  await server.allClosed();
});

Deno.test("a revision that the server has forgotten ends a watch with 410", async () => {
  await using server = await fakeServer((response) =>
    open(response).write(line("ERROR", status(410, "Expired", "too old resource version")))
  );
  using client = clientOf(server);
  const { end } = await watched(client);
  assertEquals([end.error?.kind, end.error?.status], ["unknown", 410]);
  await server.allClosed();
});

for (
  const [what, sent] of [
    ["no JSON", "<html>oops</html>\n"],
    ["JSON that is no event", '{"a":1}\n'],
    ["JSON that is no object", "null\n"],
    ["an event of an unknown kind", line("RENAMED", {})],
  ] as const
) {
  Deno.test(`a line that is ${what} ends a watch with an error`, async () => {
    await using server = await fakeServer((response) => open(response).write(sent));
    using client = clientOf(server);
    const { end, events } = await watched(client);
    assertEquals([events, end.error?.kind, end.error?.reason], [[], "unknown", "Garbage"]);
  });
}

Deno.test("a line without an end is given up", async () => {
  await using server = await fakeServer((response) => {
    open(response);
    const chunk = "x".repeat(256 * 1024);
    const write = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", write);
    write();
  });
  using client = clientOf(server);
  const { end } = await watched(client);
  assertEquals(end.error?.reason, "TooLarge");
});

for (const when of ["between two lines", "in the middle of a line"]) {
  Deno.test(`a connection that is cut ${when} ends a watch with an error`, async () => {
    await using server = await fakeServer((response, { socket }) => {
      const sent = line("ADDED", object("a")) + (when === "between two lines" ? "" : '{"type":');
      open(response).write(sent, () => socket.destroy());
    });
    using client = clientOf(server);
    const { end } = await watched(client);
    assertEquals([end.error?.kind, end.error?.reason], ["unknown", "Cut"]);
  });
}

Deno.test("an answer that ends in the middle of a line ends a watch with an error", async () => {
  await using server = await fakeServer((response) => open(response).end('{"type":"ADDED"'));
  using client = clientOf(server);
  const { end } = await watched(client);
  assertEquals(end.error?.reason, "Cut");
});

Deno.test("a watch that is forbidden ends with what to grant", async () => {
  const message =
    'secrets "k8s-lock-deploy" is forbidden: User "deployer" cannot watch resource "secrets" in API ' +
    'group "" in the namespace "ci"';
  await using server = await fakeServer((response) =>
    json(response, status(403, "Forbidden", message), 403)
  );
  using client = clientOf(server);
  const { end } = await watched(client);
  assertEquals(end.error?.kind, "refused");
  assertStringIncludes(end.error?.message ?? "", "Grant watch on secrets");
});

Deno.test("a closed watch reports nothing more and frees its connection at once", async () => {
  const opened = Promise.withResolvers<void>();
  await using server = await fakeServer((response) => {
    open(response).write(line("ADDED", object("a")));
    opened.resolve();
  });
  using client = clientOf(server);
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const watch = client.watch({
    target: { ...SECRET, verb: "watch" },
    from: "1",
    onEvent: (event) => {
      seen.push(event.kind);
      first.resolve();
    },
  });
  await opened.promise;
  await first.promise;
  watch.close();
  watch.close();
  await server.allClosed();
  assertEquals(seen, ["changed"]);
});

Deno.test("a watch that is closed before it began sends nothing", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  using client = clientOf(server);
  client.watch({
    target: { ...SECRET, verb: "watch" },
    from: "1",
    onEvent: () => assert(false, "reported"),
  }).close();
  await client.request({ target: SECRET });
  assertEquals(server.asked.length, 1);
});

Deno.test("watches do not take the connections of requests", async () => {
  await using server = await fakeServer((response, { url }) =>
    url.includes("watch=1") ? open(response) : json(response, {})
  );
  using client = clientOf(server);
  const watches = Array.from({ length: 5 }, () => watched(client));
  await client.request({ target: SECRET });
  client.close();
  for (const { end } of await Promise.all(watches)) assertEquals(end.error?.kind, "unknown");
  assertEquals((await failure(client.request({ target: SECRET }))).kind, "unknown");
});
