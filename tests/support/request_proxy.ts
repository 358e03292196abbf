/** A proxy before an API server that holds single requests or their answers back, and breaks them at a chosen moment. */
import { once } from "node:events";
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { Buffer } from "node:buffer";
import type { Kubeconfig } from "./cluster/kubeconfig.ts";
import { within } from "./program.ts";
import {
  type Answer,
  disturb,
  type RequestFault,
  suffer,
  type WatchFault,
} from "./request_faults.ts";

/** Which requests. */
export interface Which {
  readonly method: string;
  /** A part of the path. */
  readonly path: string;
}

/** One request that was caught. */
export interface Caught {
  /** Resolves when there is one, held back as asked. */
  readonly caught: Promise<void>;
  /** Goes on with it. A request whose client has gone is sent all the same, and late. Resolves when it is answered. */
  pass(): Promise<number>;
  /** Has it carried out, and keeps the answer. Resolves with its status. */
  lose(): Promise<number>;
  /** Breaks its connection (RST). */
  reset(): void;
}

/** Before the server has the request; before its answer goes back; in the middle of the answer's body. */
type Where = "request" | "answer" | "body";

interface Trap {
  readonly which: Which;
  readonly where: Where;
  readonly caught: (exchange: Exchange) => void;
}

type Exchange = Omit<Caught, "caught">;

/** What is to become of each request that no trap has caught. */
export type Weather = (asked: Which) => RequestFault | null;

/** Speaks plain HTTP with its clients, who are on this machine, and as `kubeconfig`'s user with the server. */
export class RequestProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #upstream: string;
  readonly #traps: Trap[] = [];
  readonly #faults: { readonly which: Which; readonly fault: RequestFault; met: () => void }[] = [];
  readonly #watching = new Set<{ readonly answer: ServerResponse; readonly said: string[] }>();
  readonly #paused: (() => void)[] = [];
  #watches: "flow" | "paused" = "flow";
  #weather: Weather = () => null;

  private constructor({ object }: Kubeconfig) {
    const cluster = object.clusters[0]?.cluster ?? {};
    const user = object.users[0]?.user ?? {};
    const pem = (text = "") => Buffer.from(text, "base64").toString();
    this.#upstream = cluster["server"] ?? "";
    this.#agent = new Agent({
      keepAlive: true,
      ca: pem(cluster["certificate-authority-data"]),
      cert: pem(user["client-certificate-data"]),
      key: pem(user["client-key-data"]),
    });
    this.#server = createServer((asked, answer) => {
      // A client that goes before all of its request has come has asked for nothing.
      this.#take(asked, answer).catch(() => asked.socket.destroy());
    });
    this.#server.on("connection", (socket) => socket.on("error", () => {}));
  }

  /** Starts one on a free port. */
  static async to(kubeconfig: Kubeconfig): Promise<RequestProxy> {
    const proxy = new RequestProxy(kubeconfig);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Catches the next such request before the server has it. */
  holdRequest(which: Which): Caught {
    return this.#catch(which, "request");
  }

  /** Catches the answer to the next such request: the server has carried it out. */
  holdAnswer(which: Which): Caught {
    return this.#catch(which, "answer");
  }

  /** Catches the answer to the next such request in the middle of its body. */
  holdBody(which: Which): Caught {
    return this.#catch(which, "body");
  }

  /** Has the next such request meet this fault. Resolves when it has come. */
  spoil(which: Which, fault: RequestFault): Promise<void> {
    const met = Promise.withResolvers<void>();
    this.#faults.push({ which, fault, met: met.resolve });
    return within(met.promise, () => `a ${which.method} of ${which.path} at the proxy`);
  }

  /** From now on requests meet what `weather` says. */
  set weather(weather: Weather) {
    this.#weather = weather;
  }

  /** Does this to all watches that are open. Returns how many there were. */
  disturbWatches(fault: WatchFault): number {
    const open = [...this.#watching];
    for (const { answer, said } of open) disturb(fault, answer, said);
    return open.length;
  }

  /** From now on nothing that a watch has to say passes, until {@link resumeWatches}. */
  pauseWatches(): void {
    this.#watches = "paused";
  }

  resumeWatches(): void {
    this.#watches = "flow";
    for (const flow of this.#paused.splice(0)) flow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resumeWatches();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  #catch(which: Which, where: Where): Caught {
    const caught = Promise.withResolvers<Exchange>();
    let exchange: Exchange | undefined;
    this.#traps.push({
      which,
      where,
      caught(found) {
        exchange = found;
        caught.resolve(found);
      },
    });
    const what = () => `a ${which.method} of ${which.path} at the proxy`;
    return {
      get caught() {
        return within(caught.promise, what).then(() => {});
      },
      pass: () => exchange?.pass() ?? Promise.reject(new Error(`no ${what()}`)),
      lose: () => exchange?.lose() ?? Promise.reject(new Error(`no ${what()}`)),
      reset: () => exchange?.reset(),
    };
  }

  #trapFor({ method, url = "" }: IncomingMessage): Trap | undefined {
    const at = this.#traps.findIndex(({ which }) =>
      which.method === method && url.includes(which.path)
    );
    return at < 0 ? undefined : this.#traps.splice(at, 1)[0];
  }

  #faultFor({ method = "", url: path = "" }: IncomingMessage): RequestFault | null {
    const at = this.#faults.findIndex(({ which }) =>
      which.method === method && path.includes(which.path)
    );
    if (at < 0) return this.#weather({ method, path });
    const [found] = this.#faults.splice(at, 1);
    found?.met();
    return found?.fault ?? null;
  }

  async #take(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    // Clients go as they please.
    for (const stream of [asked, answer]) stream.on("error", () => {});
    const trap = this.#trapFor(asked);
    const fault = trap === undefined ? this.#faultFor(asked) : null;
    const body = await bodyOf(asked);
    const forward = () => this.#forward(asked, body).catch(() => undefined);
    // A watch can only be turned away: what becomes of an open one is for `disturbWatches`.
    if (fault !== null && (fault.kind === "answer" || !isWatch(asked))) {
      return await suffer(fault, { asked, answer, forward });
    }
    if (isWatch(asked)) return this.#watch(asked, answer);
    const reset = () => void asked.socket.resetAndDestroy();
    const done = Promise.withResolvers<number>();
    let lost = false;
    const stop = (where: Where) =>
      trap?.where !== where ? Promise.resolve() : new Promise<void>((go) =>
        trap.caught({
          pass() {
            go();
            return done.promise;
          },
          lose() {
            lost = true;
            return this.pass();
          },
          reset,
        })
      );
    await stop("request");
    const answered = await forward();
    if (answered === undefined) return reset();
    const { status, type, body: text } = answered;
    if (lost) return done.resolve(status);
    await stop("answer");
    answer.writeHead(status, { "content-type": type, "content-length": text.length });
    answer.write(text.subarray(0, text.length / 2));
    await stop("body");
    answer.end(text.subarray(text.length / 2));
    done.resolve(status);
  }

  #forward(asked: IncomingMessage, body: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = this.#send(asked, (answer) => {
        bodyOf(answer).then((body) =>
          resolve({
            status: answer.statusCode ?? 0,
            type: answer.headers["content-type"] ?? "",
            body,
          }), reject);
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  #watch(asked: IncomingMessage, answer: ServerResponse): void {
    const inTurn = (act: () => void) => {
      if (this.#watches === "paused") this.#paused.push(act);
      else act();
    };
    const watching = { answer, said: [] as string[] };
    const sent = this.#send(asked, (events) => {
      answer.writeHead(events.statusCode ?? 0, { "content-type": "application/json" });
      answer.flushHeaders();
      this.#watching.add(watching);
      events.on("data", (chunk) =>
        inTurn(() => {
          watching.said.push(String(chunk));
          answer.write(chunk);
        }));
      events.on("close", () => inTurn(() => answer.end())).on("error", () => {});
    });
    sent.on("error", () => answer.destroy());
    answer.on("close", () => {
      this.#watching.delete(watching);
      sent.destroy();
    });
    sent.end();
  }

  #send(asked: IncomingMessage, onAnswer: (answer: IncomingMessage) => void): ClientRequest {
    const { host: _, connection: __, ...headers } = asked.headers;
    const url = new URL(asked.url ?? "", this.#upstream);
    return request(url, { method: asked.method, headers, agent: this.#agent }, onAnswer);
  }
}

function isWatch({ url = "" }: IncomingMessage): boolean {
  return url.includes("watch=");
}

async function bodyOf(message: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of message) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
