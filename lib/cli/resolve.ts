/**
 * Each command's options: an option before its variable before the default.
 *
 * Everything here throws {@link CliError} (exit 2) for what is wrong.
 */
import type { Env } from "../ci/detect.ts";
import type { HolderJob } from "../lock/record.ts";
import { LEAST_TTL_MS, MAX_DURATION_MS } from "./durations.ts";
import { Exit, usage } from "./errors.ts";
import { expiryOf } from "./expiry.ts";
import {
  ACQUIRING,
  BREAKING,
  HOLDING,
  MIGRATING,
  OUTPUT,
  RUNNING,
  TAKING,
  WHERE,
} from "./flags.ts";
import type { Flag } from "./flags.ts";
import type { Given } from "./given.ts";
import type {
  AcquireOptions,
  BreakOptions,
  Enclosing,
  Format,
  ListOptions,
  LockOptions,
  MigrateOptions,
  ReleaseOptions,
  RenewOptions,
  RunOptions,
  StatusOptions,
  TakeOptions,
  VerifyOptions,
} from "./options.ts";
import { neutral } from "./text.ts";
import { MOST_NUMBER, NO_RUN_NUMBER, turnNumber } from "./v3.ts";
import { lockOptions, targetOf, whereOptions } from "./where.ts";
import type { Asked } from "./where.ts";

const DEFAULT_TTL_MS = 60_000;
/** So that no renewer lives for ever whose job is long gone. */
const DEFAULT_MAX_HOLD_MS = 6 * 3600 * 1000;
/** One attempt of version 3: it looked, and slept for so long. */
const ATTEMPT_MS = 10_000;

/** Variables of options that this version does not have: ignored, they would promise what nobody keeps. */
const NOT_YET = [
  "K8S_LOCK_PRIORITY",
  "K8S_LOCK_SLOTS",
  "K8S_LOCK_POOL",
  "K8S_LOCK_OWNER",
];

function takeOptions(
  asked: Asked,
  heldFor: HolderJob["held_for"],
): Omit<TakeOptions, "maxHoldMs"> {
  const { given, ci } = asked;
  const early = NOT_YET.find((name) => (asked.env[name]?.trim() ?? "") !== "");
  if (early !== undefined) {
    throw usage(`${early} is set, and this version of k8s-lock has no such option; unset it`);
  }
  const where = lockOptions(asked);
  const attempts = given.integer(TAKING.maxAttempts, 0);
  const attemptsMs = attempts === null ? null : Math.min(attempts * ATTEMPT_MS, MAX_DURATION_MS);
  const timeoutMs = given.duration(TAKING.timeout, 0);
  return {
    ...where,
    ...orderOptions(asked, where),
    timeoutMs: timeoutMs === null || attemptsMs === null
      ? timeoutMs ?? attemptsMs
      : Math.min(timeoutMs, attemptsMs),
    ttlMs: given.duration(TAKING.ttl, LEAST_TTL_MS) ?? DEFAULT_TTL_MS,
    expiry: expiryOf(asked, heldFor),
    holder: neutral(given.text(TAKING.holder)?.text ?? "") || neutral(ci.holder),
    description: neutral(given.text(TAKING.description)?.text ?? ci.description),
    link: linkText(given.text(TAKING.link)?.text ?? ci.link),
  };
}

/** Orders of a later version, so that nobody takes them for a slip of the pen. */
const LATER_ORDERS = new Map(
  ["build", "newest"].map((order) => [
    order,
    `the order ${order} is not available in this version; say fifo or sequential, or leave it out`,
  ]),
);

function orderOptions(
  { given, ci }: Asked,
  { store, target }: LockOptions,
): Pick<TakeOptions, "order" | "runNumber" | "runAttempt" | "skipAfterMs"> {
  const word = given.text(TAKING.order);
  const order = word === null ? null : given.choice(TAKING.order, "fifo", LATER_ORDERS);
  if (order === "sequential" && store === "local") {
    throw usage(
      `${word?.from}: sequential is how version 3 takes turns, and that knows no locks of one machine; leave it out`,
    );
  }
  const runNumber = turnNumber(ci, target);
  if (order === "sequential" && runNumber === null) {
    throw usage(`${word?.from}: ${NO_RUN_NUMBER}`);
  }
  const skipAfterMs = given.duration(TAKING.skipAfter, 1000);
  if (skipAfterMs !== null && order === "fifo") {
    throw usage("--skip-after has no meaning with the order fifo, where nobody waits for a number");
  }
  return { order, runNumber, runAttempt: ci.runAttempt, skipAfterMs };
}

/** A link as it is stored: one word. */
function linkText(link: string): string {
  // Again: it has become longer than it was.
  return neutral(neutral(link).replace(/\s+/g, "%20"));
}

/** Needs a command after `--`; held without a limit by default. */
export function runOptions(asked: Asked): RunOptions {
  const example = `for example: k8s-lock run ${
    neutral(asked.operands[0] ?? "deploy", 60)
  } -- ./deploy.sh`;
  if (asked.rest === null) throw usage(`run needs a command after "--"; ${example}`);
  const [program, ...args] = asked.rest;
  if (program === undefined) throw usage(`there is no command after "--"; ${example}`);
  if (program === "") throw usage(`the command after "--" is empty; ${example}`);
  return {
    ...takeOptions({ ...asked, rest: null }, "job"),
    maxHoldMs: asked.given.duration(TAKING.maxHold, 1000),
    onLost: asked.given.choice(RUNNING.onLost, "kill"),
    conflictExitCode: asked.given.integer(RUNNING.conflictExitCode, 0, 255) ?? Exit.notInTime,
    command: [program, ...args],
  };
}

/** Held for 6 h at most by default, where nothing else bounds it. */
export function acquireOptions(asked: Asked): AcquireOptions {
  const { given } = asked;
  const renewal = given.has(ACQUIRING.noRenew) ? "none" : "background";
  if (renewal === "none") {
    for (const flag of [TAKING.maxHold, ACQUIRING.watchPid]) {
      const value = given.text(flag);
      if (value?.typed) {
        throw usage(
          `${value.from} and --no-renew contradict each other: without renewals the lock is held for one TTL at most, so say --ttl`,
        );
      }
    }
  }
  const watchPid = given.integer(ACQUIRING.watchPid, 1, 2 ** 31 - 1);
  const maxHoldMs = given.duration(TAKING.maxHold, 1000);
  const endless = watchPid !== null || renewal === "none";
  return {
    ...takeOptions(asked, renewal === "none" ? "ttl" : "job"),
    maxHoldMs: renewal === "none" ? null : maxHoldMs ?? (endless ? null : DEFAULT_MAX_HOLD_MS),
    onBusy: given.choice(ACQUIRING.onBusy, "fail"),
    watchPid,
    renewal,
    output: formatOf(given),
  };
}

/** `--strict` makes having nothing to give back an error. */
export function releaseOptions(asked: Asked): ReleaseOptions {
  return {
    ...lockOptions(asked),
    grant: grantOf(asked.given, HOLDING.grant),
    nothing: asked.given.has(HOLDING.strict) ? "error" : "fine",
  };
}

/** By default any token will do. */
export function verifyOptions(asked: Asked): VerifyOptions {
  return {
    ...lockOptions(asked),
    grant: grantOf(asked.given, HOLDING.grant),
    token: asked.given.integer(HOLDING.token, 0),
    enclosing: enclosingOf(asked.env),
  };
}

/** By default this job's hold, or that of the `run` around it. */
export function renewOptions(asked: Asked): RenewOptions {
  return {
    ...lockOptions(asked),
    grant: grantOf(asked.given, HOLDING.grant),
    enclosing: enclosingOf(asked.env),
  };
}

/** The `run`s around this command, by the variables that they give to theirs. */
export function enclosingOf(env: Env): Enclosing {
  const grants = (variable: string) =>
    (env[variable] ?? "").split(",").map((grant) => grant.trim()).filter((grant) => grant !== "");
  return {
    grants: [...grants("K8S_LOCK_GRANT"), ...grants("K8S_LOCK_OUTER_GRANTS").reverse()],
    lock: env["K8S_LOCK_NAME"] ?? null,
  };
}

/** One lock, or the record that `--object` names. */
export function statusOptions(asked: Asked): StatusOptions {
  return { ...lockOptions(asked), output: formatOf(asked.given) };
}

/** By default all locks of the place. */
export function listOptions(asked: Asked): ListOptions {
  const locks = [...asked.operands, ...(asked.rest ?? [])];
  const object = asked.given.text(WHERE.object);
  if (object !== null && locks.length > 0) {
    throw usage("--object names one record; leave the locks' names out");
  }
  return {
    ...whereOptions(asked),
    targets: object === null
      ? locks.map((lock) => targetOf(asked, lock))
      : [targetOf(asked, undefined)],
    output: formatOf(asked.given),
  };
}

/** By default the one holder, asked for and kindly. */
export function breakOptions(asked: Asked): BreakOptions {
  const { given, ci } = asked;
  const grant = grantOf(given, BREAKING.grant);
  const all = given.has(BREAKING.all);
  if (grant !== null && all) {
    throw usage("--grant and --all contradict each other; leave one of them out");
  }
  return {
    ...lockOptions(asked),
    whom: grant !== null ? { kind: "grant", grant } : { kind: all ? "all" : "only" },
    how: given.has(BREAKING.now) ? "now" : "kindly",
    reason: neutral(given.text(BREAKING.reason)?.text ?? ""),
    ask: given.has(BREAKING.yes) ? "no" : "yes",
    by: neutral(ci.holder),
  };
}

/** By default into today's form. */
export function migrateOptions(asked: Asked): MigrateOptions {
  const { given, ci } = asked;
  const where = lockOptions(asked);
  if (where.store === "local") {
    throw usage("there are no records of version 3 on one machine; leave --local out");
  }
  const to = given.has(MIGRATING.toV3) ? "v3" : "today";
  const nextBuild = given.integer(MIGRATING.nextBuild, 0, MOST_NUMBER);
  if (nextBuild !== null && to === "today") {
    throw usage("--next-build has a meaning with --to-v3 alone; leave it out");
  }
  const how = given.has(MIGRATING.dryRun) ? "look" : "write";
  return { ...where, to, nextBuild, runNumber: turnNumber(ci, where.target), how };
}

function grantOf(given: Given, flag: Flag): string | null {
  const grant = given.text(flag);
  if (grant === null) return null;
  if (!/^[\w.-]{1,128}$/.test(grant.text)) {
    throw usage(
      `${grant.from}: "${
        neutral(grant.text, 40)
      }" cannot be a grant; it is a word as acquire and status print it`,
    );
  }
  return grant.text;
}

function formatOf(given: Given): Format {
  return given.choice(OUTPUT, "text");
}
