/** Which cluster, as whom, and in which namespace: found as kubectl finds it, and checked before anything is sent. */
import fs from "node:fs/promises";
import path from "node:path";
import { ClusterLogin } from "./cluster_login.ts";
import type { LoginSource } from "./credentials.ts";
import { KubeconfigError } from "./errors.ts";
import { DATA_VARIABLE, defaultPath, kubeconfigTexts } from "./kubeconfig_text.ts";
import type { KubeconfigText, TextOptions } from "./kubeconfig_text.ts";
import { choose, newKubeConfig } from "./library.ts";
import type { Choice, Cluster, Entry } from "./library.ts";

/** Where to look, and what to take. */
export interface ConnectionOptions extends TextOptions {
  /** Instead of the kubeconfig's current context. */
  readonly context?: string | undefined;
  /** Instead of the context's namespace. */
  readonly namespace?: string | undefined;
  /** Kubeconfigs as they were once, instead of what stands anywhere now; none: there was none then. */
  readonly frozen?: readonly KubeconfigText[] | undefined;
  /** What a pod's root folder is; only tests have another. */
  readonly root?: string | undefined;
}

/** One cluster, one user, one namespace. */
export interface Connection {
  /** The API server. */
  readonly server: URL;
  /** Asked for, or the context's, or `default`. */
  readonly namespace: string;
  /** The context's name; `in-cluster` in a pod. */
  readonly context: string;
  /** Where it was found: paths, a variable, or the pod's folder. */
  readonly from: readonly string[];
  /** How to log in. */
  readonly login: LoginSource;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The connection for these options: `--kubeconfig`, else the base64 data, else KUBECONFIG, else `~/.kube/config`, else the
 * service account of the pod. Never a default address. Throws {@link KubeconfigError}.
 */
export async function loadConnection(options: ConnectionOptions): Promise<Connection> {
  const texts = await textsOf(options);
  const choice = texts === null ? await inCluster(options) : await choose(texts, options.context);
  const server = serverOf(choice.cluster);
  const login = new ClusterLogin(choice, server);
  await login.check();
  return {
    server,
    namespace: checkedNamespace(options.namespace ?? choice.namespace ?? "default"),
    context: choice.context,
    from: texts?.map(({ from }) => from) ?? [podFolder(options)],
    login,
  };
}

async function textsOf(options: ConnectionOptions): Promise<readonly KubeconfigText[] | null> {
  if (options.frozen === undefined) return await kubeconfigTexts(options);
  return options.frozen.length === 0 ? null : options.frozen;
}

function serverOf({ fields: { server }, label }: Entry<Cluster>): URL {
  // Without a scheme kubectl takes it for http, which is never what is meant.
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new KubeconfigError(`${label}: server is not an https:// address.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new KubeconfigError(`${label}: server has a password in it; put it into the user.`);
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

/** The service account of the pod that this runs in, verified to be there: the library takes it for granted. */
async function inCluster(options: ConnectionOptions): Promise<Choice> {
  const { env, root = "" } = options;
  const folder = podFolder(options);
  const tokenFile = path.join(folder, "token");
  const missing = !env["KUBERNETES_SERVICE_HOST"] || !env["KUBERNETES_SERVICE_PORT"]
    ? "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
    : await exists(tokenFile)
    ? null
    : `${tokenFile} does not exist`;
  if (missing !== null) {
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
  const config = await newKubeConfig();
  config.loadFromCluster(root);
  const [cluster, user] = [config.getCurrentCluster(), config.getCurrentUser()];
  if (cluster === null || user === null) throw new Error("loadFromCluster has loaded nothing");
  const label = `the pod's service account (${folder})`;
  return {
    context: "in-cluster",
    namespace: config.getContexts()[0]?.namespace?.trim() || undefined,
    cluster: { fields: cluster, written: { "certificate-authority": cluster.caFile }, label },
    user: { fields: { ...user, tokenFile, headers: {} }, written: { tokenFile }, label },
  };
}

function podFolder({ root = "" }: ConnectionOptions): string {
  return path.join(root, SERVICE_ACCOUNT);
}

async function exists(file: string): Promise<boolean> {
  return await fs.access(file).then(() => true, () => false);
}
