/** A TCP proxy that breaks connections on demand. TLS passes through untouched. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** One connection through the proxy: towards the client, and towards the server. */
type Pair = readonly [Socket, Socket];

/**
 * Forwards connections to a server until told otherwise.
 *
 *     await using proxy = await FaultProxy.to("127.0.0.1", port);
 *     proxy.stall();
 */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();
  #mode: "forward" | "stall" | "refuse" | "garbage" = "forward";
  #delayMs = 0;
  #pieceBytes = Infinity;
  #accepted = 0;

  private constructor(host: string, port: number) {
    this.#target = { host, port };
    // Half-open: each side ends its own direction, as through a plain cable.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Starts a proxy to this server on a free port of 127.0.0.1. */
  static async to(host: string, port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(host, port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** As {@link to}, for a URL with a port. */
  static async toUrl(url: string): Promise<FaultProxy> {
    const { hostname, port } = new URL(url);
    return await FaultProxy.to(hostname, Number(port));
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `https://127.0.0.1:<port>`. */
  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** How many connections were accepted so far, those that {@link refuse} broke included. */
  get accepted(): number {
    return this.#accepted;
  }

  /** How many connections are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /**
   * From now on no byte passes, in either direction, on old connections and on new ones, which are
   * accepted. What is sent meanwhile is lost for good: after {@link resume} those connections are damaged
   * and are cut, as those of a network that comes back to peers that gave up.
   */
  stall(): void {
    this.#mode = "stall";
  }

  /**
   * From now on each piece of data comes as noise of the same length, in both directions. After {@link resume} those connections are
   * damaged and are cut.
   */
  garbage(): void {
    this.#mode = "garbage";
  }

  /** Forwards again, at full speed. Connections that were stalled or damaged are cut; new ones work. */
  resume(): void {
    if (this.#mode === "stall" || this.#mode === "garbage") this.cut();
    this.#mode = "forward";
    this.#delayMs = 0;
    this.#pieceBytes = Infinity;
  }

  /** Breaks all open connections (RST, towards both sides). New ones are treated as before. */
  cut(): void {
    for (const pair of this.#pairs) this.#break(pair);
  }

  /** From now on new connections are broken as soon as they are accepted; open ones stay. */
  refuse(): void {
    this.#mode = "refuse";
  }

  /** From now on each piece of data is held back for `ms` milliseconds, in both directions, in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** From now on data comes in pieces of so many bytes, `ms` milliseconds apart, as on a line that is very slow. */
  slow(bytes: number, ms: number): void {
    this.#pieceBytes = bytes;
    this.#delayMs = ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.#accepted++;
    if (this.#mode === "refuse") {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    // The server is dialled in a stall too, so that resume() has nothing to make up for.
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = [client, server];
    this.#pairs.add(pair);
    this.#forward(client, server, pair);
    this.#forward(server, client, pair);
  }

  #forward(from: Socket, to: Socket, pair: Pair): void {
    from.setNoDelay();
    // Each piece waits for the one before it, so that a delay that changes keeps the order.
    let before = Promise.resolve();
    const inTurn = (act: () => void) => {
      const isSlow = this.#pieceBytes !== Infinity;
      const ready = this.#delayMs > 0 && !isSlow ? this.#later(this.#delayMs) : Promise.resolve();
      // A delayed line is long: all that is under way waits side by side. A slow one is narrow: one piece after the other.
      before = before.then(() => isSlow ? this.#later(this.#delayMs) : ready).then(() => {
        if (this.#mode !== "stall" && this.#pairs.has(pair)) act();
      });
    };
    from.on("data", (chunk: Uint8Array) => {
      const size = Math.min(this.#pieceBytes, chunk.length);
      for (let at = 0; at < chunk.length; at += size) {
        const piece = chunk.subarray(at, at + size);
        inTurn(() => to.write(this.#mode === "garbage" ? randomBytes(piece.length) : piece));
      }
    });
    from.on("end", () => inTurn(() => to.end()));
    from.on("error", () => this.#break(pair));
    from.on("close", () => {
      if (pair.every((socket) => socket.destroyed)) this.#pairs.delete(pair);
    });
  }

  #later(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  #break(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of pair) socket.resetAndDestroy();
  }
}
