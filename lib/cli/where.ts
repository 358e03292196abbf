/**
 * Which store and which lock: an option before its variable before the default.
 *
 * Everything here throws {@link CliError} (exit 2) for what is wrong.
 */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import type { Ci, CiProduct, Env } from "../ci/detect.ts";
import type { Identity } from "../lock/record.ts";
import { usage } from "./errors.ts";
import { WHERE } from "./flags.ts";
import type { Given } from "./given.ts";
import { exactObjectName, identityOf, lockName, objectName, splitRepository } from "./names.ts";
import type { LockOptions, Target, WhereOptions } from "./options.ts";
import { neutral } from "./text.ts";

/** All that options are made of. */
export interface Asked {
  /** The command's name. */
  readonly command: string;
  /** The options, with the variables that stand for them. */
  readonly given: Given;
  /** For variables that no option stands for. */
  readonly env: Env;
  /** For defaults. */
  readonly ci: Ci;
  /** The arguments that are no options. */
  readonly operands: readonly string[];
  /** What comes after the first `--`; null without one. */
  readonly rest: readonly string[] | null;
  /** Says what was given and has no effect. */
  readonly warn: (message: string) => void;
}

const LEASE =
  "--store lease is not available in this version; leave it out (the lock is then kept in a Secret), or use --local";

/** Where no repository is known a lock is everybody's by default. */
const WITHOUT_REPOSITORY: readonly CiProduct[] = ["none", "other", "argo", "tekton"];

const DEFAULT_REQUEST_TIMEOUT_MS = 15_000;
/** Nothing is gained by waiting longer for one answer, and timers end at 24 days. */
const LONGEST_REQUEST_MS = 3_600_000;

/** The store that was asked for. */
export function whereOptions({ given, env, warn }: Asked): WhereOptions {
  const refusals = new Map([["lease", LEASE]]);
  const typed = given.text(WHERE.store);
  const store = given.has(WHERE.local) && !typed?.typed
    ? "local"
    : given.choice(WHERE.store, "secret", refusals);
  if (given.has(WHERE.local) && store !== "local") {
    throw usage(`--local and --store ${store} contradict each other; leave one of them out`);
  }
  const localPath = given.text(WHERE.localPath);
  if (store !== "local" && localPath?.typed) {
    throw usage("--local-path needs --local: without it the lock is kept in a cluster");
  }
  if (store === "local") {
    for (const flag of [WHERE.kubeconfig, WHERE.context, WHERE.namespace]) {
      const value = given.text(flag);
      if (value?.typed) warn(`${value.from} has no effect with --local`);
    }
  }
  const kubeconfig = given.text(WHERE.kubeconfig);
  const data = env["K8S_LOCK_KUBECONFIG_DATA"]?.trim() ?? "";
  return {
    store,
    localPath: localPath === null ? defaultLocalPath(env) : resolve(localPath.text),
    kubeconfigPaths: kubeconfig?.typed ? kubeconfig.text : null,
    // Empty counts as unset: CI products expand an input that was left out to nothing.
    kubeconfigData: data === "" || kubeconfig?.typed ? null : data,
    context: given.text(WHERE.context)?.text ?? null,
    namespace: namespaceOf(given),
    requestTimeoutMs: given.duration(WHERE.requestTimeout, 100, LONGEST_REQUEST_MS) ??
      DEFAULT_REQUEST_TIMEOUT_MS,
  };
}

function namespaceOf(given: Given): string | null {
  const namespace = given.text(WHERE.namespace);
  if (namespace === null) return null;
  const name = namespace.text.trim();
  if (name.length > 63 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) {
    throw usage(
      `${namespace.from}: "${
        neutral(name, 70)
      }" cannot be a namespace; it is made of small letters, digits and "-", at most 63 characters`,
    );
  }
  return name;
}

/** The file of the local store where none is given: in the user's state folder. */
export function defaultLocalPath(env: Env): string {
  const state = env["XDG_STATE_HOME"] ?? "";
  // A relative one counts as unset, by the specification of these folders.
  if (isAbsolute(state)) return join(state, "k8s-lock", "locks.db");
  const local = env["LOCALAPPDATA"] ?? "";
  if (process.platform === "win32" && local !== "") return join(local, "k8s-lock", "locks.db");
  const home = env["HOME"] || homedir();
  return join(home, ".local", "state", "k8s-lock", "locks.db");
}

/** The one lock that a command is about. */
export function lockOptions(asked: Asked): LockOptions {
  const [lock, second] = [...asked.operands, ...(asked.rest ?? [])];
  if (second !== undefined) {
    throw usage(
      `one lock at a time in this version, but "${neutral(second, 60)}" came after "${
        neutral(lock ?? "", 60)
      }"`,
    );
  }
  return { ...whereOptions(asked), target: targetOf(asked, lock) };
}

function exampleOf(command: string): string {
  return `k8s-lock ${command} deploy${command === "run" ? " -- ./deploy.sh" : ""}`;
}

/** The lock of that name, or the record that `--object` names. */
export function targetOf(asked: Asked, lock: string | undefined): Target {
  const { given } = asked;
  const object = given.text(WHERE.object);
  if (object === null) {
    if (lock === undefined) {
      throw usage(`which lock? Give its name, for example: ${exampleOf(asked.command)}`);
    }
    const identity = identityFor(asked, lockName(lock));
    return { lock: identity.lock, object: objectName(identity), identity, by: "identity" };
  }
  for (const flag of [WHERE.scope, WHERE.repo]) {
    const value = given.text(flag);
    if (value?.typed) throw usage(`--object names the record already; leave ${value.from} out`);
  }
  const name = exactObjectName(object.text);
  return lock === undefined
    ? { lock: name, object: name, identity: null, by: "object" }
    : { lock: lockName(lock), object: name, identity: null, by: "object" };
}

function identityFor({ given, ci }: Asked, lock: string): Identity {
  const repo = given.text(WHERE.repo);
  const path = repo?.text.trim() ?? ci.project ?? "";
  const repository = splitRepository(path);
  if (repo !== null && repository === null) {
    throw usage(`${repo.from}: "${neutral(path, 60)}" is not of the form OWNER/REPO`);
  }
  const ofRepo = repo !== null || !WITHOUT_REPOSITORY.includes(ci.product);
  return identityOf(
    given.choice(WHERE.scope, ofRepo ? "repo" : "global"),
    repository,
    lock,
  );
}
