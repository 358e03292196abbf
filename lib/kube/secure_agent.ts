/** Connections with TLS of which nothing is left when they do not come about. */
import https from "node:https";
import type { RequestOptions } from "node:https";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Options of a request that {@link SecureAgent} knows beside Node's own. */
export interface SecureRequestOptions extends RequestOptions {
  /** Its abort ends a connection that is still being made: nobody waits for it any more. */
  readonly givenUp?: AbortSignal;
}

/**
 * Begins TLS only on a connection that stands. Deno 2.9's `tls.connect` keeps 8 to 16 kB for each connection that is refused
 * (tests/kube/connect_test.ts counts it), which is each try of each waiter while an API server is down; its `net.connect` keeps nothing.
 *
 * An agent does not count a connection before it is made: who must not have too many does not ask for too many at once.
 */
export class SecureAgent extends https.Agent {
  #connecting = new Set<Socket>();

  /** The connection comes by `callback`, as Node allows. */
  override createConnection(
    options: SecureRequestOptions & { keepAliveInitialDelay?: number; noDelay?: boolean },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const { host, port, keepAlive, keepAliveInitialDelay, noDelay, givenUp } = options as
      & typeof options
      & { keepAlive?: boolean };
    const socket = connect({
      host: host ?? "localhost",
      port: Number(port),
      // What Node's own agent asks for.
      ...(keepAlive === undefined ? {} : { keepAlive }),
      ...(keepAliveInitialDelay === undefined ? {} : { keepAliveInitialDelay }),
      ...(noDelay === undefined ? {} : { noDelay }),
    });
    const giveUp = () => socket.destroy();
    const tell = (error: Error) => {
      // The types know no failure: https://nodejs.org/api/http.html#agentcreateconnectionoptions-callback
      (callback as ((error: Error) => void) | undefined)?.(error);
    };
    /** Whether this is the end of its making. */
    const ended = (): boolean => {
      givenUp?.removeEventListener("abort", giveUp);
      return this.#connecting.delete(socket);
    };
    let secured: Duplex | null | undefined;
    this.#connecting.add(socket);
    givenUp?.addEventListener("abort", giveUp);
    socket.on("error", (error) => ended() ? tell(error) : secured?.destroy(error));
    socket.once("close", () => {
      if (ended()) tell(new Error("given up while connecting"));
    });
    socket.once("connect", () => {
      if (!ended()) return;
      try {
        secured = super.createConnection({ ...options, socket } as RequestOptions);
        // Before the request listens itself, for what Deno 2.9 finds out only now: a key that is no key.
        secured?.on("error", () => {});
        if (secured) callback?.(null, secured);
      } catch (error) {
        // Options that make no sense, such as a key that is no key.
        socket.destroy();
        tell(error as Error);
      }
    });
    return undefined;
  }

  /** Those that are being made as well. */
  override destroy(): void {
    for (const socket of this.#connecting) socket.destroy();
    super.destroy();
  }
}
