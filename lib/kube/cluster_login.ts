/**
 * How a kubeconfig's user logs in to its cluster: tokens, certificates, passwords, impersonation and exec plugins,
 * read anew whenever a login is obtained. What is left, the legacy auth providers and proxies, is done by
 * @kubernetes/client-node, loaded only by those who need it: it doubles the start time and adds a third to the memory.
 */
import { Buffer } from "node:buffer";
import fs from "node:fs/promises";
import type { OutgoingHttpHeaders } from "node:http";
import path from "node:path";
import type { Login, LoginSource, Obtained } from "./credentials.ts";
import { KubeconfigError, KubeError } from "./errors.ts";
import { ExecRunner } from "./exec_plugin.ts";
import type { ExecCredential } from "./exec_plugin.ts";
import type { TlsOptions } from "./exchange.ts";
import { fieldsOf, textIn, textsIn } from "./kubeconfig_text.ts";
import type { Entry, Fields } from "./kubeconfig_text.ts";

/** How often what stands in files is read again, in milliseconds: client-go's interval is a minute. */
const FILES_MS = 30_000;
/** How often a legacy auth provider is asked again. Its caching is broken for OIDC, so not for every request. */
const PROVIDER_MS = 300_000;
/** A credential that a plugin has just made is used for so long, even if this machine's clock calls it expired. */
const LEAST_MS = 10_000;

/** The variables of a process, as far as they are handed on. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A cluster and a user, each checked as far as it can be without the network. */
export class ClusterLogin implements LoginSource {
  #cluster: Entry;
  #user: Entry | null;
  #server: URL;
  #exec: ExecRunner | undefined;

  /** Throws {@link KubeconfigError}. */
  constructor(cluster: Entry, user: Entry | null, server: URL, env: Env) {
    this.#cluster = cluster;
    this.#user = user;
    this.#server = server;
    const exec = user?.fields["exec"] ?? null;
    if (user !== null && exec !== null) {
      this.#exec = execRunner(user, fieldsOf(exec, `${user.label}: exec`), cluster, server, env);
    }
  }

  /** Reads every file that is named, so that a missing one is told before anything is sent. */
  async check(): Promise<void> {
    const tls = await this.#tls();
    const headers = await this.#headers();
    const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(this.#server.hostname);
    const secret = "authorization" in headers || this.#exec !== undefined || "key" in tls ||
      (this.#user?.fields["auth-provider"] ?? null) !== null;
    if (this.#server.protocol === "http:" && !loopback && secret) {
      throw new KubeconfigError(
        `${this.#cluster.label}: server is an http:// address of another machine, and the user has credentials, which everybody ` +
          "on the way could read. k8s-lock sends none without TLS, except to this machine itself (kubectl proxy). Use https://.",
      );
    }
  }

  async obtain(): Promise<Obtained> {
    try {
      return await this.#obtain();
    } catch (error) {
      // In the middle of the work a file that is missing is being exchanged, most likely: to be tried again.
      if (error instanceof KubeconfigError) throw new KubeError("unknown", error.message);
      throw error;
    }
  }

  close(): void {
    this.#exec?.close();
  }

  async #obtain(): Promise<Obtained> {
    let tls = await this.#tls();
    let headers = await this.#headers();
    let [freshForMs, validForMs] = [this.#hasFiles() ? FILES_MS : Infinity, Infinity];
    if (this.#exec !== undefined) {
      const credential = await this.#exec.run();
      if (credential.token !== undefined) {
        headers = { ...headers, authorization: `Bearer ${credential.token}` };
      }
      if (credential.cert !== undefined && credential.key !== undefined) {
        tls = { ...tls, cert: credential.cert, key: credential.key };
      }
      [freshForMs, validForMs] = lifetime(credential);
    }
    if ((this.#user?.fields["auth-provider"] ?? null) !== null) {
      const { providerHeaders } = await import("./library.ts");
      headers = { ...headers, ...await providerHeaders(this.#user?.fields ?? {}, this.#server) };
      freshForMs = PROVIDER_MS;
    }
    let login: Login = { headers, tls };
    const proxy = textIn(this.#cluster.fields, "proxy-url", this.#cluster.label);
    if (proxy !== undefined) {
      const { proxyAgent } = await import("./library.ts");
      const agents = {
        requests: await proxyAgent(proxy, this.#server, tls, 3),
        watches: await proxyAgent(proxy, this.#server, tls, Infinity),
      };
      login = { headers, tls, agents };
    }
    return { login, freshForMs, validForMs };
  }

  async #tls(): Promise<TlsOptions> {
    const { fields, label } = this.#cluster;
    const skip = fields["insecure-skip-tls-verify"] === true;
    const ca = await pem(this.#cluster, "certificate-authority");
    const user = this.#user;
    const cert = user === null ? undefined : await pem(user, "client-certificate");
    const key = user === null ? undefined : await pem(user, "client-key");
    if (user !== null && (cert === undefined) !== (key === undefined)) {
      throw new KubeconfigError(
        `${user.label} has a client-certificate without a client-key, or the reverse.`,
      );
    }
    const servername = textIn(fields, "tls-server-name", label);
    return {
      ...(ca === undefined || skip ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(servername === undefined ? {} : { servername }),
      ...(skip ? { rejectUnauthorized: false } : {}),
    };
  }

  async #headers(): Promise<OutgoingHttpHeaders> {
    if (this.#user === null) return {};
    const { fields, label } = this.#user;
    const headers: OutgoingHttpHeaders = {};
    const token = await tokenOf(this.#user);
    const username = textIn(fields, "username", label);
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    else if (username !== undefined) {
      const password = textIn(fields, "password", label) ?? "";
      headers["authorization"] = `Basic ${
        Buffer.from(`${username}:${password}`).toString("base64")
      }`;
    }
    const as = textIn(fields, "as", label);
    const groups = textsIn(fields, "as-groups", label);
    const uid = textIn(fields, "as-uid", label);
    if (as !== undefined) headers["impersonate-user"] = as;
    if (groups.length > 0) headers["impersonate-group"] = groups;
    if (uid !== undefined) headers["impersonate-uid"] = uid;
    const extras = fieldsOf(fields["as-user-extra"] ?? {}, `${label}: as-user-extra`);
    for (const key of Object.keys(extras)) {
      headers[`impersonate-extra-${encodeURIComponent(key)}`] = textsIn(extras, key, label);
    }
    return headers;
  }

  #hasFiles(): boolean {
    const files = [
      "certificate-authority",
      "client-certificate",
      "client-key",
      "tokenFile",
      "token-file",
    ];
    return [this.#cluster, this.#user].some((entry) => files.some((key) => entry?.fields[key]));
  }
}

/** For how long a credential counts as fresh, and as valid, in milliseconds. */
function lifetime({ expiresAt }: ExecCredential): [number, number] {
  if (expiresAt === undefined) return [Infinity, Infinity];
  const left = expiresAt - Date.now();
  // Fetched anew two minutes ahead, or after half its life where that is shorter; not relied on in its last seconds.
  return [
    Math.max(Math.max(left - 120_000, left / 2), LEAST_MS / 2),
    Math.max(left - 5_000, LEAST_MS),
  ];
}

/** A token as it stands, or in a file, which wins as with kubectl. `token-file` is how some tools write it. */
async function tokenOf(user: Entry): Promise<string | undefined> {
  const { fields, label } = user;
  const key = textIn(fields, "tokenFile", label) !== undefined ? "tokenFile" : "token-file";
  const file = textIn(fields, key, label);
  if (file === undefined) return textIn(fields, "token", label)?.trim();
  const token = (await read(user, key, file)).trim();
  if (token === "") throw new KubeconfigError(`${label}: the file of ${key}, ${file}, is empty.`);
  return token;
}

/** The PEM in field `key`-data (base64), or in the file that field `key` names; as kubectl, data wins. */
async function pem(entry: Entry, key: string): Promise<string | undefined> {
  const { fields, label } = entry;
  const data = textIn(fields, `${key}-data`, label);
  const file = textIn(fields, key, label);
  if (data !== undefined) {
    const text = Buffer.from(data, "base64").toString("utf8");
    if (text.includes("-----BEGIN ")) return text;
    throw new KubeconfigError(`${label}: ${key}-data is not the base64 of a PEM.`);
  }
  if (file === undefined) return undefined;
  const text = await read(entry, key, file);
  if (text.includes("-----BEGIN ")) return text;
  throw new KubeconfigError(`${label}: the file of ${key}, ${file}, is not a PEM.`);
}

async function read(entry: Entry, key: string, file: string): Promise<string> {
  try {
    return await fs.readFile(path.resolve(entry.folder, file), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT"
      ? "does not exist on this machine. `kubectl config view --raw --flatten` puts such files into the kubeconfig itself."
      : `cannot be read (${code ?? "unknown error"}).`;
    throw new KubeconfigError(`${entry.label}: the file of ${key}, ${file}, ${why}`);
  }
}

function execRunner(user: Entry, exec: Fields, cluster: Entry, server: URL, env: Env): ExecRunner {
  const label = `${user.label}: exec`;
  const command = textIn(exec, "command", label);
  const apiVersion = textIn(exec, "apiVersion", label);
  if (command === undefined) throw new KubeconfigError(`${label} has no command.`);
  if (apiVersion === undefined) throw new KubeconfigError(`${label} has no apiVersion.`);
  if (textIn(exec, "interactiveMode", label) === "Always") {
    throw new KubeconfigError(
      `${label} wants a person at a terminal (interactiveMode: Always), and k8s-lock runs plugins without one. Use a user with a token.`,
    );
  }
  const own: Record<string, string> = {};
  const list = exec["env"] ?? [];
  if (!Array.isArray(list)) throw new KubeconfigError(`${label}: env is not a list.`);
  for (const item of list) {
    const pair = fieldsOf(item, `${label}: env`);
    own[textIn(pair, "name", `${label}: env`) ?? ""] = textIn(pair, "value", `${label}: env`) ?? "";
  }
  delete own[""];
  const told = [
    "certificate-authority-data",
    "tls-server-name",
    "proxy-url",
    "insecure-skip-tls-verify",
  ]
    .filter((key) => cluster.fields[key] !== undefined)
    .map((key) => [key, cluster.fields[key]]);
  return new ExecRunner({
    command,
    args: textsIn(exec, "args", label),
    apiVersion,
    // Undefined takes a variable out: plugins need no kubeconfig from us.
    env: { ...env, K8S_LOCK_KUBECONFIG_DATA: undefined, ...own },
    folder: user.folder,
    installHint: textIn(exec, "installHint", label) ?? "",
    ...(exec["provideClusterInfo"] === true
      ? { cluster: { server: server.href, ...Object.fromEntries(told) } }
      : {}),
  });
}
