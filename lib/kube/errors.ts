/**
 * What can go wrong on the way to a cluster, as sentences for people: what happened, the likely cause, the way out.
 * None of them holds a credential, a header or a stack.
 */

/**
 * What is known about the effect of a request that has no result.
 *
 * - `conflict`, `exists`, `missing`: refused because of the state of the object. Not applied.
 * - `throttled`: turned away before it was executed. Not applied; wait `retryAfterMs`.
 * - `refused`: no, and no again (login, rights, quota, admission, no such namespace). Not applied.
 * - `unusable`: the request can never work as it is. Not applied.
 * - `unknown`: no answer, or one that says nothing: applied, or not, or later.
 */
export type KubeFailureKind =
  | "conflict"
  | "exists"
  | "missing"
  | "throttled"
  | "refused"
  | "unusable"
  | "unknown";

/** What is known about a failure beside its sentence. */
export interface KubeFailureDetails {
  /** The HTTP status, when there was an answer. */
  readonly status?: number;
  /** The `reason` of the server's Status object (`Conflict`, `AlreadyExists`, `Forbidden`, …), or an error code. */
  readonly reason?: string;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** A request that has no result. `message` is a sentence for people. */
export class KubeError extends Error {
  /** For who prints it. */
  override readonly name = "KubeError";
  /** The HTTP status; undefined where no answer came. */
  readonly status: number | undefined;
  /** As in {@link KubeFailureDetails}. */
  readonly reason: string | undefined;
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  /** `kind`: what is known of the effect. `message`: a sentence for people, without credentials. */
  constructor(readonly kind: KubeFailureKind, message: string, details: KubeFailureDetails = {}) {
    super(message);
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The configuration cannot be used: wrong usage (exit code 2). Names file and field, never contents. */
export class KubeconfigError extends Error {
  /** For who prints it. */
  override readonly name = "KubeconfigError";
}

/** What a request wants to do with what: enough for its path, and for a sentence about it. */
export interface Target {
  /** The verb as RBAC knows it. */
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  /** The API group; empty for the core group. */
  readonly group: string;
  /** The plural, as in a path: `secrets`, `leases`. */
  readonly resource: string;
  /** Undefined for all namespaces, and for what belongs to none. */
  readonly namespace?: string | undefined;
  /** One object; undefined for all of them, and where the name is in the body. */
  readonly name?: string | undefined;
}

/** `secret "a" in namespace "b"`, `leases in all namespaces`. */
export function nounOf(target: Target): string {
  const noun = target.name === undefined
    ? target.resource
    : `${target.resource.replace(/s$/, "")} "${target.name}"`;
  return target.namespace === undefined
    ? target.name === undefined ? `${noun} in all namespaces` : noun
    : `${noun} in namespace "${target.namespace}"`;
}

// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g;
// deno-lint-ignore no-control-regex -- as above
const ANSI = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;
const SECRETS = /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi;

/**
 * Somebody else's words, fit for one of our sentences: one line, no control characters, at most `length`
 * characters, and nothing that looks like a bearer token.
 */
export function inOneLine(text: string, length = 300): string {
  const line = text.replace(ANSI, "").replace(CONTROL, " ").replace(SECRETS, "<credential>").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
