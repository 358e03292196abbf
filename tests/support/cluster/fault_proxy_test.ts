import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { FaultProxy } from "./fault_proxy.ts";

Deno.test("a proxy forwards both ways until told otherwise", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  using client = await dial(proxy.port);
  assertEquals(await client.ask("hello"), "hello");
});

Deno.test("a cut breaks open connections, new ones work", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  using client = await dial(proxy.port);
  await client.ask("hello");
  const answer = client.ask("again");
  proxy.cut();
  await assertRejects(() => answer, Error, "ECONNRESET");
  using next = await dial(proxy.port);
  assertEquals(await next.ask("hello"), "hello");
});

Deno.test("a stalled proxy accepts and swallows, and works again after resume", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  proxy.stall();
  using stalled = await dial(proxy.port);
  const answer = stalled.ask("hello");
  await assertRejects(() => deadline(answer, 100), Error, "no answer");
  proxy.resume();
  await assertRejects(() => answer, Error, "ECONNRESET");
  using client = await dial(proxy.port);
  assertEquals(await client.ask("hello"), "hello");
});

Deno.test("a refusing proxy breaks new connections and keeps the open ones", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  using open = await dial(proxy.port);
  await open.ask("hello");
  proxy.refuse();
  await assertRejects(async () => {
    using refused = await dial(proxy.port); // the reset may come before or after the connect is seen
    await refused.ask("hello");
  }, Error);
  assertEquals(await open.ask("again"), "again");
});

Deno.test("a delaying proxy holds each piece back, in order", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  using client = await dial(proxy.port);
  proxy.delay(50);
  const start = performance.now();
  assertEquals(await client.ask("hello"), "hello");
  assertEquals(performance.now() - start >= 100, true);
});

Deno.test("a proxy that sends garbage lets no byte through as it was, and works again after resume", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  proxy.garbage();
  using client = await dial(proxy.port);
  const sent = "a text too long to come about by chance";
  assertNotEquals(await client.ask(sent), sent);
  proxy.resume();
  using next = await dial(proxy.port);
  assertEquals(await next.ask(sent), sent);
});

Deno.test("a slow proxy lets data through in small pieces, all of it, in order", async () => {
  await using echo = await startEcho();
  await using proxy = await FaultProxy.to("127.0.0.1", echo.port);
  proxy.slow(2, 10);
  using client = await dial(proxy.port);
  const start = performance.now();
  let heard = await client.ask("hello");
  while (heard.length < 5) heard += await client.ask("");
  assertEquals(heard, "hello");
  // Three pieces there, one after the other, and at least the last one back.
  assertEquals(performance.now() - start >= 35, true);
});

interface Client extends Disposable {
  ask(text: string): Promise<string>;
}

async function dial(port: number): Promise<Client> {
  const socket = connect({ host: "127.0.0.1", port });
  const broken = new Promise<never>((_, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
  });
  broken.catch(() => {});
  await once(socket, "connect");
  return {
    async ask(text) {
      socket.write(text);
      const [chunk] = await Promise.race([once(socket, "data"), broken]);
      return String(chunk);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

async function startEcho(): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

async function deadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), ms);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
