/** The commands, as data: what help, completion and the parser need of each, and what it does. */
import type { Context } from "./context.ts";
import {
  ACQUIRING,
  BREAKING,
  HOLDING,
  MIGRATING,
  OUTPUT,
  RUNNING,
  SPEAKING,
  TAKING,
  WHERE,
} from "./flags.ts";
import type { Flag } from "./flags.ts";
import type {
  AcquireOptions,
  BreakOptions,
  ListOptions,
  MigrateOptions,
  ReleaseOptions,
  RenewOptions,
  RunOptions,
  StatusOptions,
  VerifyOptions,
} from "./options.ts";
import {
  acquireOptions,
  breakOptions,
  listOptions,
  migrateOptions,
  releaseOptions,
  renewOptions,
  runOptions,
  statusOptions,
  verifyOptions,
} from "./resolve.ts";
import type { Asked } from "./where.ts";

/** What a command does; resolves with the exit code. */
export type Execute<O> = (options: O, context: Context) => Promise<number>;

/** What each command does. */
export interface Handlers {
  /** Passes the command's own exit code on. */
  readonly run: Execute<RunOptions>;
  /** Leaves a renewer behind, unless told not to. */
  readonly acquire: Execute<AcquireOptions>;
  /** By default fine with having nothing to give back. */
  readonly release: Execute<ReleaseOptions>;
  /** Changes nothing; 0 while the hold stands. */
  readonly verify: Execute<VerifyOptions>;
  /** One renewal, now. */
  readonly renew: Execute<RenewOptions>;
  /** Changes nothing. */
  readonly status: Execute<StatusOptions>;
  /** Changes nothing. */
  readonly list: Execute<ListOptions>;
  /** Asks first, unless told `--yes`. */
  readonly break: Execute<BreakOptions>;
  /** Waits for nobody: where the lock is in use nothing is changed. */
  readonly migrate: Execute<MigrateOptions>;
}

/** Options under a title, as help shows them. */
export interface FlagGroup {
  /** With its colon: `Where:`. */
  readonly title: string;
  /** In the order of help. */
  readonly flags: readonly Flag[];
}

/** An exit code, or several, and what it means. */
export type ExitLine = readonly [codes: string, meaning: string];

/** One command. */
export interface CommandSpec {
  /** As it is typed: `acquire`. */
  readonly name: string;
  /** One line of the program's help. */
  readonly summary: string;
  /** What comes after the name. */
  readonly usage: string;
  /** In the order of help; those that all commands have come last. */
  readonly groups: readonly FlagGroup[];
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** What 0 means. */
  readonly done?: string;
  /** Its own exit codes, in their order; 0, 1 and 2 are everybody's. */
  readonly exitCodes: readonly ExitLine[];
  /** The words that its argument can be, for completion. */
  readonly words: readonly string[];
  /** Reads its options, throwing for what is wrong with them; what is returned does it. */
  readonly prepare: (asked: Asked) => (context: Context) => Promise<number>;
}

/** The options that stand on every command, and may stand before it. */
export const COMMON: readonly FlagGroup[] = [
  { title: "Where:", flags: Object.values(WHERE) },
  { title: "Log:", flags: Object.values(SPEAKING) },
];

const NOT_IN_TIME: ExitLine = [
  "10",
  "did not get the lock in time, or was dropped from the queue by a person",
];
const UNREACHABLE: ExitLine = ["11", "the cluster cannot be reached, or refuses"];
const LOST: ExitLine = ["12", "the lock was lost while this job held it"];
const NOT_HOLDER: ExitLine = ["14", "this job does not hold the lock and never did"];
const UNUSABLE: ExitLine = ["15", "the record or the local state cannot be used"];
const SIGNALS: ExitLine = [
  "130, 143",
  "ended by SIGINT, SIGTERM; ticket and lock are given back first",
];

/** All commands, in the order of help. */
export function commands(handlers: Handlers): readonly CommandSpec[] {
  return special(handlers).map((spec) => ({ ...spec, groups: [...spec.groups, ...COMMON] }));
}

/** The commands with what only they have. */
function special(handlers: Handlers): readonly CommandSpec[] {
  return [
    {
      name: "run",
      summary: "hold the lock while a command runs",
      usage: "<lock> [options] -- <command> [args...]",
      groups: [
        {
          title: "Taking:",
          flags: [...Object.values(TAKING), ...Object.values(RUNNING)],
        },
      ],
      examples: [
        "k8s-lock run deploy -- ./deploy.sh --fast",
        "k8s-lock run deploy --timeout 15m --max-hold 1h -- make deploy",
        "k8s-lock run backup --local --timeout 0 -- ./backup.sh",
      ],
      done: "done; else the command's own exit code is passed on (128+N when signal N ended it)",
      exitCodes: [
        NOT_IN_TIME,
        UNREACHABLE,
        LOST,
        UNUSABLE,
        ["126, 127", "the command cannot be executed, is not found"],
        SIGNALS,
      ],
      words: [],
      prepare: prepare(runOptions, handlers.run),
    },
    {
      name: "acquire",
      summary: "take the lock and keep it renewed in the background",
      usage: "<lock> [options]",
      groups: [
        { title: "Taking:", flags: [...Object.values(TAKING), ...Object.values(ACQUIRING)] },
        { title: "Result:", flags: [OUTPUT] },
      ],
      examples: [
        "k8s-lock acquire deploy --timeout 15m",
        "k8s-lock acquire deploy --watch-pid $$",
        'k8s-lock acquire staging --no-renew --ttl 2h --description "trying the new cache"',
      ],
      exitCodes: [NOT_IN_TIME, UNREACHABLE, LOST, UNUSABLE, SIGNALS],
      words: [],
      prepare: prepare(acquireOptions, handlers.acquire),
    },
    {
      name: "release",
      summary: "give the lock back",
      usage: "<lock> [options]",
      groups: [{ title: "Which hold:", flags: [HOLDING.grant, HOLDING.strict] }],
      examples: ["k8s-lock release deploy", 'k8s-lock release deploy --grant "$GRANT" --strict'],
      done: "given back, or there was nothing to give back",
      exitCodes: [
        UNREACHABLE,
        LOST,
        ["14", "there was nothing to give back (--strict)"],
        UNUSABLE,
      ],
      words: [],
      prepare: prepare(releaseOptions, handlers.release),
    },
    {
      name: "verify",
      summary: "exit 0 while this job still holds the lock",
      usage: "<lock> [options]",
      groups: [{ title: "Which hold:", flags: [HOLDING.grant, HOLDING.token] }],
      examples: [
        "k8s-lock verify deploy && ./deploy.sh",
        "k8s-lock verify deploy --token 42",
      ],
      done: "this job holds the lock",
      exitCodes: [UNREACHABLE, LOST, NOT_HOLDER, UNUSABLE],
      words: [],
      prepare: prepare(verifyOptions, handlers.verify),
    },
    {
      name: "renew",
      summary: "renew once, for places with no background processes",
      usage: "<lock> [options]",
      groups: [{ title: "Which hold:", flags: [HOLDING.grant] }],
      examples: ["k8s-lock renew deploy", 'k8s-lock renew deploy --grant "$GRANT"'],
      exitCodes: [UNREACHABLE, LOST, NOT_HOLDER, UNUSABLE],
      words: [],
      prepare: prepare(renewOptions, handlers.renew),
    },
    {
      name: "status",
      summary: "holders, queue and last holders of a lock",
      usage: "<lock> [options]",
      groups: [{ title: "Result:", flags: [OUTPUT] }],
      examples: ["k8s-lock status deploy", "k8s-lock status deploy --repo acme/shop -o json"],
      exitCodes: [UNREACHABLE, UNUSABLE],
      words: [],
      prepare: prepare(statusOptions, handlers.status),
    },
    {
      name: "list",
      summary: "all locks of the namespace",
      usage: "[<lock>...] [options]",
      groups: [{ title: "Result:", flags: [OUTPUT] }],
      examples: ["k8s-lock list", "k8s-lock list -n ci -o json"],
      exitCodes: [UNREACHABLE, UNUSABLE],
      words: [],
      prepare: prepare(listOptions, handlers.list),
    },
    {
      name: "break",
      summary: "take the lock away from a holder, or drop a waiter",
      usage: "<lock> [options]",
      groups: [{ title: "Whom and how:", flags: Object.values(BREAKING) }],
      examples: [
        'k8s-lock break deploy --reason "runner is gone"',
        "k8s-lock break deploy --grant 4fzv2m --yes",
      ],
      exitCodes: [
        UNREACHABLE,
        ["14", "nobody with that --grant holds the lock or waits for it"],
        UNUSABLE,
      ],
      words: [],
      prepare: prepare(breakOptions, handlers.break),
    },
    {
      name: "migrate",
      summary: "bring a record of version 3 into today's form, or back",
      usage: "<lock> [options]",
      groups: [{ title: "How:", flags: Object.values(MIGRATING) }],
      examples: [
        "k8s-lock migrate deploy --repo acme/shop --dry-run",
        "k8s-lock migrate deploy --repo acme/shop",
        "k8s-lock migrate deploy --repo acme/shop --to-v3 --next-build 43",
      ],
      done: "it is in that form, or there is no record",
      exitCodes: [
        ["10", "somebody holds the lock or waits for it: nothing was changed"],
        UNREACHABLE,
        UNUSABLE,
      ],
      words: [],
      prepare: prepare(migrateOptions, handlers.migrate),
    },
  ];
}

function prepare<O>(resolve: (asked: Asked) => O, execute: Execute<O>): CommandSpec["prepare"] {
  return (asked) => {
    const options = resolve(asked);
    return (context) => execute(options, context);
  };
}
