/**
 * The part of @kubernetes/client-node that is used: legacy auth providers (OIDC, GCP, Azure) and agents for proxies.
 * Loaded only when a kubeconfig has one of them; its `dist/config.js` without the rest of the client.
 */
import { Buffer } from "node:buffer";
import type { Agent, OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { inOneLine, KubeError } from "./errors.ts";
import type { TlsOptions } from "./exchange.ts";
import type { Fields } from "./kubeconfig_text.ts";

/** What the auth provider of a kubeconfig's user has to say to the server. Rejects with a {@link KubeError}. */
export async function providerHeaders(user: Fields, server: URL): Promise<OutgoingHttpHeaders> {
  const options = await applied(
    { name: "cluster", server: server.href, skipTLSVerify: true },
    { name: "user", authProvider: user["auth-provider"] },
    "log in by the kubeconfig's auth-provider",
  );
  return Object.fromEntries(
    Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** An agent that reaches `server` through `proxy`, with at most `sockets` connections. Rejects with a {@link KubeError}. */
export async function proxyAgent(
  proxy: string,
  server: URL,
  tls: TlsOptions,
  sockets: number,
): Promise<Agent> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const options = await applied(
    {
      name: "cluster",
      server: server.href,
      proxyUrl: proxy,
      // For an http:// server, which has no TLS to verify, the library asks for this word.
      skipTLSVerify: server.protocol === "http:" || tls.rejectUnauthorized === false,
      ...(tls.ca === undefined ? {} : { caData: base64(tls.ca) }),
      ...(tls.servername === undefined ? {} : { tlsServerName: tls.servername }),
    },
    {
      name: "user",
      ...(tls.cert === undefined || tls.key === undefined
        ? {}
        : { certData: base64(tls.cert), keyData: base64(tls.key) }),
    },
    "use the kubeconfig's proxy-url",
  );
  const agent = options.agent as Agent & { keepAlive?: boolean };
  agent.keepAlive = true;
  agent.maxSockets = sockets;
  return agent;
}

async function applied(cluster: object, user: object, purpose: string): Promise<RequestOptions> {
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [cluster],
    users: [user],
    contexts: [{ name: "context", cluster: "cluster", user: "user" }],
    currentContext: "context",
  });
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    const why = error instanceof Error ? inOneLine(error.message, 200) : "unknown error";
    throw new KubeError("unknown", `cannot ${purpose}: ${why}.`, { reason: "Login" });
  }
  return options;
}
