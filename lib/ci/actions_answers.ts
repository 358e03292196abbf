/** What is asked of the Actions API, what it may answer, and how its JSON is read: strictly, and never guessed at. */
import type { Got } from "./actions_request.ts";

/** Which job it is about. The names are those of the record, which keeps it with the holder's entry. */
export interface JobReference {
  /** The address of the API that knows the job. It is compared with one's own, never asked. */
  readonly api: string;
  /** `acme/shop`. */
  readonly repository: string;
  /** `GITHUB_RUN_ID`. */
  readonly run_id: string;
  /** `GITHUB_RUN_ATTEMPT`: another attempt has other jobs. */
  readonly run_attempt: number;
  /** `job.check_run_id`, which no variable tells: null where the action, or its user, did not pass it on. */
  readonly check_run_id: string | null;
  /** `RUNNER_NAME`: finds the job where there is no check run's id. */
  readonly runner_name: string | null;
}

/** Which run it is about. */
export interface RunReference {
  /** `acme/shop`. */
  readonly repository: string;
  /** Its workflow's file name, `deploy.yml`: run numbers count within one. See {@link workflowFile}. */
  readonly workflow: string;
  /** `GITHUB_RUN_NUMBER`. */
  readonly number: number;
}

/** What became of a job or a run. `why` is for people: it is ours, with nothing in it that others wrote. */
export type Fate =
  | {
    readonly kind: "over";
    /**
     * `runner`: the runner itself has finished this very job, and with it killed what the job had left running. `server`: it counts
     * as over, by whatever was known, and its processes may still run (a runner that lost its connection).
     */
    readonly by: "runner" | "server";
    readonly why: string;
  }
  | { readonly kind: "not_over"; readonly why: string }
  | {
    readonly kind: "unknown";
    readonly why: string;
    /** Nothing is asked for so long; it was the API that said so. */
    readonly retryAfterMs?: number;
  };

/** Pages are of a hundred. More than this are not read for one question. */
export const MOST_PAGES = 10;

/** Ends of runs and jobs after which nothing more comes. `action_required` is none: that run starts once somebody approves it. */
export const ENDS: ReadonlySet<unknown> = new Set([
  "success",
  "failure",
  "neutral",
  "cancelled",
  "skipped",
  "timed_out",
  "stale",
  "startup_failure",
]);

/** Asks for a path of the API. */
export type Read = (path: string) => Promise<Got>;

/** No answer. */
export function unknown(why: string, retryAfterMs?: number): Fate {
  return { kind: "unknown", why, ...retryAfterMs === undefined ? {} : { retryAfterMs } };
}

/** The answer to what came and was something else. */
export function nonsense(): Fate {
  return unknown("what the Actions API sent is not what was asked for");
}

/** The fields of `value`; none where it has none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
