/** One HTTP exchange with a hard end: an answer as a whole, or a {@link BrokenExchange}; never neither. */
import type { Buffer } from "node:buffer";
import http from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { BrokenExchange } from "./network.ts";
import type { Phase } from "./network.ts";
import type { SecureRequestOptions } from "./secure_agent.ts";

/** What TLS needs from a kubeconfig. PEM texts. */
export interface TlsOptions {
  /** The authorities to trust, instead of those of the system. */
  readonly ca?: string;
  /** The client's certificate. */
  readonly cert?: string;
  /** Its key. */
  readonly key?: string;
  /** Which name the server has to prove, instead of that in its address. */
  readonly servername?: string;
  /** False only where the kubeconfig says `insecure-skip-tls-verify`. */
  readonly rejectUnauthorized?: boolean;
}

/** What is sent where, and how long that may take. */
export interface Sending {
  /** Where to. */
  readonly url: URL;
  /** `GET`, `PUT`, …. */
  readonly method: string;
  /** All of them but `Host`. */
  readonly headers: OutgoingHttpHeaders;
  /** JSON. */
  readonly body?: string | undefined;
  /** For an https:// address. */
  readonly tls: TlsOptions;
  /** Whose connections to use. */
  readonly agent: http.Agent;
  /** From now to the headers of the answer (of {@link exchange}: to the end of its body), in milliseconds. */
  readonly timeoutMs: number;
  /** Any of them ends it. */
  readonly signals: readonly AbortSignal[];
}

/**
 * Calls `react` once one of `signals` is aborted: in a later turn where one is already. Returns what makes it forget.
 *
 * Not AbortSignal.any: of a signal that lives as long as the process it keeps a trace for each request.
 */
export function whenAborted(signals: readonly AbortSignal[], react: () => void): () => void {
  let forgotten = false;
  const listener = () => {
    if (!forgotten) react();
  };
  for (const signal of signals) {
    if (signal.aborted) queueMicrotask(listener);
    else signal.addEventListener("abort", listener, { once: true });
  }
  return () => {
    forgotten = true;
    for (const signal of signals) signal.removeEventListener("abort", listener);
  };
}

/** An answer that has begun. */
export interface Begun {
  /** Its headers are there, its body may come. */
  readonly response: IncomingMessage;
  /** Frees the socket at once, whatever state it is in. */
  destroy(): void;
  /** `cause` as an error of this exchange. */
  broken(cause: BrokenExchange["stopped"], error?: unknown): BrokenExchange;
}

/**
 * The connections that have served a request. `reusedSocket` does not tell: it is false for a request that waited in an
 * agent's queue (Node 24, Deno 2.9).
 */
const connections = new WeakSet<Socket>();

/** Sends, and resolves when the headers of the answer are there. Rejects with {@link BrokenExchange} only. */
export function begin(sending: Sending): Promise<Begun> {
  return new Promise((resolve, reject) => {
    let phase: Phase = "connecting";
    let settled = false;
    let onUsedConnection = false;
    let request: http.ClientRequest | undefined;
    const givenUp = new AbortController();
    const broken = (cause: BrokenExchange["stopped"], error?: unknown): BrokenExchange => {
      const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
      return new BrokenExchange(
        cause,
        phase,
        typeof code === "string" ? code : "",
        onUsedConnection,
        typeof message === "string" ? message : "",
      );
    };
    const settle = () => {
      settled = true;
      clearTimeout(timer);
      forget();
    };
    const fail = (error: BrokenExchange) => {
      if (settled) return;
      settle();
      reject(error);
      // Not waited for: under Deno some requests that are destroyed never report it.
      request?.destroy();
      givenUp.abort();
    };
    // Referenced on purpose: a process whose only work is an idle socket may otherwise end early.
    const timer = setTimeout(() => fail(broken("timeout")), sending.timeoutMs);
    const forget = whenAborted(sending.signals, () => fail(broken("aborted")));
    // Told in a moment; nothing is sent.
    if (sending.signals.some((signal) => signal.aborted)) return;

    const { url } = sending;
    try {
      const options: SecureRequestOptions = {
        // An IPv6 address stands in brackets in a URL only.
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port: url.port === "" ? (url.protocol === "http:" ? 80 : 443) : Number(url.port),
        path: url.pathname + url.search,
        method: sending.method,
        headers: sending.headers,
        agent: sending.agent,
        ...sending.tls,
        givenUp: givenUp.signal,
      };
      request = (url.protocol === "http:" ? http : https).request(options);
    } catch (error) {
      // Options that make no sense, such as a key that is no key.
      return fail(broken("network", error));
    }
    request.on("socket", (socket) => {
      // Deno 2.9 sends a request again by itself when a kept connection breaks before the answer, a PUT or POST too
      // (denoland/deno#31932), unless this is false. What arrived twice would be answered by a conflict with itself.
      if (request !== undefined) request.reusedSocket = false;
      if (connections.has(socket)) {
        phase = "waiting";
        onUsedConnection = true;
        return;
      }
      connections.add(socket);
      socket.once(url.protocol === "http:" ? "connect" : "secureConnect", () => phase = "waiting");
    });
    request.on("error", (error) => fail(broken("network", error)));
    request.on("response", (response) => {
      if (settled) return request?.destroy();
      phase = "reading";
      settle();
      // A response without a listener for errors would take the process with it.
      response.on("error", () => {});
      resolve({ response, destroy: () => request?.destroy(), broken });
    });
    request.end(sending.body);
  });
}

/** A whole answer. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Decoded as UTF-8. */
  readonly body: string;
}

/** Sends and reads the whole answer, of at most `maxBytes`. Rejects with {@link BrokenExchange} only. */
export async function exchange(sending: Sending, maxBytes: number): Promise<Answer> {
  const started = performance.now();
  const begun = await begin(sending);
  const { response } = begun;
  return await new Promise<Answer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let settled = false;
    const settle = () => {
      settled = true;
      clearTimeout(timer);
      forget();
    };
    const fail = (cause: BrokenExchange["stopped"], error?: unknown) => {
      if (settled) return;
      settle();
      reject(begun.broken(cause, error));
      begun.destroy();
    };
    const left = Math.max(0, sending.timeoutMs - (performance.now() - started));
    const timer = setTimeout(() => fail("timeout"), left);
    const forget = whenAborted(sending.signals, () => fail("aborted"));

    response.on("data", (chunk: Buffer) => {
      if (settled) return;
      size += chunk.length;
      if (size > maxBytes) return fail("too large");
      chunks.push(chunk);
    });
    response.on("end", () => {
      if (settled) return;
      if (!response.complete) return fail("cut");
      settle();
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: new TextDecoder().decode(joined(chunks, size)),
      });
    });
    // Node and Deno differ in which of these they send when an answer is cut.
    response.on("aborted", () => fail("cut"));
    response.on("error", () => fail("cut"));
    response.on("close", () => fail("cut"));
  });
}

/** One array of all bytes. Most answers are one chunk: those are not copied. */
function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1 && chunks[0] !== undefined) return chunks[0];
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
