/**
 * What GitHub knows about jobs and runs that hold, or keep, a place: asked of the Actions API with the token that a user gave for
 * it. Three answers: over, not over, unknown. Whatever is not clearly one of the first two is the third, because somebody's lock
 * depends on it.
 */
import { unknown } from "./actions_answers.ts";
import type { Fate, JobReference, RunReference } from "./actions_answers.ts";
import { byCheckRun, byRunner } from "./actions_jobs.ts";
import { apiAddress, get } from "./actions_request.ts";
import type { ActionsAccess, Got } from "./actions_request.ts";
import { byNumber } from "./actions_runs.ts";
import type { Env } from "./detect.ts";

export type { Fate, JobReference, RunReference } from "./actions_answers.ts";

/** Where GitHub's own API is. */
export const GITHUB_API = "https://api.github.com";

/** One question, which may take several requests, begins none after so long. */
const QUESTION_MS = 60_000;

/** The questions. They never throw and always answer, soon after a minute at the latest. */
export interface ActionsApi {
  /** What became of that job. */
  job(job: JobReference): Promise<Fate>;
  /** What became of run NUMBER of a workflow, in its last attempt. */
  run(run: RunReference): Promise<Fate>;
}

/** The API as those ask it who cannot. */
export function silentApi(why: string): ActionsApi {
  const answer = () => Promise.resolve(unknown(why));
  return { job: answer, run: answer };
}

/** The variable with the token. */
export const TOKEN_VARIABLE = "K8S_LOCK_GITHUB_TOKEN";

/** The API as this environment may ask it: `GITHUB_API_URL` names it in a job of GitHub (also of an own server), else it is GitHub's. */
export function actionsApiIn(env: Env, version: string): ActionsApi {
  const token = env[TOKEN_VARIABLE]?.trim() ?? "";
  if (token === "") {
    return silentApi(
      `there is no token to ask the Actions API with (${TOKEN_VARIABLE}, the action's input github_token)`,
    );
  }
  // What cannot stand in a header would fail as if nobody could be reached.
  if (!/^[\x21-\x7e]+$/.test(token)) return silentApi(`what ${TOKEN_VARIABLE} holds is no token`);
  return actionsApi({ url: env["GITHUB_API_URL"]?.trim() || GITHUB_API, token, version });
}

/** The API at `access.url`. One who was told to wait does not ask again before that. */
export function actionsApi(access: ActionsAccess): ActionsApi {
  const now = access.monotonic ?? (() => performance.now());
  let until = 0;
  /** Asks within one question, unless the API wants to be left alone. */
  const reading = (since = now()) => async (path: string): Promise<Got> => {
    if (now() > since + QUESTION_MS) {
      return { kind: "none", absent: false, why: "the Actions API is too slow" };
    }
    const left = until - now();
    if (left > 0) {
      const why = "the Actions API was asked too often and wants to be left alone";
      return { kind: "none", absent: false, why, retryAfterMs: left };
    }
    const got = await get(access, path);
    if (got.retryAfterMs !== undefined) until = now() + got.retryAfterMs;
    return got;
  };
  return {
    job: async (job) => {
      const mine = apiAddress(access.url);
      if (mine === null || apiAddress(job.api) !== mine) {
        return unknown("its job is on another GitHub than the one that can be asked from here");
      }
      const repository = pathOf(job.repository);
      if (repository === null || !/^\d+$/.test(job.run_id)) {
        return unknown("what its entry says about its job is not complete");
      }
      if (job.check_run_id !== null) return await byCheckRun(reading(), repository, job);
      if (job.runner_name !== null) return await byRunner(reading(), repository, job);
      return unknown("its entry says neither its check run's id nor its runner");
    },
    run: async ({ repository, workflow, number }) => {
      const path = pathOf(repository);
      if (path === null || !/^[\w .-]+\.ya?ml$/i.test(workflow)) {
        return unknown("it is not known which workflow to ask about");
      }
      return await byNumber(
        reading(),
        `${path}/actions/workflows/${encodeURIComponent(workflow)}`,
        number,
      );
    },
  };
}

/** The workflow's file name in `GITHUB_WORKFLOW_REF`, or null where that names none of this repository. */
export function workflowFile(workflowRef: string, repository: string): string | null {
  const found = /^([^/]+\/[^/]+)\/\.github\/workflows\/([^/@]+)@/.exec(workflowRef);
  return found?.[1]?.toLowerCase() === repository.toLowerCase() ? found?.[2] ?? null : null;
}

function pathOf(repository: string): string | null {
  const sane = /^[\w.-]+\/[\w.-]+$/.test(repository) &&
    !repository.split("/").some((part) => /^\.+$/.test(part));
  return sane ? `/repos/${repository}` : null;
}
