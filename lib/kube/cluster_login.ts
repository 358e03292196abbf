/**
 * How a kubeconfig's user logs in to its cluster: by @kubernetes/client-node, which is handed the same cluster and user
 * anew whenever a login is obtained. Once it has read something (a token file, a plugin's answer) it keeps it for too long.
 */
import { Buffer } from "node:buffer";
import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import type { Login, LoginSource, Obtained } from "./credentials.ts";
import { inOneLine, KubeconfigError, KubeError } from "./errors.ts";
import { execPlugin, ExecRunner } from "./exec_plugin.ts";
import type { TlsOptions } from "./exchange.ts";
import { newKubeConfig } from "./library.ts";
import type { Choice, Cluster, User } from "./library.ts";

/** How often what stands in files is read again, in milliseconds: client-go's interval is a minute. */
const FILES_MS = 30_000;
/** How often a legacy auth provider is asked again. */
const PROVIDER_MS = 300_000;
/** A credential that a plugin has just made is used for so long, even if this machine's clock calls it expired. */
const LEAST_MS = 10_000;
/** Connections of requests through a proxy. */
const SOCKETS = 3;
/** The fields that name files. */
const FILES = ["certificate-authority", "client-certificate", "client-key", "tokenFile"] as const;

type LibraryUser = Partial<User> & { readonly name: string };

/** A cluster and a user, each checked as far as it can be without the network. */
export class ClusterLogin implements LoginSource {
  #server: URL;
  #cluster: Cluster;
  #user: LibraryUser;
  #headers: Login["headers"];
  #written: Readonly<Record<string, unknown>>;
  #labels: { readonly cluster: string; readonly user: string };
  #exec: ExecRunner | undefined;

  /** Throws {@link KubeconfigError}. */
  constructor({ cluster, user }: Choice, server: URL) {
    // 2.0.1 applies no certificate of the cluster where there is no user.
    const { headers = {}, tokenFile, exec, ...fields } = user?.fields ?? { name: "" };
    this.#server = server;
    this.#cluster = mendedCluster(cluster.fields, server);
    this.#user = mendedUser(fields, tokenFile);
    this.#headers = headers;
    this.#written = { ...cluster.written, ...user?.written };
    this.#labels = { cluster: cluster.label, user: user?.label ?? cluster.label };
    if (user !== null && exec) this.#exec = new ExecRunner(execPlugin(user, cluster));
    const { proxyUrl } = cluster.fields;
    if (proxyUrl && !URL.canParse(proxyUrl)) {
      throw new KubeconfigError(`${cluster.label}: proxy-url is not an address.`);
    }
  }

  /** Reads every file that is named, so that a missing one is told before anything is sent. */
  async check(): Promise<void> {
    const { authProvider: _asked, ...unasked } = this.#user;
    const user = this.#asksProvider() ? unasked : this.#user;
    const options = await this.#applied({}, user).catch((error: Error) => {
      throw new KubeconfigError(error.message);
    });
    const { headers, tls } = this.#loginOf(options);
    const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(this.#server.hostname);
    const secret = "authorization" in headers || this.#exec !== undefined || "key" in tls ||
      this.#asksProvider();
    if (this.#server.protocol === "http:" && !loopback && secret) {
      throw new KubeconfigError(
        `${this.#labels.cluster}: server is an http:// address of another machine, and the user has credentials, which everybody ` +
          "on the way could read. k8s-lock sends none without TLS, except to this machine itself (kubectl proxy). Use https://.",
      );
    }
  }

  /** Reads every file again, runs the plugin again. Rejects with a {@link KubeError}. */
  async obtain(): Promise<Obtained> {
    try {
      return await this.#obtain();
    } catch (error) {
      // In the middle of the work a file that is missing is being exchanged, most likely: to be tried again.
      if (error instanceof KubeconfigError) throw new KubeError("unknown", error.message);
      throw error;
    }
  }

  /** The plugin, or the provider, by its name. */
  waitsFor(): string | null {
    if (this.#exec !== undefined) return this.#exec.waitsFor();
    return this.#asksProvider()
      ? `cannot log in by the ${this.#provider()}: it has not answered.`
      : null;
  }

  /** Ends a plugin under way. */
  close(): void {
    this.#exec?.close();
  }

  async #obtain(): Promise<Obtained> {
    const given: RequestOptions = {};
    const [freshForMs, validForMs] = this.#exec !== undefined
      ? lifetime(await this.#exec.run(given))
      : this.#asksProvider()
      ? [PROVIDER_MS, Infinity]
      : FILES.some((field) => this.#written[field])
      ? [FILES_MS, Infinity]
      : [Infinity, Infinity];
    const options = await this.#applied(given, this.#user);
    const login = this.#loginOf(options);
    if (this.#asksProvider() && !("authorization" in login.headers)) {
      // 2.0.1 says nothing of an OIDC token that it cannot refresh, and goes on as nobody.
      throw this.#mistake(new Error("it gave no token"));
    }
    if (!this.#cluster.proxyUrl) return { login, freshForMs, validForMs };
    // Agents of their own for watches, which would keep requests from their connections.
    const { cert, key } = options;
    const own = await this.#applied({ ...(cert && key ? { cert, key } : {}) }, { name: "" });
    const agents = {
      requests: keepingAlive(options.agent, SOCKETS),
      watches: keepingAlive(own.agent, Infinity),
    };
    return { login: { ...login, agents }, freshForMs, validForMs };
  }

  /** Whether one of the library's legacy providers logs in (OIDC, GCP, Azure), which may ask others. */
  #asksProvider(): boolean {
    return this.#user.authProvider !== undefined && !this.#written["tokenFile"];
  }

  #provider(): string {
    return `kubeconfig's auth-provider "${this.#user.authProvider.name}"`;
  }

  /** `options` with what the library adds. */
  async #applied(options: RequestOptions, user: LibraryUser): Promise<RequestOptions> {
    const config = await newKubeConfig();
    const cluster = this.#cluster;
    config.loadFromOptions({
      clusters: [cluster],
      users: [user],
      contexts: [{ name: "context", cluster: cluster.name, user: user.name }],
      currentContext: "context",
    });
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      throw this.#mistake(error as NodeJS.ErrnoException);
    }
    return options;
  }

  #loginOf(options: RequestOptions): Login {
    const { headers: given = {}, auth, servername, rejectUnauthorized } = options;
    const headers: Login["headers"] = { ...this.#headers };
    if (auth) headers["authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`;
    for (const [name, value] of Object.entries(given)) {
      // 2.0.1 sends the line break at the end of a token's file too.
      headers[name.toLowerCase()] = typeof value === "string" ? value.trim() : value;
    }
    const tokenFile = this.#written["tokenFile"];
    if (tokenFile && !/ ./.test(`${headers["authorization"]}`)) {
      throw new KubeconfigError(
        `${this.#labels.user}: the file of tokenFile, ${tokenFile}, is empty.`,
      );
    }
    const ca = this.#pem(options.ca, "certificate-authority");
    const cert = this.#pem(options.cert, "client-certificate");
    const key = this.#pem(options.key, "client-key");
    if ((cert === undefined) !== (key === undefined)) {
      throw new KubeconfigError(
        `${this.#labels.user} has a client-certificate without a client-key, or the reverse.`,
      );
    }
    const skip = rejectUnauthorized === false && this.#server.protocol === "https:";
    const tls: TlsOptions = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(servername === undefined ? {} : { servername }),
      ...(skip ? { rejectUnauthorized } : {}),
    };
    return { headers, tls };
  }

  #pem(value: unknown, field: typeof FILES[number]): string | undefined {
    if (value === undefined) return undefined;
    const text = `${value}`;
    if (text.includes("-----BEGIN ")) return text;
    throw new KubeconfigError(
      this.#written[`${field}-data`]
        ? `${this.#labelOf(field)}: ${field}-data is not the base64 of a PEM.`
        : `${this.#labelOf(field)}: the file of ${field}, ${this.#written[field]}, is not a PEM.`,
    );
  }

  /** What the library stumbled over: a file, told by its field, or an auth provider. */
  #mistake({ code, path: file, message }: NodeJS.ErrnoException): Error {
    const field = FILES.find((each) => file !== undefined && this.#written[each] === file);
    if (field !== undefined) {
      const why = code === "ENOENT"
        ? "does not exist on this machine. `kubectl config view --raw --flatten` puts such files into the kubeconfig itself."
        : `cannot be read (${code ?? "unknown error"}).`;
      return new KubeconfigError(
        `${this.#labelOf(field)}: the file of ${field}, ${file}, ${why}`,
      );
    }
    const by = this.#asksProvider() ? this.#provider() : this.#labels.user;
    const why = inOneLine(message, 200);
    return new KubeError("unknown", `cannot log in by the ${by}: ${why}.`, { reason: "Login" });
  }

  #labelOf(field: typeof FILES[number]): string {
    return this.#labels[field === "certificate-authority" ? "cluster" : "user"];
  }
}

/** `cluster` without what 2.0.1 takes amiss. */
function mendedCluster({ caFile, ...cluster }: Cluster, server: URL): Cluster {
  return {
    ...cluster,
    // For kubectl data wins, for the library the file.
    ...(cluster.caData || !caFile ? {} : { caFile }),
    // For an http:// server, which has no TLS to verify, the library asks for this word.
    skipTLSVerify: cluster.skipTLSVerify || server.protocol === "http:",
  };
}

/** `user` without what 2.0.1 takes amiss. */
function mendedUser(user: LibraryUser, tokenFile: string | undefined): LibraryUser {
  const { certFile, keyFile, token, ...rest } = user;
  const mended = {
    ...rest,
    ...(rest.certData ? {} : { certFile }),
    ...(rest.keyData ? {} : { keyFile }),
    // As for kubectl a file wins; for the library a token does. This is how it logs in from a pod.
    ...(tokenFile === undefined
      ? { token }
      : { authProvider: { name: "tokenFile", config: { tokenFile } } }),
    // It would be the word undefined.
    ...(rest.username ? { password: rest.password ?? "" } : {}),
  };
  // An empty field is none: the library would impersonate nobody by name.
  const set = Object.entries(mended).filter(([, value]) => value !== "" && value != null);
  return { ...Object.fromEntries(set), name: user.name };
}

/** The library's agent for a proxy, its connections kept. */
function keepingAlive(agent: RequestOptions["agent"], sockets: number): Agent {
  return Object.assign(agent as Agent, { keepAlive: true, maxSockets: sockets });
}

/** For how long a credential of a plugin counts as fresh, and as valid, in milliseconds. */
function lifetime(expiresAt: number | undefined): [number, number] {
  if (expiresAt === undefined) return [Infinity, Infinity];
  const left = expiresAt - Date.now();
  // Fetched anew two minutes ahead, or after half its life where that is shorter; not relied on in its last seconds.
  return [
    Math.max(Math.max(left - 120_000, left / 2), LEAST_MS / 2),
    Math.max(left - 5_000, LEAST_MS),
  ];
}
