/** TLS: nothing is sent to a server that does not prove who it is. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { LoginSource } from "../../lib/kube/credentials.ts";
import type { TlsOptions } from "../../lib/kube/exchange.ts";
import { BrokenExchange, failureOfNetwork } from "../../lib/kube/network.ts";
import { newAuthority, newServerCertificate } from "../support/cluster/certificates.ts";
import { clientOf, failure, fakeServer, json, plainLogin, SECRET, watched } from "./fake_server.ts";

const authority = newAuthority();
const ours = newServerCertificate(authority, { commonName: "server" }, ["127.0.0.1"]);
const elsewhere = newServerCertificate(authority, { commonName: "server" }, ["api.example.com"]);

const secure = (certificate = ours) =>
  fakeServer((response, { url }) => {
    if (url.includes("watch=1")) response.end();
    else json(response, {});
  }, certificate);
const trusting = (tls: TlsOptions): LoginSource =>
  plainLogin({ headers: { authorization: "Bearer t" }, tls });

Deno.test("a server whose authority the kubeconfig names is spoken to, watches too", async () => {
  await using server = await secure();
  using client = clientOf(server, {}, trusting({ ca: authority.certificate }));
  assertEquals(await client.request({ target: SECRET }), {});
  assertEquals((await watched(client)).end, { kind: "ended" });
});

Deno.test("a server of another authority is told nothing", async () => {
  await using server = await secure();
  for (const tls of [{ ca: newAuthority().certificate }, {}]) {
    using client = clientOf(server, {}, trusting(tls));
    const error = await failure(client.request({ target: SECRET }));
    assertEquals(error.kind, "unknown");
    assertStringIncludes(error.message, "signed by an authority that the kubeconfig does not name");
    const { end } = await watched(client);
    assertStringIncludes(end.error?.message ?? "", "signed by an authority");
  }
  assertEquals(server.asked.length, 0);
});

Deno.test("a certificate for another name is refused, unless tls-server-name is that name", async () => {
  await using server = await secure(elsewhere);
  const ca = authority.certificate;
  using client = clientOf(server, {}, trusting({ ca }));
  const error = await failure(client.request({ target: SECRET }));
  assertStringIncludes(error.message, "is not for that name");
  assertEquals(server.asked.length, 0);
  using named = clientOf(server, {}, trusting({ ca, servername: "api.example.com" }));
  assertEquals(await named.request({ target: SECRET }), {});
});

Deno.test("a server is not checked only where the kubeconfig says so", async () => {
  await using server = await secure(elsewhere);
  using client = clientOf(server, {}, trusting({ rejectUnauthorized: false }));
  assertEquals(await client.request({ target: SECRET }), {});
});

Deno.test("a server that speaks no TLS is told as such, or as cut off", async () => {
  await using server = await fakeServer((response) => json(response, {}));
  server.url.protocol = "https:";
  using client = clientOf({ ...server, url: new URL(server.url.href.replace("http:", "https:")) });
  const error = await failure(client.request({ target: SECRET }));
  assertEquals(error.kind, "unknown");
  assert(/TLS with|was cut before|failed/.test(error.message), error.message);
});

Deno.test("under TLS too an answer that stalls or is cut has an end, and a silent watch", async () => {
  await using server = await fakeServer((response, { url, socket }) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write("{", () => url.includes("/cut") && socket.destroy());
  }, ours);
  const ca = authority.certificate;
  using client = clientOf(server, { requestTimeoutMs: 2_000, silenceMs: 100 }, trusting({ ca }));
  const cut = await failure(client.request({ target: { ...SECRET, name: "cut" } }));
  assertStringIncludes(cut.message, "broke off in the middle");
  const stalled = await failure(client.request({ target: SECRET, timeoutMs: 300 }));
  assertStringIncludes(stalled.message, "did not come to its end in time");
  assertEquals((await watched(client)).end.error?.reason, "Silence");
  await server.allClosed();
});

Deno.test("a server that accepts and never speaks is told as one that cannot be connected to", async () => {
  const server = createServer(() => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const login = trusting({});
  using client = clientOf(
    { url: new URL(`https://127.0.0.1:${port}`) } as Parameters<typeof clientOf>[0],
    { requestTimeoutMs: 100 },
    login,
  );
  const error = await failure(client.request({ target: SECRET }));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "no connection to");
  server.close();
});

for (
  const [code, said] of [
    ["CERT_HAS_EXPIRED", "has expired"],
    ["CERT_NOT_YET_VALID", "is not valid yet"],
    ["EHOSTUNREACH", "cannot be reached"],
    ["EAI_AGAIN", "cannot be resolved"],
    ["HPE_INVALID_CONSTANT", "is not HTTP"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLS with"],
    ["EMFILE", "failed (EMFILE, too many open files)"],
  ] as const
) {
  Deno.test(`${code} is told in words`, () => {
    const broken = new BrokenExchange("network", "connecting", code, false, "too many open files");
    const error = failureOfNetwork(SECRET, "api.example.com:6443", broken);
    assertEquals([error.kind, error.reason], ["unknown", code]);
    assertStringIncludes(error.message, said);
  });
}

Deno.test("a client key that is no key is told, whatever it is that notices", async () => {
  await using server = await secure();
  const key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n";
  const tls = { ca: authority.certificate, cert: ours.certificate, key };
  using client = clientOf(server, {}, trusting(tls));
  assertStringIncludes((await failure(client.request({ target: SECRET }))).message, "TLS with 127");
  assertEquals(server.asked.length, 0);
});
