/** What @kubernetes/client-node is used for, and that it is loaded for nothing else. */
import { assertEquals } from "@std/assert";
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
  const error = await failure(bad.login.obtain());
  assertEquals(error.kind, "unknown");
});

/** Whether @kubernetes/client-node is loaded by who logs in with this kubeconfig. */
async function loadsLibrary(config: string): Promise<boolean> {
  const [kube, settings] = ["../../lib/kube/kubeconfig.ts", "../../deno.json"].map((file) =>
    fileURLToPath(new URL(file, import.meta.url))
  );
  const child = spawn(process.execPath, [
    "run",
    "-A",
    "--no-check",
    "--log-level=debug",
    `--config=${settings}`,
    "-",
  ]);
  child.stdin.end(`
    import { loadConnection } from ${JSON.stringify(kube)};
    const kubeconfigData = ${JSON.stringify(base64(config))};
    const { login } = await loadConnection({ kubeconfigData, env: {}, home: undefined });
    await login.obtain();`);
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => log += chunk);
  const [exit] = await once(child, "close");
  assertEquals(exit, 0, log.slice(-2000));
  // The log names each module of a package that is loaded by its path.
  return /client-node.*\/dist\/config\.js/.test(log);
}

Deno.test("a token or a certificate loads nothing of @kubernetes/client-node", async () => {
  assertEquals(await loadsLibrary(kubeconfig()), false);
  const provider = { name: "gcp", config: { "access-token": "t" } };
  const legacy = kubeconfig({ user: { token: "", "auth-provider": provider } });
  assertEquals(await loadsLibrary(legacy), true);
});
