/** This very job, as others may ask the Actions API about it later. */
import type { JobReference } from "./actions_answers.ts";
import { GITHUB_API } from "./actions_api.ts";
import { apiAddress } from "./actions_request.ts";
import type { Env } from "./detect.ts";

/** The variable with the check run's id, which only an expression tells: `${{ job.check_run_id }}`. GitHub's own servers have it. */
export const CHECK_RUN_VARIABLE = "K8S_LOCK_CHECK_RUN_ID";

/** What is longer, in characters, is not what its variable should hold; in the record it would be damage, and nobody could use the lock. */
const MOST = 256;
/** Longer than any id. */
const ID = /^\d{1,20}$/;

/** The job, or why there is none to ask about. */
export type OwnJob =
  | { readonly found: true; readonly job: JobReference }
  | { readonly found: false; readonly why: string };

/** The job that `env` is the environment of, also in a container and in a reusable workflow, where the run is the caller's. */
export function ownJob(env: Env): OwnJob {
  const get = (name: string) => env[name]?.trim() ?? "";
  const none = (why: string): OwnJob => ({ found: false, why });
  if (get("GITHUB_ACTIONS") !== "true") return none("this is no job of GitHub Actions");
  const api = apiAddress(get("GITHUB_API_URL") || GITHUB_API);
  if (api === null || api.length > MOST) return none("GITHUB_API_URL is no https address");
  const repository = get("GITHUB_REPOSITORY");
  const run_id = get("GITHUB_RUN_ID");
  const attempt = get("GITHUB_RUN_ATTEMPT") || "1";
  const isRepository = /^[\w.-]+\/[\w.-]+$/.test(repository) && repository.length <= MOST;
  if (!isRepository || !ID.test(run_id) || !/^\d{1,9}$/.test(attempt)) {
    return none("GITHUB_REPOSITORY, GITHUB_RUN_ID and GITHUB_RUN_ATTEMPT do not tell the run");
  }
  const check = get(CHECK_RUN_VARIABLE);
  const check_run_id = ID.test(check) ? check : null;
  const runner = get("RUNNER_NAME");
  const runner_name = runner === "" || runner.length > MOST ? null : runner;
  if (check_run_id === null && runner_name === null) {
    return none(`neither ${CHECK_RUN_VARIABLE} nor RUNNER_NAME tells which job it is`);
  }
  const run_attempt = Math.max(1, Number(attempt));
  return { found: true, job: { api, repository, run_id, run_attempt, check_run_id, runner_name } };
}
