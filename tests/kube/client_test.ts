/** Requests: each has a result, or a failure that says what is known of its effect; and always within its time. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import type { Login, LoginSource } from "../../lib/kube/credentials.ts";
import { clientOf, failure, fakeServer, json, plainLogin, SECRET, status } from "./fake_server.ts";

const PUT = { target: { ...SECRET, verb: "update" }, body: { a: 1 } } as const;

Deno.test("a request has its path, its body, and the program's name and version", async () => {
  await using server = await fakeServer((response) => json(response, { ok: true }));
  using client = clientOf(
    server,
    {},
    plainLogin({ headers: { authorization: "Bearer t" }, tls: {} }),
  );
  assertEquals(await client.request({ ...PUT, query: { fieldManager: "a b" } }), { ok: true });
  const [asked] = server.asked;
  assertEquals(asked?.method, "PUT");
  assertEquals(asked?.url, "/api/v1/namespaces/ci/secrets/k8s-lock-deploy?fieldManager=a+b");
  assertEquals(asked?.headers["user-agent"], "k8s-lock/1.2.3");
  assertEquals(asked?.headers["authorization"], "Bearer t");
  assertEquals(asked?.headers["content-type"], "application/json");
  assertEquals(asked?.body, '{"a":1}');
});

Deno.test("a server under a path keeps its path", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  server.url.pathname = "/k8s/clusters/c-1/";
  using client = clientOf(server);
  await client.request({ target: SECRET });
  assertEquals(
    server.asked[0]?.url,
    "/k8s/clusters/c-1/api/v1/namespaces/ci/secrets/k8s-lock-deploy",
  );
});

Deno.test("many requests share at most three connections", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  using client = clientOf(server);
  await Promise.all(Array.from({ length: 30 }, () => client.request({ target: SECRET })));
  assert(server.connections <= 3, `${server.connections} connections`);
});

Deno.test("an answer that does not begin ends the request in its time, as unknown", async () => {
  await using server = await fakeServer(() => {});
  using client = clientOf(server, { requestTimeoutMs: 50 });
  const error = await failure(client.request(PUT));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, 'cannot update secret "k8s-lock-deploy" in namespace "ci"');
  assertStringIncludes(error.message, "did not answer in time");
});

Deno.test("an answer whose body stalls ends the request in its time, as unknown", async () => {
  await using server = await fakeServer((response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write('{"a":');
  });
  using client = clientOf(server, { requestTimeoutMs: 100 });
  const error = await failure(client.request(PUT));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "did not come to its end in time");
  await server.allClosed();
});

for (const framing of ["content-length", "chunked"]) {
  Deno.test(`an answer whose body is cut (${framing}) is unknown`, async () => {
    await using server = await fakeServer((response, { socket }) => {
      response.writeHead(200, {
        "content-type": "application/json",
        ...(framing === "chunked" ? {} : { "content-length": "100" }),
      });
      response.write('{"a":1}', () => socket.destroy());
    });
    using client = clientOf(server);
    const error = await failure(client.request(PUT));
    assertEquals(error.kind, "unknown");
    assertStringIncludes(error.message, "broke off in the middle");
  });
}

Deno.test("a write on an idle connection that the server has reset is unknown, and not sent again", async () => {
  let puts = 0;
  await using server = await fakeServer((response, { method, socket }) => {
    if (method === "GET") return json(response, {});
    puts++;
    socket.destroy();
  });
  using client = clientOf(server);
  await client.request({ target: SECRET });
  const error = await failure(client.request(PUT));
  assertEquals([error.kind, error.reason, puts], ["unknown", "ECONNRESET", 1]);
});

Deno.test("a read on an idle connection that the server has reset is sent again", async () => {
  let gets = 0;
  await using server = await fakeServer((response, { socket }) => {
    if (++gets === 2) socket.destroy();
    else json(response, { gets });
  });
  using client = clientOf(server);
  await client.request({ target: SECRET });
  assertEquals(await client.request({ target: SECRET }), { gets: 3 });
});

Deno.test("a write after the server has closed the idle connection in good order goes by a new one", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  using client = clientOf(server);
  await client.request({ target: SECRET });
  const closed = server.allClosed();
  // Its socket closes only when both ends have: then the client has seen it.
  server.asked[0]?.socket.end();
  await closed;
  assertEquals(await client.request(PUT), {});
  assertEquals([server.asked.length, server.connections], [2, 2]);
});

Deno.test("an aborted request rejects at once and frees its connection", async () => {
  const arrived = Promise.withResolvers<void>();
  await using server = await fakeServer(() => arrived.resolve());
  using client = clientOf(server);
  const control = new AbortController();
  const asked = failure(client.request({ ...PUT, signal: control.signal }));
  await arrived.promise;
  control.abort();
  assertEquals((await asked).kind, "unknown");
  await server.allClosed();
});

Deno.test("closing the client ends what is under way", async () => {
  const arrived = Promise.withResolvers<void>();
  await using server = await fakeServer(() => arrived.resolve());
  const client = clientOf(server);
  const asked = failure(client.request(PUT));
  await arrived.promise;
  client.close();
  assertEquals((await asked).kind, "unknown");
  await server.allClosed();
});

Deno.test("429 is throttled, for as long as the server says", async () => {
  const busy = status(429, "TooManyRequests", "too many requests");
  await using server = await fakeServer((response) =>
    json(response, busy, 429, { "retry-after": "3" })
  );
  using client = clientOf(server);
  const error = await failure(client.request(PUT));
  assertEquals([error.kind, error.retryAfterMs], ["throttled", 3000]);
});

Deno.test("a web page where JSON is due is told as one", async () => {
  await using server = await fakeServer((response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html><body>Sign in, token=abc</body></html>");
  });
  using client = clientOf(server);
  const error = await failure(client.request({ target: SECRET }));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "a web page came where an API server answers JSON");
  assert(!error.message.includes("abc"));
});

Deno.test("a redirect is not followed, and only its host is told", async () => {
  await using server = await fakeServer((response) => {
    response.writeHead(302, { location: "https://login.example.com/a?state=secret" });
    response.end();
  });
  using client = clientOf(server);
  const error = await failure(client.request({ target: SECRET }));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "to login.example.com");
  assert(!error.message.includes("secret="), error.message);
  assert(!error.message.includes("state"), error.message);
  assertEquals(server.asked.length, 1);
});

Deno.test("an answer without an end is given up once it is too large", async () => {
  await using server = await fakeServer((response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const chunk = "x".repeat(1024 * 1024);
    const write = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", write);
    write();
  });
  using client = clientOf(server, { requestTimeoutMs: 20_000 });
  const error = await failure(client.request({ target: SECRET }));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "larger than k8s-lock reads");
  await server.allClosed();
});

/** Logins with tokens 1, 2, 3, …: a new one each time. */
function numbered(): LoginSource {
  let number = 0;
  return {
    obtain: () => {
      const login: Login = { headers: { authorization: `Bearer ${++number}` }, tls: {} };
      return Promise.resolve({ login, freshForMs: Infinity, validForMs: Infinity });
    },
    close: () => {},
  };
}

Deno.test("after a 401 the login is obtained anew, and the request sent once more", async () => {
  await using server = await fakeServer((response, { headers }) =>
    headers["authorization"] === "Bearer 2"
      ? json(response, { ok: true })
      : json(response, status(401, "Unauthorized", "Unauthorized"), 401)
  );
  using client = clientOf(server, {}, numbered());
  assertEquals(await client.request(PUT), { ok: true });
  assertEquals(server.asked.length, 2);
});

Deno.test("a second 401 is refused, with what to do", async () => {
  await using server = await fakeServer((response) =>
    json(response, status(401, "Unauthorized", "Unauthorized"), 401)
  );
  using client = clientOf(server, {}, numbered());
  const error = await failure(client.request(PUT));
  assertEquals([error.kind, error.status, server.asked.length], ["refused", 401, 2]);
  assertStringIncludes(error.message, "renew them");
});

Deno.test("a login that cannot change is not tried twice", async () => {
  await using server = await fakeServer((response) =>
    json(response, status(401, "Unauthorized", "Unauthorized"), 401)
  );
  using client = clientOf(server);
  await failure(client.request(PUT));
  assertEquals(server.asked.length, 1);
});

Deno.test("a login that does not come about ends the request in its time", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  using client = clientOf(server, { requestTimeoutMs: 50 }, {
    obtain: () => new Promise(() => {}),
    close: () => {},
  });
  const error = await failure(client.request(PUT));
  assertEquals([error.kind, error.reason], ["unknown", "LoginTimeout"]);
});

Deno.test("nobody listening, and a name that does not exist, are told apart", async () => {
  const server = await fakeServer((response) => json(response, {}));
  await server[Symbol.asyncDispose]();
  using client = clientOf(server);
  const refused = await failure(client.request(PUT));
  assertEquals([refused.kind, refused.reason], ["unknown", "ECONNREFUSED"]);
  assertMatch(refused.message, /nothing listens at 127\.0\.0\.1:\d+/);
  server.url.hostname = "no-such-host.invalid";
  using stray = clientOf(server);
  const unresolved = await failure(stray.request(PUT));
  assertEquals(unresolved.kind, "unknown");
  assertStringIncludes(unresolved.message, "cannot be resolved");
});

Deno.test("no connection is left when a client is closed", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  const client = clientOf(server);
  await client.request({ target: SECRET });
  const [asked] = server.asked;
  assert(asked !== undefined);
  const closed = once(asked.socket, "close");
  client.close();
  await closed;
});
