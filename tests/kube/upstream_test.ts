/**
 * Why requests are not sent by the generated client of @kubernetes/client-node: under Deno an answer of it that is cut
 * after its headers never settles. The day this test fails, it does, and `lib/kube/client.ts` may be thought over.
 */
import { assertEquals } from "@std/assert";
import { clientOf, failure, fakeServer, SECRET } from "./fake_server.ts";

/** Settles at once where it settles at all; so long is waited before it is believed not to. */
const PATIENCE_MS = 1_500;

Deno.test({
  name: "of an answer that is cut after its headers the generated client never tells, ours does",
  // What never settles is never cleaned up.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await fakeServer((response, { socket }) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write('{"a":', () => setTimeout(() => socket.destroy(), 20));
    });
    using client = clientOf(server);
    assertEquals((await failure(client.request({ target: SECRET }))).kind, "unknown");

    const { CoreV1Api, KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: "c", server: server.url.origin, skipTLSVerify: true },
      { name: "u" },
    );
    const generated = config.makeApiClient(CoreV1Api)
      .readNamespacedSecret({ name: "a", namespace: "b" })
      .then(() => "answered", () => "failed");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(() => resolve("never settled"), PATIENCE_MS);
    });
    assertEquals(await Promise.race([generated, patience]), "never settled");
    clearTimeout(timer);
  },
});
