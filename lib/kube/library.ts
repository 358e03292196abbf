/**
 * Kubeconfigs as @kubernetes/client-node 2.0.1 reads them, and what it gets wrong made good. Of the library only what
 * parses and logs in is loaded, not the client, and that only where there is a cluster to be reached.
 */
import path from "node:path";
import type { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import type * as types from "@kubernetes/client-node/dist/config_types.js";
import type { Context } from "@kubernetes/client-node/dist/config_types.js";
import { inOneLine, KubeconfigError } from "./errors.ts";
import { notKubeconfig, notYaml } from "./kubeconfig_text.ts";
import type { KubeconfigText } from "./kubeconfig_text.ts";

/**
 * A cluster as the library reads it.
 *
 * @internal Its fields are the package's, and documented there.
 */
export type Cluster = types.Cluster;

/**
 * A user as the library reads it.
 *
 * @internal Its fields are the package's, and documented there.
 */
export type User = types.User;

/** A cluster or a user of a kubeconfig. */
export interface Entry<T> {
  /** As the library has read it. */
  readonly fields: T;
  /** As it is written in a kubeconfig, except that paths are absolute. */
  readonly written: Readonly<Record<string, unknown>>;
  /** For sentences: `config: users "deployer"`. */
  readonly label: string;
}

/** A user's fields that the library knows nothing of. */
export interface MoreOfUser {
  /** The absolute path of a token, which may be rewritten at any time. */
  readonly tokenFile?: string;
  /** Headers of impersonation. */
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** What a context stands for. */
export interface Choice {
  /** The context's name. */
  readonly context: string;
  /** The context's namespace. */
  readonly namespace: string | undefined;
  /** The context's cluster. */
  readonly cluster: Entry<Cluster>;
  /** The context's user. */
  readonly user: Entry<User & MoreOfUser> | null;
}

/**
 * The library's class; its module is loaded by the first call.
 *
 * @internal The class is the package's, and documented there.
 */
export async function newKubeConfig(): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  return new KubeConfig();
}

/** Several kubeconfigs as one. */
interface Merged {
  readonly config: KubeConfig;
  /** Where each of its entries stands. */
  readonly origins: ReadonlyMap<unknown, KubeconfigText>;
  readonly texts: readonly KubeconfigText[];
}

/**
 * What `wanted`, or else the current context, stands for in several kubeconfigs, of which the first to name something
 * wins. Throws {@link KubeconfigError}.
 */
export async function choose(
  texts: readonly KubeconfigText[],
  wanted: string | undefined,
): Promise<Choice> {
  const merged = await merge(texts);
  const { config, origins } = merged;
  const context = await contextOf(merged, wanted);
  onlyTexts(labelOf(merged, "contexts", context), { namespace: context.namespace });
  const { exportCluster, exportUser } = await import(
    "@kubernetes/client-node/dist/config_types.js"
  );
  const clusterFields = await fieldsOf(
    merged,
    context,
    "cluster",
    config.getCluster(context.cluster),
  );
  const cluster = {
    fields: clusterFields,
    written: exportCluster(clusterFields).cluster,
    label: labelOf(merged, "clusters", clusterFields),
  };
  onlyTexts(cluster.label, cluster.written);
  const choice = { context: context.name, namespace: context.namespace, cluster };
  if (context.user === undefined) return { ...choice, user: null };

  const userFields = await fieldsOf(merged, context, "user", config.getUser(context.user));
  const label = labelOf(merged, "users", userFields);
  const more = await moreOf(userFields, label, origins.get(userFields));
  const written = { ...exportUser(userFields).user, tokenFile: more.tokenFile };
  onlyTexts(label, written);
  return { ...choice, user: { fields: { ...userFields, ...more }, written, label } };
}

async function merge(texts: readonly KubeconfigText[]): Promise<Merged> {
  const config = await newKubeConfig();
  const origins = new Map<unknown, KubeconfigText>();
  for (const text of texts) {
    const one = await read(text);
    // By hand: `mergeConfig` of 2.0.1 throws where two have the same name, and its last current-context wins.
    for (const cluster of one.getClusters()) {
      if (config.getCluster(cluster.name) === null) config.addCluster(cluster);
    }
    for (const user of one.getUsers()) if (config.getUser(user.name) === null) config.addUser(user);
    for (const context of one.getContexts()) {
      if (config.getContextObject(context.name) === null) config.addContext(context);
    }
    config.setCurrentContext(config.getCurrentContext() || one.getCurrentContext());
    for (const entry of [one.getClusters(), one.getUsers(), one.getContexts()].flat()) {
      origins.set(entry, text);
    }
  }
  return { config, origins, texts };
}

async function contextOf({ config, texts }: Merged, wanted: string | undefined): Promise<Context> {
  const from = namesOf(texts);
  const names = config.getContexts().map(({ name }) => shown(name));
  const listed = names.length === 0
    ? "It has no contexts"
    : inOneLine(`It has: ${names.join(", ")}`, 1000);
  const name = wanted ?? config.getCurrentContext();
  if (!name) {
    throw new KubeconfigError(
      `${from}: current-context is not set. ${listed}. Choose one with --context.`,
    );
  }
  const context = config.getContextObject(name);
  if (context !== null) return context;
  const what = wanted === undefined
    ? `current-context names "${shown(name)}", and there is no such context`
    : `there is no context "${shown(name)}"`;
  throw new KubeconfigError(`${from}: ${what}${await whatIsWrong(texts)}. ${listed}.`);
}

async function fieldsOf<T>(
  merged: Merged,
  context: Context,
  kind: "cluster" | "user",
  fields: T | null,
): Promise<T> {
  if (fields !== null) return fields;
  const named = `${labelOf(merged, "contexts", context)}: its ${kind} "${shown(context[kind])}"`;
  const where = `${namesOf(merged.texts)}${await whatIsWrong(merged.texts)}`;
  throw new KubeconfigError(`${named} is not among the ${kind}s of ${where}.`);
}

function labelOf({ origins }: Merged, list: string, entry: { readonly name: string }): string {
  return `${origins.get(entry)?.from}: ${list} "${shown(entry.name)}"`;
}

/** A name as it may stand in a message. */
function shown(name: unknown): string {
  return inOneLine(String(name), 200);
}

const namesOf = (texts: readonly KubeconfigText[]) => texts.map(({ from }) => from).join(", ");

/** One kubeconfig, without the entries that the library cannot read: they may be ones that nobody needs. */
async function read(text: KubeconfigText): Promise<KubeConfig> {
  const config = await newKubeConfig();
  try {
    config.loadFromString(text.text, { onInvalidEntry: "filter" });
  } catch (error) {
    // The parser's own message quotes the lines around the mistake: there may be a token in them.
    throw (error as Error).name === "YAMLException"
      ? notYaml(text, (error as { mark?: { line?: unknown } }).mark?.line)
      : notKubeconfig(text) ?? notYaml(text, undefined);
  }
  const { clusters, users, contexts, currentContext } = config;
  if (currentContext === undefined && [clusters, users, contexts].flat().length === 0) {
    const mistake = notKubeconfig(text);
    if (mistake !== null) throw mistake;
  }
  // Not by the library, which throws where one is no text: nobody may need that entry.
  for (const cluster of clusters) makeAbsolute(text.folder, cluster, ["caFile"]);
  for (const user of users) makeAbsolute(text.folder, user, ["certFile", "keyFile"]);
  // 2.0.1 takes a plugin from where we stand; meant is one from the kubeconfig's folder.
  for (const { exec } of users) {
    if (/[\\/]/.test(exec?.command)) exec.command = path.resolve(text.folder, exec.command);
  }
  return config;
}

/** In words of the library, why there may be entries that it has left out; empty where it has none left out. */
async function whatIsWrong(texts: readonly KubeconfigText[]): Promise<string> {
  for (const { from, text } of texts) {
    const config = await newKubeConfig();
    try {
      config.loadFromString(text);
    } catch (error) {
      return ` (${from}: ${inOneLine((error as Error).message, 200)})`;
    }
  }
  return "";
}

function makeAbsolute<T extends object>(
  folder: string,
  entry: T,
  fields: readonly (keyof T)[],
): void {
  for (const field of fields) {
    const value = entry[field];
    // The library's types call them readonly, and its own method writes them all the same.
    if (typeof value === "string" && value !== "") {
      Object.assign(entry, { [field]: path.resolve(folder, value) });
    }
  }
}

/** Fields of a cluster or user that are no texts. */
const NO_TEXTS =
  /^(insecure-skip-tls-verify|disable-compression|exec|auth-provider|as-groups|as-user-extra)$/;

/** 2.0.1 takes anything for a token, though 0123 in YAML is not what was meant. */
function onlyTexts(label: string, fields: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === "string" || (value ?? null) === null || NO_TEXTS.test(key)) continue;
    const hint = typeof value !== "object" || value instanceof Date ? " (put it in quotes)" : "";
    throw new KubeconfigError(`${label}: ${key} is not a text${hint}.`);
  }
}

/** A kubeconfig as it is written, as far as the library leaves it out. */
interface RawKubeconfig {
  readonly kind?: unknown;
  readonly users?: readonly ({
    readonly name?: unknown;
    readonly user?: Readonly<Record<string, unknown>>;
  } | null)[];
}

/** The fields that `loadFromString` of 2.0.1 leaves out of a user. */
const LEFT_OUT = /tokenFile|token-file|as-groups|as-uid|as-user-extra/;

/**
 * What `loadFromString` of 2.0.1 leaves out of a user: `tokenFile`, without which its requests are nobody's, and who else
 * than one user is impersonated.
 */
async function moreOf(
  { name }: User,
  label: string,
  { text, folder }: KubeconfigText = { from: "", text: "", folder: "" },
): Promise<MoreOfUser> {
  // The library's loadYaml comes with a type for each kind of object, which take longer to load than all else: only who needs it does.
  if (!LEFT_OUT.test(text)) return { headers: {} };
  const { loadYaml } = await import("@kubernetes/client-node/dist/yaml.js");
  const { kind = "Config", users } = loadYaml<RawKubeconfig>(text);
  // Of kinds that an API server has, loadYaml gives what belongs to them only.
  if (kind !== "Config" || users === undefined) {
    throw new KubeconfigError(`${label} stands in a file whose kind is not Config.`);
  }
  const user = users.find((each) => each?.name === name)?.user ?? {};
  const textIn = (key: string, value: unknown) => {
    if (typeof value === "string") return value;
    throw new KubeconfigError(`${label}: ${key} is not a text (put it in quotes).`);
  };
  const textsIn = (key: string, value: unknown) => {
    if (Array.isArray(value)) return value.map((each) => textIn(`one of ${key}`, each));
    throw new KubeconfigError(`${label}: ${key} is not a list of texts.`);
  };
  const headers: Record<string, string | string[]> = {};
  const { "as-groups": groups, "as-uid": uid, "as-user-extra": extra } = user;
  if (groups) headers["impersonate-group"] = textsIn("as-groups", groups);
  if (uid) headers["impersonate-uid"] = textIn("as-uid", uid);
  for (const [key, values] of Object.entries(extra ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(key)}`] = textsIn("as-user-extra", values);
  }
  // The second is the library's own name for it; that file is read once, and never again.
  const tokenFile = user["tokenFile"] || user["token-file"];
  return {
    headers,
    ...(tokenFile ? { tokenFile: path.resolve(folder, textIn("tokenFile", tokenFile)) } : {}),
  };
}
