/** An API server that misbehaves as told, on loopback. */
import { once } from "node:events";
import http from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { KubeClient } from "../../lib/kube/client.ts";
import type { ClientOptions } from "../../lib/kube/client.ts";
import type { Login, LoginSource } from "../../lib/kube/credentials.ts";
import { KubeError } from "../../lib/kube/errors.ts";
import type { Target } from "../../lib/kube/errors.ts";
import type { KubeEvent } from "../../lib/kube/watch.ts";
import { assertRejects } from "@std/assert";
import type { KeyPair } from "../support/cluster/certificates.ts";

/** A request as it came in; its body has been read. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly socket: Socket;
}

/** A running server. */
export interface FakeServer extends AsyncDisposable {
  readonly url: URL;
  readonly asked: readonly Asked[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Resolves when all connections of now are closed. */
  allClosed(): Promise<void>;
}

/** Starts one that answers by `answer`; with a certificate it speaks TLS. */
export async function fakeServer(
  answer: (response: ServerResponse, asked: Asked) => void,
  certificate?: KeyPair,
): Promise<FakeServer> {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    // Clients go as they please here.
    for (const stream of [request, response]) stream.on("error", () => {});
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url = "", headers, socket } = request;
    const one = { method, url, headers, body, socket };
    asked.push(one);
    answer(response, one);
  };
  const server = certificate === undefined
    ? http.createServer(listener)
    : https.createServer({ cert: certificate.certificate, key: certificate.key }, listener);
  server.on(certificate === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`),
    asked,
    get connections() {
      return connections;
    },
    async allClosed() {
      // Not events.once: that rejects when an error comes first, such as a reset.
      await Promise.all(
        [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
      );
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A login that never changes. */
export function plainLogin(login: Login = { headers: {}, tls: {} }): LoginSource {
  return {
    obtain: () => Promise.resolve({ login, freshForMs: Infinity, validForMs: Infinity }),
    close: () => {},
  };
}

/** A client of `server`, impatient unless told otherwise. */
export function clientOf(
  server: FakeServer,
  options: Partial<ClientOptions> = {},
  login: LoginSource = plainLogin(),
): KubeClient & Disposable {
  const client = new KubeClient({ server: server.url, login }, {
    version: "1.2.3",
    requestTimeoutMs: 5_000,
    ...options,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

export const SECRET: Target & { readonly name: string } = {
  verb: "get",
  group: "",
  resource: "secrets",
  namespace: "ci",
  name: "k8s-lock-deploy",
};

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** A Status as an API server sends it. */
export function status(code: number, reason: string, message: string, details?: object): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details };
}

/** The failure that `asked` has to end with. */
export async function failure(asked: Promise<unknown>): Promise<KubeError> {
  return await assertRejects(() => asked, KubeError);
}

/** Watches {@link SECRET} to its end, and returns all that it brought. */
export async function watched(
  client: KubeClient,
  from = "1",
): Promise<{ events: KubeEvent[]; end: KubeEvent & { kind: "ended" } }> {
  const events: KubeEvent[] = [];
  const ended = Promise.withResolvers<KubeEvent & { kind: "ended" }>();
  client.watch({
    target: { ...SECRET, verb: "watch" },
    from,
    onEvent: (event) => {
      if (event.kind === "ended") ended.resolve(event);
      else events.push(event);
    },
  });
  return { end: await ended.promise, events };
}
