/** The texts of kubeconfigs: where they are looked for, and what is said of those that cannot be read. */
import { Buffer } from "node:buffer";
import fs from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { KubeconfigError } from "./errors.ts";

/** One kubeconfig's text and where it comes from. */
export interface KubeconfigText {
  /** What people call it: a path, or a variable's name. */
  readonly from: string;
  /** YAML, hopefully. */
  readonly text: string;
  /** What relative paths in it are relative to. */
  readonly folder: string;
}

/** Where to look. */
export interface TextOptions {
  /** `--kubeconfig`: a path, or several as in KUBECONFIG. Wins over all else. */
  readonly kubeconfigPaths?: string | undefined;
  /** A kubeconfig in base64; wins over KUBECONFIG. An empty text is an error: somebody meant to set it. */
  readonly kubeconfigData?: string | undefined;
  /** The variables of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder; undefined where there is none. */
  readonly home: string | undefined;
}

/** The variable that holds a kubeconfig in base64. */
export const DATA_VARIABLE = "K8S_LOCK_KUBECONFIG_DATA";
const MAKE_DATA = "`kubectl config view --raw --flatten --minify | base64`";
/** No kubeconfig comes near it; a file that does is something else. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * The kubeconfigs that these options name, at least one, or null where there is none. Throws {@link KubeconfigError}.
 *
 * Not `loadFromDefault` of @kubernetes/client-node 2.0.1: it ends with `http://localhost:8080` where nothing is configured,
 * fails for a missing file among several, and asks `wsl.exe` on Windows.
 */
export async function kubeconfigTexts(options: TextOptions): Promise<KubeconfigText[] | null> {
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

/** Where kubectl keeps its kubeconfig. */
export const defaultPath = (home: string): string => path.join(home, ".kube", "config");

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

/** The kubeconfig in base64 `data`. Line breaks in it are fine. Throws {@link KubeconfigError}. */
function decodeKubeconfig(data: string): string {
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

/** The mistake that a text which is no YAML is; `line` counts from 0. */
export function notYaml({ from }: KubeconfigText, line: unknown): KubeconfigError {
  const where = typeof line === "number" ? ` (line ${line + 1})` : "";
  return new KubeconfigError(
    `${from} is not valid YAML${where}, so not a kubeconfig.${remedy(from)}`,
  );
}

/** The mistake that a text is in which nothing of a kubeconfig was found, or null where it is one all the same. */
export function notKubeconfig({ from, text }: KubeconfigText): KubeconfigError | null {
  if (looksLikeKubeconfig(text)) return null;
  const base64 = /^[A-Za-z0-9+/\s]{40,}={0,2}\s*$/.test(text)
    ? ` It looks like base64: that belongs into ${DATA_VARIABLE}.`
    : "";
  return new KubeconfigError(
    `${from} is not a kubeconfig: it has no clusters, users and contexts.${base64}${remedy(from)}`,
  );
}

function remedy(from: string): string {
  return from === DATA_VARIABLE ? ` Set it to the output of ${MAKE_DATA}.` : "";
}
