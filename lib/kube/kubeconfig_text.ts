/** From the text of kubeconfigs to their merged entries. Errors name file and field, and never say what stands there. */
import { Buffer } from "node:buffer";
import { KubeconfigError } from "./errors.ts";

/** One kubeconfig's text and where it comes from. */
export interface KubeconfigText {
  /** What people call it: a path, or a variable's name. */
  readonly from: string;
  readonly text: string;
  /** What relative paths in it are relative to. */
  readonly folder: string;
}

/** A YAML mapping. */
export type Fields = Readonly<Record<string, unknown>>;

/** A cluster, user or context of a kubeconfig, not checked yet. */
export interface Entry {
  readonly name: string;
  readonly fields: Fields;
  readonly from: string;
  readonly folder: string;
  /** For sentences: `users "deployer"`. */
  readonly label: string;
}

/** Several kubeconfigs as one. */
export interface Kubeconfig {
  readonly from: readonly string[];
  readonly clusters: ReadonlyMap<string, Entry>;
  readonly users: ReadonlyMap<string, Entry>;
  readonly contexts: ReadonlyMap<string, Entry>;
  readonly currentContext: string | undefined;
}

/** The variable that holds a kubeconfig in base64. */
export const DATA_VARIABLE = "K8S_LOCK_KUBECONFIG_DATA";
const MAKE_DATA = "`kubectl config view --raw --flatten --minify | base64`";

/** The kubeconfig in base64 `data`. Line breaks in it are fine. Throws {@link KubeconfigError}. */
export function decodeKubeconfig(data: string): string {
  const packed = data.replace(/\s+/g, "");
  if (packed === "") {
    throw new KubeconfigError(
      `${DATA_VARIABLE} is empty. The secret behind it is probably not set, or not given to this run ` +
        `(GitHub gives none to runs from forks). Set it to the output of ${MAKE_DATA}.`,
    );
  }
  if (looksLikeKubeconfig(data)) {
    throw new KubeconfigError(
      `${DATA_VARIABLE} holds the YAML of a kubeconfig where its base64 belongs. Set it to the output of ${MAKE_DATA}.`,
    );
  }
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(packed)) {
    throw new KubeconfigError(
      `${DATA_VARIABLE} is not base64: it has characters that base64 does not use. Was it put in quotes, or cut and pasted ` +
        `with something else? Set it to the output of ${MAKE_DATA}.`,
    );
  }
  if (packed.replace(/=+$/, "").length % 4 === 1) {
    throw new KubeconfigError(
      `${DATA_VARIABLE} is not whole base64: its end is missing. Set it to the whole output of ${MAKE_DATA}.`,
    );
  }
  const bytes = Buffer.from(packed, "base64");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new KubeconfigError(
      `${DATA_VARIABLE} is base64, but not of a text. Set it to the output of ${MAKE_DATA}.`,
    );
  }
  if (/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(text) && !looksLikeKubeconfig(text)) {
    throw new KubeconfigError(
      `${DATA_VARIABLE} is base64, but of something that is no kubeconfig (was it encoded twice?). Set it to the output of ${MAKE_DATA}.`,
    );
  }
  return text;
}

function looksLikeKubeconfig(text: string): boolean {
  return /^\s*\{/.test(text) ||
    /(^|\n)\s*["']?(apiVersion|kind|clusters|contexts|users|current-context)["']?\s*:/.test(text);
}

/**
 * One kubeconfig of several texts, as kubectl merges them: the first to name something wins.
 * Throws {@link KubeconfigError}.
 */
export async function mergeKubeconfigs(texts: readonly KubeconfigText[]): Promise<Kubeconfig> {
  const merged = {
    from: texts.map(({ from }) => from),
    clusters: new Map<string, Entry>(),
    users: new Map<string, Entry>(),
    contexts: new Map<string, Entry>(),
    currentContext: undefined as string | undefined,
  };
  for (const text of texts) {
    const config = await parse(text);
    merged.currentContext ||= textIn(config, "current-context", text.from);
    for (const list of ["clusters", "users", "contexts"] as const) {
      for (const entry of entriesOf(config, list, text)) {
        if (!merged[list].has(entry.name)) merged[list].set(entry.name, entry);
      }
    }
  }
  return merged;
}

async function parse({ from, text }: KubeconfigText): Promise<Fields> {
  // Loaded only here: who keeps the lock in a file needs no YAML. The version is that of @kubernetes/client-node.
  const { load } = await import("npm:js-yaml@^5.1.0");
  let parsed: unknown;
  try {
    parsed = load(text);
  } catch (error) {
    // The parser's own message quotes the lines around the mistake: there may be a token in them.
    const line = (error as { mark?: { line?: unknown } }).mark?.line;
    const where = typeof line === "number" ? ` (line ${line + 1})` : "";
    throw new KubeconfigError(
      `${from} is not valid YAML${where}, so not a kubeconfig.${remedy(from)}`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    const base64 = /^[A-Za-z0-9+/\s]{40,}={0,2}\s*$/.test(text)
      ? ` It looks like base64: that belongs into ${DATA_VARIABLE}.`
      : "";
    throw new KubeconfigError(
      `${from} is not a kubeconfig: it has no clusters, users and contexts.${base64}${
        remedy(from)
      }`,
    );
  }
  return parsed as Fields;
}

function remedy(from: string): string {
  return from === DATA_VARIABLE ? ` Set it to the output of ${MAKE_DATA}.` : "";
}

function entriesOf(
  config: Fields,
  list: "clusters" | "users" | "contexts",
  text: KubeconfigText,
): Entry[] {
  const entries = config[list] ?? [];
  if (!Array.isArray(entries)) throw new KubeconfigError(`${text.from}: ${list} is not a list.`);
  return entries.map((entry: unknown, index) => {
    const item = fieldsOf(entry, `${text.from}: ${list}[${index}]`);
    const name = textIn(item, "name", `${text.from}: ${list}[${index}]`);
    if (name === undefined) {
      throw new KubeconfigError(`${text.from}: ${list}[${index}] has no name.`);
    }
    const label = `${text.from}: ${list} "${name}"`;
    const { from, folder } = text;
    return { name, fields: fieldsOf(item[list.slice(0, -1)] ?? {}, label), from, folder, label };
  });
}

/** `value` as a mapping. Throws {@link KubeconfigError}, which calls it `label`. */
export function fieldsOf(value: unknown, label: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new KubeconfigError(`${label} is not a mapping.`);
  }
  return value as Fields;
}

/** The text in a field, undefined when it is absent or empty. Throws {@link KubeconfigError}. */
export function textIn(fields: Fields, key: string, label: string): string | undefined {
  const value = fields[key] ?? "";
  if (typeof value !== "string") {
    throw new KubeconfigError(`${label}: ${key} is not a text (put it in quotes).`);
  }
  return value === "" ? undefined : value;
}

/** The texts in a list, empty when it is absent. Throws {@link KubeconfigError}. */
export function textsIn(fields: Fields, key: string, label: string): string[] {
  const value = fields[key] ?? [];
  if (!Array.isArray(value) || !value.every((item): item is string => typeof item === "string")) {
    throw new KubeconfigError(`${label}: ${key} is not a list of texts.`);
  }
  return value;
}
