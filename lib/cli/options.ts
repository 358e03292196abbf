/** What each command was asked to do: resolved and typed, times in milliseconds. `resolve.ts` and `where.ts` make them. */
import type { Identity } from "../lock/record.ts";

/** Which store. */
export interface WhereOptions {
  readonly store: "secret" | "local";
  /** The file of the local store, an absolute path. */
  readonly localPath: string;
  /** `--kubeconfig`: a path or a list of paths with the system's separator; null: by `KUBECONFIG` and so on, as kubectl. */
  readonly kubeconfigPaths: string | null;
  /** `K8S_LOCK_KUBECONFIG_DATA` as it was given, which comes before `KUBECONFIG`. A secret: never shown, never handed on. */
  readonly kubeconfigData: string | null;
  readonly context: string | null;
  /** Null: the context's. */
  readonly namespace: string | null;
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
  readonly target: Target;
}

/** `run` and `acquire`. */
export interface TakeOptions extends LockOptions {
  /** How long to wait, `--max-attempts` included; null: without end; 0: try once. */
  readonly timeoutMs: number | null;
  /** How long to hold at most; null: without end. */
  readonly maxHoldMs: number | null;
  readonly ttlMs: number;
  /** For people, harmless and short enough to be stored. */
  readonly holder: string;
  readonly description: string;
  readonly link: string;
}

export interface RunOptions extends TakeOptions {
  readonly onLost: "kill" | "warn";
  /** The exit code when the lock was not got in time. */
  readonly conflictExitCode: number;
  /** The command and its arguments. */
  readonly command: readonly [string, ...string[]];
}

export interface AcquireOptions extends TakeOptions {
  readonly onBusy: "fail" | "skip";
  /** The renewer ends with this process. */
  readonly watchPid: number | null;
  /** `none`: held for one TTL at most. */
  readonly renewal: "background" | "none";
  readonly output: Format;
}

/** What goes to stdout. */
export type Format = "text" | "json";

export interface ReleaseOptions extends LockOptions {
  readonly grant: string | null;
  /** Whether having nothing to give back is an error (exit 14). */
  readonly nothing: "fine" | "error";
}

export interface VerifyOptions extends LockOptions {
  readonly grant: string | null;
  /** The token that the hold has to have. */
  readonly token: number | null;
  readonly enclosing: Enclosing;
}

export interface RenewOptions extends LockOptions {
  readonly grant: string | null;
  readonly enclosing: Enclosing;
}

/** The `run`s that a command is a part of. Their grants count where they are this lock's. */
export interface Enclosing {
  /** The innermost first. */
  readonly grants: readonly string[];
  /** The innermost one's lock, as it was named there. */
  readonly lock: string | null;
}

export interface StatusOptions extends LockOptions {
  readonly output: Format;
}

export interface ListOptions extends WhereOptions {
  /** Only these; empty: all. */
  readonly targets: readonly Target[];
  readonly output: Format;
}

export interface BreakOptions extends LockOptions {
  /** `only`: the one holder, if there is just one. */
  readonly whom: { readonly kind: "only" | "all" } | {
    readonly kind: "grant";
    readonly grant: string;
  };
  /** `kindly`: the holder first stops its work. `now`: it is no longer the holder, whatever its work does. */
  readonly how: "kindly" | "now";
  readonly reason: string;
  /** Whether to ask first, at a terminal. */
  readonly ask: "yes" | "no";
  /** Who breaks it, for the history. */
  readonly by: string;
}
