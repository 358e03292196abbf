/** Every option of the program, once: how it is written, which variable stands for it, what help says of it. */

/** One option. */
export interface Flag {
  /** As help shows it and commander reads it: `-n, --namespace <name>`. */
  readonly flags: string;
  /** The variable that is read when the option is not given. */
  readonly env?: string;
  /** One line, its default included. */
  readonly help: string;
  /** The words that it takes, if it takes only some. */
  readonly choices?: readonly string[];
  /** How a shell completes its value. */
  readonly completes?: "file";
}

/** `--name` of an option. */
export function longName(flag: Flag): string {
  const long = /--[a-z][a-z0-9-]*/.exec(flag.flags)?.[0];
  if (long === undefined) throw new TypeError(`no long name: ${flag.flags}`);
  return long;
}

/** True when the option stands before a value. */
export function takesValue(flag: Flag): boolean {
  return flag.flags.includes("<");
}

/** Which lock, in which store, and how to speak of it. */
export const WHERE = {
  store: {
    flags: "--store <kind>",
    env: "K8S_LOCK_STORE",
    help:
      "where the lock is kept: secret (in a cluster) or local (a file; one machine) (default: secret)",
    choices: ["secret", "local"],
  },
  local: { flags: "--local", help: "short for --store local" },
  localPath: {
    flags: "--local-path <file>",
    env: "K8S_LOCK_LOCAL_PATH",
    help: "the file of --local (default: k8s-lock/locks.db in your state folder)",
    completes: "file",
  },
  kubeconfig: {
    flags: "--kubeconfig <file>",
    env: "KUBECONFIG",
    help: "how to reach the cluster (default: as kubectl, then in-cluster)",
    completes: "file",
  },
  context: {
    flags: "--context <name>",
    env: "K8S_LOCK_CONTEXT",
    help: "context of the kubeconfig",
  },
  namespace: {
    flags: "-n, --namespace <name>",
    env: "K8S_LOCK_NAMESPACE",
    help: "namespace of the lock (default: the context's, else default)",
  },
  scope: {
    flags: "--scope <what>",
    env: "K8S_LOCK_SCOPE",
    help:
      "what the lock's name is unique in: repo, owner, global (default: repo in a CI, else global)",
    choices: ["repo", "owner", "global"],
  },
  repo: {
    flags: "--repo <owner/repo>",
    env: "K8S_LOCK_REPO",
    help: "speak of that repository's lock (default: the one that the CI job belongs to)",
  },
  object: {
    flags: "--object <name>",
    help: "the record by its exact name, instead of lock and scope",
  },
  requestTimeout: {
    flags: "--request-timeout <duration>",
    env: "K8S_LOCK_REQUEST_TIMEOUT",
    help: "limit of each request to the cluster (default: 15s)",
  },
} as const satisfies Record<string, Flag>;

/** How the program speaks. */
export const SPEAKING = {
  quiet: { flags: "-q, --quiet", help: "only warnings and errors on stderr" },
  verbose: { flags: "-v, --verbose", help: "details on stderr" },
  logFormat: {
    flags: "--log-format <format>",
    env: "K8S_LOCK_LOG_FORMAT",
    help: "of stderr: text, json or github (default: github in its jobs, else text)",
    choices: ["text", "json", "github"],
  },
} as const satisfies Record<string, Flag>;

/** How to wait for the lock and hold it. */
export const TAKING = {
  timeout: {
    flags: "--timeout <duration>",
    env: "K8S_LOCK_TIMEOUT",
    help: "give up waiting after that long; 0: try once (default: wait without end)",
  },
  maxAttempts: {
    flags: "--max-attempts <n>",
    env: "K8S_LOCK_MAX_ATTEMPTS",
    help: "give up after n waits of 10 seconds, as version 3 counted",
  },
  order: {
    flags: "--order <order>",
    env: "K8S_LOCK_ORDER",
    help:
      "how turns are taken: fifo, or sequential (by run number, as version 3 and together with it) (default: as the record stands, else fifo)",
    choices: ["fifo", "sequential"],
  },
  skipAfter: {
    flags: "--skip-after <duration>",
    help:
      "with sequential: pass a run number that nobody showed up with for so long; a run that comes late, or one of version 3, may then hold too (default: never)",
  },
  maxHold: {
    flags: "--max-hold <duration>",
    env: "K8S_LOCK_MAX_HOLD",
    help:
      "how long the lock may be held at most; then the work is stopped (default: none; acquire without --watch-pid: 6h)",
  },
  ttl: {
    flags: "--ttl <duration>",
    env: "K8S_LOCK_TTL",
    help: "how long a dead holder blocks the others, at least 5s (default: 60s)",
  },
  onExpiry: {
    flags: "--on-expiry <what>",
    env: "K8S_LOCK_ON_EXPIRY",
    help:
      "what others may do when this holder is silent for its TTL: takeover, verify (only when GitHub says that its job is over), never (only k8s-lock break) (default: takeover)",
    choices: ["takeover", "verify", "never"],
  },
  holder: {
    flags: "--holder <text>",
    env: "K8S_LOCK_HOLDER",
    help: "who holds, as others see it (default: the CI job, or user@host)",
  },
  description: {
    flags: "--description <text>",
    env: "K8S_LOCK_DESCRIPTION",
    help: "what for, as others see it",
  },
  link: {
    flags: "--link <url>",
    env: "K8S_LOCK_LINK",
    help: "a page about it (default: the CI job's)",
  },
} as const satisfies Record<string, Flag>;

/** Of `run` alone. */
export const RUNNING = {
  onLost: {
    flags: "--on-lost <what>",
    help: "when the lock is lost: kill the command, or only warn (default: kill)",
    choices: ["kill", "warn"],
  },
  conflictExitCode: {
    flags: "--conflict-exit-code <n>",
    help: "exit code when the lock was not got in time (default: 10)",
  },
} as const satisfies Record<string, Flag>;

/** Of `acquire` alone. */
export const ACQUIRING = {
  onBusy: {
    flags: "--on-busy <what>",
    env: "K8S_LOCK_ON_BUSY",
    help:
      "when the lock was not got in time: fail (exit 10), or skip (exit 0, acquired=false) (default: fail)",
    choices: ["fail", "skip"],
  },
  watchPid: {
    flags: "--watch-pid <pid>",
    help:
      "stop renewing when this process ends (in one script: --watch-pid $$; each step of a CI job is a shell of its own)",
  },
  noRenew: {
    flags: "--no-renew",
    help: "no renewals in the background: the lock is held for one TTL at most",
  },
} as const satisfies Record<string, Flag>;

/** Of the commands about a lock that is held. */
export const HOLDING = {
  grant: { flags: "--grant <id>", help: "the one hold that is meant, as acquire printed it" },
  strict: { flags: "--strict", help: "exit 14 when there is nothing to give back" },
  token: { flags: "--token <n>", help: "the fencing token that this hold must have" },
} as const satisfies Record<string, Flag>;

/** Of `break` alone. */
export const BREAKING = {
  grant: { flags: "--grant <id>", help: "the holder or waiter that is meant, as status shows it" },
  all: { flags: "--all", help: "every holder" },
  now: {
    flags: "--now",
    help:
      "do not wait until the holder has stopped: its work may still run while the next one holds",
  },
  reason: { flags: "--reason <text>", help: "why, for the one who loses it and for the history" },
  yes: { flags: "--yes", help: "do not ask" },
} as const satisfies Record<string, Flag>;

/** Of `migrate` alone. */
export const MIGRATING = {
  dryRun: { flags: "--dry-run", help: "only say what would be done" },
  toV3: { flags: "--to-v3", help: "from today's form into version 3's" },
  nextBuild: {
    flags: "--next-build <n>",
    help:
      "with --to-v3: the number of the run that is next (default: this run's, or what it was before, whichever is higher)",
  },
} as const satisfies Record<string, Flag>;

/** Results for programs. */
export const OUTPUT = {
  flags: "-o, --output <format>",
  help: "of stdout: text for people, json for programs (default: text)",
  choices: ["text", "json"],
} as const satisfies Flag;
