/** What @kubernetes/client-node does for those with proxies and old logins, and when it is loaded. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KubeClient } from "../../lib/kube/client.ts";
import { newAuthority, newServerCertificate } from "../support/cluster/certificates.ts";
import { failure, fakeServer, json, SECRET, watched } from "./fake_server.ts";
import { kubeconfig, load } from "./files.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

Deno.test("requests and watches go through the proxy that the kubeconfig names", async () => {
  const authority = newAuthority();
  const certificate = newServerCertificate(authority, { commonName: "s" }, ["127.0.0.1"]);
  await using server = await fakeServer(
    (response, { url }) => url.includes("watch=1") ? response.end() : json(response, { ok: true }),
    certificate,
  );
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = http.createServer();
  proxy.on("connect", ({ url = "" }, socket: Socket) => {
    asked.push(url);
    const [host, port] = url.split(":");
    const through = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(through).pipe(socket);
    });
    for (const each of [socket, through]) each.on("error", () => {}) && sockets.add(each);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const data = kubeconfig({
    cluster: {
      server: server.url.href,
      "certificate-authority-data": base64(authority.certificate),
      "proxy-url": `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    },
  });
  const client = new KubeClient(await load({ kubeconfigData: base64(data) }), { version: "1" });
  try {
    assertEquals(await client.request({ target: SECRET }), { ok: true });
    assertEquals(await client.request({ target: SECRET }), { ok: true });
    assertEquals((await watched(client)).end, { kind: "ended" });
    // One kept connection for both requests, one for the watch.
    assertEquals(asked, [server.url.host, server.url.host]);
    assertEquals(server.asked[0]?.headers["authorization"], "Bearer top-secret");
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    proxy.close();
  }
});

Deno.test("a legacy auth provider's token is sent, and its failure told", async () => {
  const gcp = (config: object) =>
    base64(kubeconfig({ user: { token: "", "auth-provider": { name: "gcp", config } } }));
  const good = await load({ kubeconfigData: gcp({ "access-token": "t" }) });
  assertEquals((await good.login.obtain()).login.headers, { authorization: "Bearer t" });
  const bad = await load({
    kubeconfigData: gcp({ "access-token": "t", expiry: "2001-01-01T00:00:00Z" }),
  });
  assertStringIncludes((await failure(bad.login.obtain())).message, "Token is expired");
  const unknown = { name: "no-such-provider", config: {} };
  const data = base64(kubeconfig({ user: { token: "", "auth-provider": unknown } }));
  const none = await failure((await load({ kubeconfigData: data })).login.obtain());
  assertStringIncludes(none.message, 'auth-provider "no-such-provider": it gave no token');
});

/** The modules of packages that this program loads. */
async function modulesOf(program: string): Promise<string> {
  const settings = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const options = ["-A", "--no-check", "--log-level=debug", `--config=${settings}`];
  const child = spawn(process.execPath, ["run", ...options, "-"]);
  child.stdin.end(program);
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => log += chunk);
  const [exit] = await once(child, "close");
  assertEquals(exit, 0, log.slice(-2000));
  // The log names each module that is loaded by its path.
  return log;
}

const lib = (file: string) =>
  JSON.stringify(fileURLToPath(new URL(`../../lib/${file}`, import.meta.url)));

Deno.test("the library is loaded once a kubeconfig is there to be read, and not before", async () => {
  const before = await modulesOf(`
    await import(${lib("kube/client.ts")});
    await import(${lib("store/secret_store.ts")});
    const { loadConnection } = await import(${lib("kube/kubeconfig.ts")});
    await loadConnection({ env: {}, home: undefined }).catch(() => {});`);
  assert(!/client-node.*\/dist\//.test(before));
  const after = await modulesOf(`
    const { loadConnection } = await import(${lib("kube/kubeconfig.ts")});
    const kubeconfigData = ${JSON.stringify(base64(kubeconfig()))};
    await loadConnection({ kubeconfigData, env: {}, home: undefined });`);
  assertMatch(after, /client-node.*\/dist\/config\.js/);
  // Not its index, which is the whole client.
  assert(!/client-node.*\/dist\/index\.js/.test(after));
});
