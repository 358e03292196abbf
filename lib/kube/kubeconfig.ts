/** Which cluster, as whom, and in which namespace: found as kubectl finds it, and checked before anything is sent. */
import fs from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { ClusterLogin } from "./cluster_login.ts";
import type { Env } from "./cluster_login.ts";
import type { LoginSource } from "./credentials.ts";
import { KubeconfigError } from "./errors.ts";
import { DATA_VARIABLE, decodeKubeconfig, mergeKubeconfigs, textIn } from "./kubeconfig_text.ts";
import type { Entry, Kubeconfig, KubeconfigText } from "./kubeconfig_text.ts";

/** Where to look. */
export interface ConnectionOptions {
  /** `--kubeconfig`: a path, or several as in KUBECONFIG. Wins over all else. */
  readonly kubeconfigPaths?: string | undefined;
  /** A kubeconfig in base64; wins over KUBECONFIG. An empty text is an error: somebody meant to set it. */
  readonly kubeconfigData?: string | undefined;
  /** Instead of the kubeconfig's current context. */
  readonly context?: string | undefined;
  /** Instead of the context's namespace. */
  readonly namespace?: string | undefined;
  readonly env: Env;
  /** The user's home folder; undefined where there is none. */
  readonly home: string | undefined;
  /** Where a pod finds its service account; only tests have another. */
  readonly serviceAccount?: string | undefined;
}

/** One cluster, one user, one namespace. */
export interface Connection {
  readonly server: URL;
  readonly namespace: string;
  /** The context's name; `in-cluster` in a pod. */
  readonly context: string;
  /** Where it was found: paths, a variable, or the pod's folder. */
  readonly from: readonly string[];
  readonly login: LoginSource;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** No kubeconfig comes near it; a file that does is something else. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * The connection for these options: `--kubeconfig`, else the base64 data, else KUBECONFIG, else `~/.kube/config`, else the
 * service account of the pod. Never a default address. Throws {@link KubeconfigError}.
 */
export async function loadConnection(options: ConnectionOptions): Promise<Connection> {
  const texts = await kubeconfigTexts(options);
  if (texts !== null) return await connectionOf(await mergeKubeconfigs(texts), options);
  return await inCluster(options);
}

async function kubeconfigTexts(options: ConnectionOptions): Promise<KubeconfigText[] | null> {
  const { kubeconfigPaths, kubeconfigData, env, home } = options;
  if (kubeconfigPaths !== undefined) return await readAll(kubeconfigPaths, "--kubeconfig");
  if (kubeconfigData !== undefined) {
    return [{ from: DATA_VARIABLE, text: decodeKubeconfig(kubeconfigData), folder: process.cwd() }];
  }
  if (env["KUBECONFIG"]) return await readAll(env["KUBECONFIG"], "KUBECONFIG");
  if (home === undefined) return null;
  const text = await readOne(defaultPath(home), "the default kubeconfig");
  return text === null ? null : [text];
}

const defaultPath = (home: string) => path.join(home, ".kube", "config");

/** The kubeconfigs in a list of paths. One that is missing is passed over, unless all are. */
async function readAll(list: string, option: string): Promise<KubeconfigText[]> {
  const paths = list.split(path.delimiter).filter((file) => file !== "");
  if (paths.length === 0) throw new KubeconfigError(`${option} names no file.`);
  const texts: KubeconfigText[] = [];
  for (const file of paths) {
    const text = await readOne(file, option);
    if (text !== null) texts.push(text);
  }
  if (texts.length > 0) return texts;
  throw new KubeconfigError(
    paths.length === 1
      ? `${option} names ${paths[0]}, which does not exist.`
      : `${option} names ${paths.join(", ")}, none of which exists.`,
  );
}

/** Null when there is no such file. */
async function readOne(file: string, option: string): Promise<KubeconfigText | null> {
  let text: string;
  try {
    const { size } = await fs.stat(file);
    if (size > MAX_BYTES) {
      throw new KubeconfigError(`${file} (${option}) is too large for a kubeconfig.`);
    }
    text = await fs.readFile(file, "utf8");
  } catch (error) {
    if (error instanceof KubeconfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    const why = code === "EISDIR"
      ? "is a folder, not a file"
      : `cannot be read (${code ?? "unknown error"})`;
    throw new KubeconfigError(`${file} (${option}) ${why}.`);
  }
  if (text.trim() === "") {
    throw new KubeconfigError(
      `${file} (${option}) is empty. \`kubectl config view --raw --flatten\` prints a whole kubeconfig.`,
    );
  }
  return { from: file, text, folder: path.dirname(path.resolve(file)) };
}

async function connectionOf(config: Kubeconfig, options: ConnectionOptions): Promise<Connection> {
  const from = config.from.join(", ");
  const there = [...config.contexts.keys()];
  const listed = there.length === 0 ? "It has no contexts" : `It has: ${there.join(", ")}`;
  const name = options.context ?? config.currentContext;
  if (name === undefined) {
    throw new KubeconfigError(
      `${from}: current-context is not set. ${listed}. Choose one with --context.`,
    );
  }
  const context = config.contexts.get(name);
  if (context === undefined) {
    const what = options.context === undefined
      ? `current-context names "${name}", and there is no such context`
      : `there is no context "${name}"`;
    throw new KubeconfigError(`${from}: ${what}. ${listed}.`);
  }
  const cluster = named(config, context, "cluster");
  if (cluster === undefined) throw new KubeconfigError(`${context.label} names no cluster.`);
  const user = named(config, context, "user");
  const server = serverOf(cluster);
  const login = new ClusterLogin(cluster, user ?? null, server, options.env);
  await login.check();
  const namespace = options.namespace ?? textIn(context.fields, "namespace", context.label) ??
    "default";
  return {
    server,
    namespace: checkedNamespace(namespace),
    context: name,
    from: config.from,
    login,
  };
}

function named(config: Kubeconfig, context: Entry, field: "cluster" | "user"): Entry | undefined {
  const name = textIn(context.fields, field, context.label);
  if (name === undefined) return undefined;
  const entry = config[`${field}s`].get(name);
  if (entry !== undefined) return entry;
  throw new KubeconfigError(
    `${context.label}: its ${field} "${name}" is not among the ${field}s of ${
      config.from.join(", ")
    }.`,
  );
}

function serverOf(cluster: Entry): URL {
  const server = textIn(cluster.fields, "server", cluster.label);
  if (server === undefined) throw new KubeconfigError(`${cluster.label} has no server.`);
  // Without a scheme kubectl takes it for http, which is never what is meant.
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new KubeconfigError(`${cluster.label}: server is not an https:// address.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new KubeconfigError(
      `${cluster.label}: server has a password in it; put it into the user.`,
    );
  }
  return url;
}

function checkedNamespace(namespace: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw new KubeconfigError(
    `"${
      namespace.slice(0, 80)
    }" cannot be a namespace: lower-case letters, digits and dashes, at most 63.`,
  );
}

/** The service account of the pod that this runs in, verified to be there. */
async function inCluster(options: ConnectionOptions): Promise<Connection> {
  const { env } = options;
  const folder = options.serviceAccount ?? SERVICE_ACCOUNT;
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  const tokenFile = path.join(folder, "token");
  const missing = !host || !port
    ? "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
    : await exists(tokenFile)
    ? null
    : `${tokenFile} does not exist`;
  if (missing !== null || !host) {
    const home = options.home === undefined
      ? "there is no home folder with a .kube/config"
      : `${defaultPath(options.home)} does not exist`;
    throw new KubeconfigError(
      `no cluster is configured: neither --kubeconfig nor ${DATA_VARIABLE} nor KUBECONFIG is set, ${home}, and this is ` +
        `no pod with a service account (${missing}). Say which cluster with --kubeconfig FILE or ${DATA_VARIABLE}, or ` +
        "use --local for jobs on one machine.",
    );
  }
  if (options.context !== undefined) {
    throw new KubeconfigError(
      `there is no context "${options.context}": without a kubeconfig the pod's service account is used. Say which ` +
        "kubeconfig with --kubeconfig.",
    );
  }
  const server = new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  const entry = (fields: Entry["fields"]): Entry => ({
    name: "in-cluster",
    fields,
    from: folder,
    folder,
    label: `the pod's service account (${folder})`,
  });
  const cluster = entry({ server: server.href, "certificate-authority": "ca.crt" });
  const login = new ClusterLogin(cluster, entry({ tokenFile }), server, env);
  await login.check();
  const own = await fs.readFile(path.join(folder, "namespace"), "utf8").catch(() => "");
  const namespace = options.namespace ?? (own.trim() || "default");
  return {
    server,
    namespace: checkedNamespace(namespace),
    context: "in-cluster",
    from: [folder],
    login,
  };
}

async function exists(file: string): Promise<boolean> {
  return await fs.access(file).then(() => true, () => false);
}
