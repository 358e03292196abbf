/**
 * The credentials for the next request, obtained in advance: while those at hand are valid, nobody waits for new
 * ones, however long a plugin or a login server takes (a renewal must not).
 */
import type { Agent, OutgoingHttpHeaders } from "node:http";
import type { TlsOptions } from "./exchange.ts";

/** What a request needs to be let in. */
export interface Login {
  /** `Authorization` and the headers of impersonation. */
  readonly headers: OutgoingHttpHeaders;
  /** How to prove who we are, and whom to trust. */
  readonly tls: TlsOptions;
  /** Where a proxy is configured: the agents that go through it, for requests and for watches. */
  readonly agents?: { readonly requests: Agent; readonly watches: Agent };
}

/** A login and how long to rely on it. */
export interface Obtained {
  /** What requests need. */
  readonly login: Login;
  /** After so many milliseconds a newer one is fetched beside the work. Infinity: only when it is refused. */
  readonly freshForMs: number;
  /** After so many milliseconds it is not used any more. */
  readonly validForMs: number;
}

/** Where logins come from: a kubeconfig's user, a pod's service account. */
export interface LoginSource {
  /** Reads files again, runs the plugin again. Rejects with a KubeError. */
  obtain(): Promise<Obtained>;
  /** What {@link obtain} is waiting for, as a sentence; null when there is nothing to say. */
  waitsFor?(): string | null;
  /** Stops what is under way (a plugin's process). */
  close(): void;
}

/** After a fetch in the background failed, milliseconds until the next try. */
const RETRY_MS = 10_000;

/** Keeps the last login of a source and fetches the next one. */
export class Credentials {
  #source: LoginSource;
  #now: () => number;
  #current: { login: Login; staleAt: number; endsAt: number } | undefined;
  #fetching: Promise<Login> | undefined;

  /** Those of `source`; `now` is a monotonic clock, in milliseconds. */
  constructor(source: LoginSource, now: () => number = () => performance.now()) {
    this.#source = source;
    this.#now = now;
  }

  /** A login that is valid as far as is known here. Rejects with what the source rejects with. */
  get(): Promise<Login> {
    const current = this.#current;
    const now = this.#now();
    if (current === undefined || now >= current.endsAt) return this.#fetch();
    if (now >= current.staleAt) {
      current.staleAt = now + RETRY_MS;
      // The old one is still good: a failure is told when it matters, by the request that needs a new one.
      this.#fetch().catch(() => {});
    }
    return Promise.resolve(current.login);
  }

  /**
   * A login that is not `refused`, which the server turned down, or null when the source has no other one.
   */
  async other(refused: Login): Promise<Login | null> {
    if (this.#current !== undefined && this.#current.login !== refused) return this.#current.login;
    const login = await this.#fetch();
    return login === refused ? null : login;
  }

  /** What a login that has not come about is waiting for, as a sentence. */
  waitsFor(): string {
    return this.#source.waitsFor?.() ??
      "cannot log in to the cluster: where the login comes from (a login server, files) has not answered.";
  }

  /** Lets go of everything. */
  close(): void {
    this.#source.close();
    for (const agent of Object.values(this.#current?.login.agents ?? {})) agent.destroy();
  }

  /** One fetch at a time: all who need one wait for the same. */
  #fetch(): Promise<Login> {
    this.#fetching ??= this.#source.obtain()
      .then(({ login, freshForMs, validForMs }) => {
        const now = this.#now();
        // The same content stays the same object, so that agents and their connections live on.
        const kept = this.#current !== undefined && sameLogin(this.#current.login, login)
          ? this.#current.login
          : login;
        this.#current = { login: kept, staleAt: now + freshForMs, endsAt: now + validForMs };
        return kept;
      })
      .finally(() => this.#fetching = undefined);
    return this.#fetching;
  }
}

function sameLogin(a: Login, b: Login): boolean {
  return JSON.stringify([a.headers, a.tls]) === JSON.stringify([b.headers, b.tls]);
}
