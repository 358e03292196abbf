/** What each command was asked to do: resolved and typed, times in milliseconds. `resolve.ts` and `where.ts` make them. */
import type { Identity } from "../lock/record.ts";
import type { Expiry } from "../lock/rules.ts";
import type { FrozenText } from "./journal.ts";

/** Which store. */
export interface WhereOptions {
  /** `secret`: in a cluster; `local`: in a file of this machine. */
  readonly store: "secret" | "local";
  /** The file of the local store, an absolute path. */
  readonly localPath: string;
  /** `--kubeconfig`: a path or a list of paths with the system's separator; null: by `KUBECONFIG` and so on, as kubectl. */
  readonly kubeconfigPaths: string | null;
  /** `K8S_LOCK_KUBECONFIG_DATA` as it was given, which comes before `KUBECONFIG`. A secret: never shown, never handed on. */
  readonly kubeconfigData: string | null;
  /** Kubeconfigs as they were when the lock was taken, which come before all others. Secrets. */
  readonly frozen?: readonly FrozenText[];
  /** Null: the kubeconfig's current one. */
  readonly context: string | null;
  /** Null: the context's. */
  readonly namespace: string | null;
  /** The limit of each request. */
  readonly requestTimeoutMs: number;
}

/** Which lock. */
export interface Target {
  /** Its name for people, as they gave it; with `--object` alone, the record's. */
  readonly lock: string;
  /** The record's exact name. */
  readonly object: string;
  /** What a new record is to be: null with `--object` alone, as the name does not tell it. */
  readonly identity: Identity | null;
  /** `object`: the record was asked for by its exact name, so the identity stored in it counts, whatever it is. */
  readonly by: "identity" | "object";
}

/** A command about one lock. */
export interface LockOptions extends WhereOptions {
  /** Never a guess: without a name the command is refused. */
  readonly target: Target;
}

/** `run` and `acquire`. */
export interface TakeOptions extends LockOptions {
  /** How long to wait, `--max-attempts` included; null: without end; 0: try once. */
  readonly timeoutMs: number | null;
  /** The order that was asked for; null: whichever the record stands in. */
  readonly order: "fifo" | "sequential" | null;
  /** This run's number, which `sequential` goes by; null where there is none. */
  readonly runNumber: number | null;
  /** The number of this run's try, 1 for the first; null where there is no such thing. */
  readonly runAttempt: number | null;
  /** With `sequential`: a number that nobody shows up with is passed after so long; null: never. */
  readonly skipAfterMs: number | null;
  /** How long to hold at most; null: without end. */
  readonly maxHoldMs: number | null;
  /** How long a dead holder blocks the others, at least 5 s. */
  readonly ttlMs: number;
  /** What others may do when this holder falls silent; for `verify`, by asking about this job. */
  readonly expiry: Expiry;
  /** For people, harmless and short enough to be stored. */
  readonly holder: string;
  /** What for, for people, as harmless; may be empty. */
  readonly description: string;
  /** A page about it, one word; may be empty. */
  readonly link: string;
}

/** `run`: to hold while a command runs. */
export interface RunOptions extends TakeOptions {
  /** What becomes of the command when the lock is lost; `warn` lets it go on. */
  readonly onLost: "kill" | "warn";
  /** The exit code when the lock was not got in time. */
  readonly conflictExitCode: number;
  /** The command and its arguments. */
  readonly command: readonly [string, ...string[]];
}

/** `acquire`: to hold until `release`, or until a limit. */
export interface AcquireOptions extends TakeOptions {
  /** When the lock was not got in time: `fail` exits with 10, `skip` with 0. */
  readonly onBusy: "fail" | "skip";
  /** The renewer ends with this process. */
  readonly watchPid: number | null;
  /** `none`: held for one TTL at most. */
  readonly renewal: "background" | "none";
  /** With `json` one object, also where `skip` goes on without the lock; none on failure. */
  readonly output: Format;
}

/** What goes to stdout. */
export type Format = "text" | "json";

/** `release`: to give a hold of this job back. */
export interface ReleaseOptions extends LockOptions {
  /** `--grant`, the one hold that is meant; null: this job's own. */
  readonly grant: string | null;
  /** Whether having nothing to give back is an error (exit 14). */
  readonly nothing: "fine" | "error";
}

/** `verify`: whether this job still holds. */
export interface VerifyOptions extends LockOptions {
  /** `--grant`, the one hold that is meant; null: this job's own. */
  readonly grant: string | null;
  /** The token that the hold has to have. */
  readonly token: number | null;
  /** Looked at first, where no grant is given. */
  readonly enclosing: Enclosing;
}

/** `renew`: one renewal. */
export interface RenewOptions extends LockOptions {
  /** `--grant`, the one hold that is meant; null: this job's own. */
  readonly grant: string | null;
  /** Looked at first, where no grant is given. */
  readonly enclosing: Enclosing;
}

/** The `run`s that a command is a part of. Their grants count where they are this lock's. */
export interface Enclosing {
  /** The innermost first. */
  readonly grants: readonly string[];
  /** The innermost one's lock, as it was named there. */
  readonly lock: string | null;
}

/** `status` of one lock. */
export interface StatusOptions extends LockOptions {
  /** `json` is a `StatusView`. */
  readonly output: Format;
}

/** `list`: all locks of a place, or those that are named. */
export interface ListOptions extends WhereOptions {
  /** Only these; empty: all. */
  readonly targets: readonly Target[];
  /** `json` is a list of `LockView`s. */
  readonly output: Format;
}

/** `migrate`: to bring a record into another form. */
export interface MigrateOptions extends LockOptions {
  /** `v3`: the way back. */
  readonly to: "today" | "v3";
  /** With `v3`: the run that is next; null: as it was before, or this run's own number. */
  readonly nextBuild: number | null;
  /** This run's number; null where there is none. */
  readonly runNumber: number | null;
  /** `look`: only say what would be done. */
  readonly how: "look" | "write";
}

/** `break`: to take the lock from a holder, or drop a waiter. */
export interface BreakOptions extends LockOptions {
  /** `only`: the one holder, if there is just one. */
  readonly whom: { readonly kind: "only" | "all" } | {
    readonly kind: "grant";
    readonly grant: string;
  };
  /** `kindly`: the holder first stops its work. `now`: it is no longer the holder, whatever its work does. */
  readonly how: "kindly" | "now";
  /** For who loses it and for the history; may be empty. */
  readonly reason: string;
  /** Whether to ask first, at a terminal. */
  readonly ask: "yes" | "no";
  /** Who breaks it, for the history. */
  readonly by: string;
}
