/** What is said to people of records in version 3's form, with the commands that help. */
import type { Ci } from "../ci/detect.ts";
import type { Result } from "../lock/driver.ts";
import { foldCase } from "../lock/identity.ts";
import type { Identity } from "../lock/record.ts";
import type { LockOptions, Target } from "./options.ts";
import { shellQuote } from "./text.ts";

/** A run without a number has no place in version 3's order. */
export const NO_RUN_NUMBER =
  "turns by run number are those of GitHub's runs (GITHUB_RUN_NUMBER) in a lock of their own repository, and this is none";

/** The highest that a record in version 3's form can hold: 15 digits. */
export const MOST_NUMBER = 10 ** 15 - 1;

/**
 * The number by which this run takes its turns in version 3's form, or null. Version 3 knows GitHub's runs alone, and a lock of their own
 * repository. With a number that counts something else one would hold beside the run that has it, or pass it.
 */
export function turnNumber(
  { product, project, runNumber }: Pick<Ci, "product" | "project" | "runNumber">,
  { identity, object }: Pick<Target, "identity" | "object">,
): number | null {
  // At its end the number after it is written, which has to be one that can be read again.
  if (runNumber === null || runNumber >= MOST_NUMBER) return null;
  if (product !== "github" || project === null) return null;
  const own = foldCase(project);
  const isOwn = identity === null
    ? object.startsWith(`k8s-lock-${own.replaceAll("/", "-")}-`)
    // Wider scopes are nobody's but ours.
    : identity.scope !== "repo" || foldCase(`${identity.owner}/${identity.repository}`) === own;
  return isOwn ? runNumber : null;
}

/** How to name the record in a command, whatever it was named by. */
export function ownFlags({ target, store, namespace, context }: LockOptions): string {
  if (store === "local") return `--local --object ${shellQuote(target.object)}`;
  return [
    `--object ${shellQuote(target.object)}`,
    ...(namespace === null ? [] : [`-n ${shellQuote(namespace)}`]),
    ...(context === null ? [] : [`--context ${shellQuote(context)}`]),
  ].join(" ");
}

/** The command that brings a record into today's form, or back. By its name where that is known: a record of version 3 does not say it. */
export function howToMigrate(options: LockOptions, way: "today" | "v3"): string {
  const { target, namespace, context } = options;
  const { identity } = target;
  const lock = identity === null ? "" : ` ${shellQuote(target.lock)}`;
  const where = identity === null ? [ownFlags(options)] : [
    ...scopeFlags(identity),
    ...(namespace === null ? [] : [`-n ${shellQuote(namespace)}`]),
    ...(context === null ? [] : [`--context ${shellQuote(context)}`]),
  ];
  return [`k8s-lock migrate${lock}`, ...where, ...(way === "v3" ? ["--to-v3"] : [])].join(" ");
}

function scopeFlags({ scope, owner, repository }: Identity): string[] {
  switch (scope) {
    case "repo":
      return [`--repo ${shellQuote(`${owner}/${repository}`)}`];
    case "owner":
      return ["--scope owner", `--repo ${shellQuote(`${owner}/any`)}`];
    case "global":
      return ["--scope global"];
  }
}

/** A Secret as kubectl is told of it. */
export interface SecretName {
  /** Null: the context's. */
  readonly namespace: string | null;
  /** Null: the kubeconfig's current one. */
  readonly context: string | null;
  /** Of the Secret. */
  readonly name: string;
}

/** The Secret that a command is about. */
export function secretOf({ target, namespace, context }: LockOptions): SecretName {
  return { namespace, context, name: target.object };
}

/** The command by which a person says which run is next. It wipes nothing else. */
export function resetCommand(secret: SecretName, next: number | "NUMBER"): string {
  return patchCommand(secret, "merge", `{"stringData":{"next_build":"${next}"}}`);
}

function patchCommand({ namespace, context, name }: SecretName, type: string, patch: string) {
  return [
    "kubectl",
    ...(context === null ? [] : [`--context ${shellQuote(context)}`]),
    ...(namespace === null ? [] : [`-n ${shellQuote(namespace)}`]),
    `patch secret ${shellQuote(name)} --type ${type} -p ${shellQuote(patch)}`,
  ].join(" ");
}

/** What helps where the number of a record is what is wrong with it; null where that is something else. */
export function howToMendNumber(message: string, secret: SecretName): string | null {
  if (!message.includes("next_build")) return null;
  if (message.includes("today's form")) {
    const patch = '[{"op":"remove","path":"/data/next_build"}]';
    return patchCommand(secret, "json", patch);
  }
  return `put the number of the run there that is next: ${resetCommand(secret, "NUMBER")}`;
}

/** Why a run whose number was passed cannot hold, and what to do. */
export function describePassed(
  { number, next }: Extract<Result, { kind: "passed" }>,
  options: LockOptions,
  attempt: number | null,
): string {
  const who = (attempt ?? 1) > 1
    ? `this is a re-run of run ${number}, and a re-run keeps its number`
    : `this is run ${number}, whose turn is over: all its jobs that waited had the lock, or its number was passed without it`;
  return `the record is in version 3's form and run ${next} is next; ${who}. It can hold if its number is set again while nobody holds (${
    resetCommand(secretOf(options), number)
  }). Without version 3 re-runs and late jobs are no trouble: ${howToMigrate(options, "today")}`;
}

/** Why the order that was asked for is refused, and the exact commands. */
export function describeOtherOrder(
  stands: "sequential" | "today",
  options: LockOptions,
): string {
  return stands === "sequential"
    ? `the record is in version 3's form, where turns go by run number: leave --order out to take turns with version 3, or bring the record into today's form: ${
      howToMigrate(options, "today")
    }`
    : `the record is in today's form: leave --order out, or bring the record into version 3's form: ${
      howToMigrate(options, "v3")
    }`;
}
