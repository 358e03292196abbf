/** What is said to people of records in version 3's form, with the commands that help. */
import type { Result } from "../lock/driver.ts";
import type { LockOptions } from "./options.ts";
import { shellQuote } from "./text.ts";

/** A run without a number has no place in version 3's order. */
export const NO_RUN_NUMBER =
  "turns by run number need the number of a run (GITHUB_RUN_NUMBER), and there is none here";

/** How to name the record in a command, whatever it was named by. */
export function ownFlags({ target, store, namespace, context }: LockOptions): string {
  if (store === "local") return `--local --object ${shellQuote(target.object)}`;
  return [
    `--object ${shellQuote(target.object)}`,
    ...(namespace === null ? [] : [`-n ${shellQuote(namespace)}`]),
    ...(context === null ? [] : [`--context ${shellQuote(context)}`]),
  ].join(" ");
}

/** The command that brings a record into today's form, or back. It needs the lock's name where the record does not know it. */
export function migrateCommand(options: LockOptions, way: "today" | "v3"): string {
  const { target, namespace, context } = options;
  const lock = target.identity === null ? "" : ` ${shellQuote(target.lock)}`;
  const { identity } = target;
  const of = identity === null || identity.scope === "global"
    ? ""
    : ` --scope ${identity.scope} --repo ${
      shellQuote(`${identity.owner}/${identity.repository || "any"}`)
    }`;
  const where = identity === null ? ` ${ownFlags(options)}` : [
    of,
    identity.scope === "global" ? " --scope global" : "",
    namespace === null ? "" : ` -n ${shellQuote(namespace)}`,
    context === null ? "" : ` --context ${shellQuote(context)}`,
  ].join("");
  return `k8s-lock migrate${lock}${where}${way === "v3" ? " --to-v3" : ""}`;
}

/** The command by which a person says which run is next. It wipes nothing else. */
export function resetCommand({ target, namespace, context }: LockOptions, next: number): string {
  const patch = `{"stringData":{"next_build":"${next}"}}`;
  return [
    "kubectl",
    ...(context === null ? [] : [`--context ${shellQuote(context)}`]),
    ...(namespace === null ? [] : [`-n ${shellQuote(namespace)}`]),
    `patch secret ${shellQuote(target.object)} --type merge -p ${shellQuote(patch)}`,
  ].join(" ");
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
    resetCommand(options, number)
  }). Without version 3 re-runs and late jobs are no trouble: ${migrateCommand(options, "today")}`;
}

/** Why the order that was asked for is refused, and the exact commands. */
export function describeOtherOrder(
  stands: "sequential" | "today",
  options: LockOptions,
): string {
  return stands === "sequential"
    ? `the record is in version 3's form, where turns go by run number: leave --order out to take turns with version 3, or bring the record into today's form: ${
      migrateCommand(options, "today")
    }`
    : `the record is in today's form: leave --order out, or bring the record into version 3's form: ${
      migrateCommand(options, "v3")
    }`;
}
