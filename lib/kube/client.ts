/**
 * A small client for a Kubernetes API server: the few requests that a lock needs, each with a hard end.
 *
 * Not the generated client of @kubernetes/client-node 2.0.1: under Deno an answer of it that stalls or is cut never
 * settles (tests/kube/upstream_test.ts waits for the day that it does), it has no time limits, and it opens a connection
 * for each request.
 */
import http from "node:http";
import { failureOfAnswer, isPage } from "./answers.ts";
import { Credentials } from "./credentials.ts";
import type { Login } from "./credentials.ts";
import { KubeError, nounOf } from "./errors.ts";
import type { Target } from "./errors.ts";
import { exchange, whenAborted } from "./exchange.ts";
import type { Answer, Sending } from "./exchange.ts";
import type { Connection } from "./kubeconfig.ts";
import { BrokenExchange, failureOfNetwork } from "./network.ts";
import { Places } from "./places.ts";
import { SecureAgent } from "./secure_agent.ts";
import { openWatch } from "./watch.ts";
import type { KubeWatch, WatchRequest } from "./watch.ts";

/** How a client behaves. */
export interface ClientOptions {
  /** This program's version, for the User-Agent. */
  readonly version: string;
  /** How long a request may take in all, login, connection and answer included; in milliseconds. Default 15 s. */
  readonly requestTimeoutMs?: number;
  /** A watch without a byte for so long is dead; in milliseconds. Default 75 s: bookmarks come every 60 s. */
  readonly silenceMs?: number;
  /**
   * How long the server is asked to keep a watch open, in seconds: for each watch somewhere between the two, so that many
   * who began together do not all come again together. Default 240 to 300.
   */
  readonly watchSeconds?: readonly [shortest: number, longest: number];
  /** Numbers from 0 to below 1. Default Math.random. */
  readonly random?: () => number;
  /** How many connections requests may use; watches have their own. Default 3. */
  readonly sockets?: number;
}

/** One request. */
export interface KubeRequest {
  /** What is wanted of what. */
  readonly target: Target;
  /** Instead of the path that the target says. */
  readonly path?: string;
  /** What follows the question mark, not encoded yet. */
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`. One of a patch makes the request a PATCH, also of the verb `create` (apply). */
  readonly contentType?: string;
  /** `metadata`: of the objects of a list nothing else is sent. */
  readonly view?: "metadata";
  /** Ends the request, as `unknown`. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's own; in milliseconds. */
  readonly timeoutMs?: number;
}

/** Answers are cut off here: 1,000 tickets are 0.8 MB, a Secret at most 1.5 MB. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Where a server does not know it, all of the objects is sent. */
const METADATA_OF_LIST =
  "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

const METHODS = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
} as const;

/** An API server, one user, a few connections. */
export class KubeClient {
  /** The server's address without a path, for people. */
  readonly server: string;
  #base: URL;
  #credentials: Credentials;
  #options: Required<ClientOptions>;
  #agents: { readonly requests: http.Agent; readonly watches: http.Agent };
  #places: Places;
  #closed = new AbortController();

  /** Nothing is sent yet. */
  constructor(connection: Pick<Connection, "server" | "login">, options: ClientOptions) {
    this.server = connection.server.host;
    this.#base = connection.server;
    this.#credentials = new Credentials(connection.login);
    this.#options = {
      requestTimeoutMs: 15_000,
      silenceMs: 75_000,
      watchSeconds: [240, 300],
      random: Math.random,
      sockets: 3,
      ...options,
    };
    const Agent = connection.server.protocol === "http:" ? http.Agent : SecureAgent;
    const { sockets } = this.#options;
    this.#places = new Places(sockets);
    this.#agents = {
      requests: new Agent({ keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets }),
      // A watch has a connection to itself and takes it down with it.
      watches: new Agent({ keepAlive: false }),
    };
  }

  /** The parsed JSON of a 2xx answer. Rejects with {@link KubeError} only, and always within the time limit. */
  async request(request: KubeRequest): Promise<unknown> {
    const { target } = request;
    const deadline = performance.now() + (request.timeoutMs ?? this.#options.requestTimeoutMs);
    const signals = [this.#closed.signal];
    if (request.signal !== undefined) signals.push(request.signal);
    // The agents of TLS and of proxies do not count a connection that is being made.
    const place = this.#places.ask();
    const send = async (login: Login) => {
      await before(
        deadline,
        signals,
        place.taken,
        (stopped) => new BrokenExchange(stopped, "connecting", "", false, ""),
      );
      const sending = this.#sending(request, login, deadline, signals);
      try {
        return await exchange(sending, MAX_BYTES);
      } catch (error) {
        // A read may be sent again when the other end closed an idle connection. A write never: it may have arrived.
        const again = error instanceof BrokenExchange && error.onUsedConnection &&
          error.stopped === "network" && sending.method === "GET";
        if (!again) throw error;
        return await exchange({ ...sending, timeoutMs: deadline - performance.now() }, MAX_BYTES);
      }
    };
    try {
      const login = await before(deadline, signals, this.#credentials.get());
      let answer = await send(login);
      if (answer.status === 401) {
        // Surely not carried out, so even a write may be sent again, once, with another login.
        const other = await before(deadline, signals, this.#credentials.other(login));
        if (other !== null) answer = await send(other);
      }
      return resultOf(target, answer);
    } catch (error) {
      throw this.#failure(target, error);
    } finally {
      place.leave();
    }
  }

  /** Watches one object; its events come by `onEvent`, never before this has returned. */
  watch(request: WatchRequest): KubeWatch {
    const { silenceMs, watchSeconds: [shortest, longest], random, requestTimeoutMs } =
      this.#options;
    return openWatch(request, {
      seconds: Math.round(shortest + random() * (longest - shortest)),
      silenceMs,
      closed: this.#closed.signal,
      login: async (signals, refused) => {
        const wanted = refused === undefined
          ? this.#credentials.get()
          : this.#credentials.other(refused);
        return await before(performance.now() + requestTimeoutMs, signals, wanted);
      },
      sending: (query, login, signals) => ({
        ...this.#sending(
          { target: request.target, path: pathOf({ ...request.target, name: undefined }), query },
          login,
          performance.now() + requestTimeoutMs,
          signals,
        ),
        agent: login.agents?.watches ?? this.#agents.watches,
      }),
      failure: (error) => this.#failure(request.target, error),
    });
  }

  /** Ends what is under way (with `unknown`) and lets go of all connections. */
  close(): void {
    this.#closed.abort();
    this.#credentials.close();
    this.#agents.requests.destroy();
    this.#agents.watches.destroy();
  }

  #sending(
    request: KubeRequest,
    login: Login,
    deadline: number,
    signals: readonly AbortSignal[],
  ): Sending {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/$/, "") + (request.path ?? pathOf(request.target));
    url.search = new URLSearchParams(request.query).toString();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return {
      url,
      method: request.contentType?.includes("-patch+") ? "PATCH" : METHODS[request.target.verb],
      headers: {
        ...login.headers,
        accept: request.view === "metadata" ? METADATA_OF_LIST : "application/json",
        "user-agent": `k8s-lock/${this.#options.version}`,
        ...(body === undefined ? {} : {
          "content-type": request.contentType ?? "application/json",
          "content-length": new TextEncoder().encode(body).length,
        }),
      },
      body,
      tls: login.tls,
      agent: login.agents?.requests ?? this.#agents.requests,
      timeoutMs: Math.max(0, deadline - performance.now()),
      signals,
    };
  }

  #failure(target: Target, error: unknown): KubeError {
    if (error instanceof KubeError) return error;
    if (error instanceof BrokenExchange) return failureOfNetwork(target, this.server, error);
    if (error instanceof LoginTimeout) {
      const why = this.#credentials.waitsFor();
      return new KubeError("unknown", `cannot ${target.verb} ${nounOf(target)}: ${why}`, {
        reason: "LoginTimeout",
      });
    }
    throw error;
  }
}

function pathOf({ group, resource, namespace, name }: Target): string {
  const root = group === "" ? "/api/v1" : `/apis/${group}/v1`;
  const place = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${place}/${resource}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

function resultOf(target: Target, { status, headers, body }: Answer): unknown {
  if (status < 200 || status >= 300) throw failureOfAnswer(target, status, headers, body);
  try {
    const result: unknown = JSON.parse(body);
    if (typeof result === "object" && result !== null) return result;
  } catch {
    // Told below.
  }
  const what = isPage(headers, body) ? "a web page" : "something that is not JSON";
  throw new KubeError(
    "unknown",
    `cannot ${target.verb} ${
      nounOf(target)
    }: ${what} came where an API server answers JSON. A proxy or a login page may ` +
      "stand before the API server: is the server in the kubeconfig right?",
    { status },
  );
}

class LoginTimeout extends Error {}

/** `promise`, or a rejection (`late`) when `deadline` (of performance.now()) or an abort comes first. */
function before<T>(
  deadline: number,
  signals: readonly AbortSignal[],
  promise: Promise<T>,
  late: (stopped: "timeout" | "aborted") => Error = () => new LoginTimeout(),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (stopped: "timeout" | "aborted") => done(() => reject(late(stopped)));
    const timer = setTimeout(() => end("timeout"), deadline - performance.now());
    const forget = whenAborted(signals, () => end("aborted"));
    const done = (settle: () => void) => {
      clearTimeout(timer);
      forget();
      settle();
    };
    promise.then((value) => done(() => resolve(value)), (error) => done(() => reject(error)));
  });
}
