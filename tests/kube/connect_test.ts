/** The way to a server that cannot be reached: nothing of a try is left, neither memory nor a connection under way. */
import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { KubeClient } from "../../lib/kube/client.ts";
import type { Connection } from "../../lib/kube/kubeconfig.ts";
import { newAuthority, newServerCertificate } from "../support/cluster/certificates.ts";
import { failure, fakeServer, json, plainLogin, SECRET } from "./fake_server.ts";

const authority = newAuthority();
const trusting = plainLogin({ headers: {}, tls: { ca: authority.certificate } });
const connectionTo = (server: URL): Pick<Connection, "server" | "login"> => ({
  server,
  login: trusting,
});

/** Some 14 kB were left of each of them where TLS had begun before there was a connection (Deno 2.9). */
const REFUSALS = 2_000;
const ALLOWED = 8 * 1024 * 1024;

Deno.test("thousands of connections that are refused leave nothing in memory", async () => {
  const program = `
    const { KubeClient } = await import(${
    JSON.stringify(import.meta.resolve("../../lib/kube/client.ts"))
  });
    const { ca } = JSON.parse(Deno.args[0]);
    const client = new KubeClient({
      server: new URL("https://127.0.0.1:1"),
      login: {
        obtain: () => Promise.resolve({ login: { headers: {}, tls: { ca } }, freshForMs: Infinity, validForMs: Infinity }),
        close: () => {},
      },
    }, { version: "1" });
    const target = ${JSON.stringify(SECRET)};
    const onEvent = () => {};
    const refused = async (count) => {
      for (let i = 0; i < count; i++) {
        await client.request({ target }).then(() => { throw new Error("answered"); }, ({ reason }) => {
          if (reason !== "ECONNREFUSED") throw new Error(reason);
        });
        // Each waiter has a watch beside its requests.
        if (i % 2 === 0) {
          await new Promise((resolve) => client.watch({ target: { ...target, verb: "watch" }, from: "", onEvent: resolve }));
        }
      }
      globalThis.gc(); globalThis.gc();
      return Deno.memoryUsage().heapUsed;
    };
    const before = await refused(100);
    console.log(await refused(${REFUSALS}) - before);
    client.close();`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--ext=js",
      `--config=${fileURLToPath(new URL("../../deno.json", import.meta.url))}`,
      "--v8-flags=--expose-gc",
      `data:text/javascript,${encodeURIComponent(program)}`,
      JSON.stringify({ ca: authority.certificate }),
    ],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const left = Number(new TextDecoder().decode(stdout));
  assert(left < ALLOWED, `${left} bytes of ${REFUSALS} requests`);
});

Deno.test("many requests with TLS share at most three connections", async () => {
  const certificate = newServerCertificate(authority, { commonName: "server" }, ["127.0.0.1"]);
  await using server = await fakeServer((response) => json(response, {}), certificate);
  const client = new KubeClient(connectionTo(server.url), { version: "1" });
  await Promise.all(Array.from({ length: 30 }, () => client.request({ target: SECRET })));
  assert(server.connections <= 3, `${server.connections} connections`);
  client.close();
});

/** An address where connections neither come about nor are refused: as many wait there already as may. */
async function fullPort() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr as Deno.NetAddr;
  const sockets = Array.from({ length: 4 }, () => net.connect(port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => {});
  const underWay = (): number =>
    Deno.readTextFileSync("/proc/net/tcp").split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , to, state]) =>
        state === "02" && Number.parseInt(to?.split(":")[1] ?? "", 16) === port
      ).length;
  const until = async (count: number) => {
    while (underWay() !== count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  // Two of the four fill it.
  await until(2);
  return {
    url: new URL(`https://127.0.0.1:${port}`),
    /** Resolves when so many of others try to connect. */
    tried: (count: number) => until(count + 2),
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test({
  ...onLinux,
  name: "a request that is given up while it connects leaves no connection under way",
  async fn() {
    using port = await fullPort();
    const client = new KubeClient(connectionTo(port.url), { version: "1" });
    const control = new AbortController();
    const asked = failure(client.request({ target: SECRET, signal: control.signal }));
    await port.tried(1);
    control.abort();
    assertEquals((await asked).reason, "aborted");
    await port.tried(0);
    client.close();
  },
});

Deno.test({
  ...onLinux,
  name: "a connection that does not come about ends in the request's time, with nothing under way",
  async fn() {
    using port = await fullPort();
    const client = new KubeClient(connectionTo(port.url), { version: "1", requestTimeoutMs: 200 });
    const error = await failure(client.request({ target: SECRET }));
    assertEquals([error.kind, error.reason], ["unknown", "timeout"]);
    assert(error.message.includes("no connection to 127.0.0.1:"), error.message);
    await port.tried(0);
    client.close();
  },
});

Deno.test({
  ...onLinux,
  name: "closing the client ends what connects, requests that wait for a connection and watches",
  async fn() {
    using port = await fullPort();
    const client = new KubeClient(connectionTo(port.url), { version: "1" });
    const asked = Array.from({ length: 5 }, () => failure(client.request({ target: SECRET })));
    client.watch({ target: { ...SECRET, verb: "watch" }, from: "", onEvent: () => {} });
    await port.tried(4);
    client.close();
    for (const one of asked) assertEquals((await one).reason, "aborted");
    await port.tried(0);
  },
});
