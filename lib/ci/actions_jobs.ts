/** What became of a job: found by its check run, or else by its runner among the jobs of its attempt. */
import { ENDS, fieldsOf, MOST_PAGES, nonsense, unknown } from "./actions_answers.ts";
import type { Fate, JobReference, Read } from "./actions_answers.ts";

/** The last step of each job, made by the runner itself: in it, it kills the processes that the job left behind. */
const LAST_STEP = "Complete job";

/** A job as far as it is looked at. */
interface Job {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  readonly checkRun: string | null;
  readonly runner: string | null;
  readonly status: unknown;
  readonly conclusion: unknown;
  readonly steps: readonly unknown[];
}

function jobOf(value: unknown): Job | null {
  const { id, run_id, run_attempt, check_run_url, runner_name, status, conclusion, steps } =
    fieldsOf(value);
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(run_id)) return null;
  // Absent where a server is older than attempts: then it is the first.
  const attempt = run_attempt === undefined ? 1 : run_attempt;
  if (typeof attempt !== "number" || typeof status !== "string") return null;
  return {
    id: String(id),
    runId: String(run_id),
    attempt,
    checkRun: typeof check_run_url === "string"
      ? /\/check-runs\/(\d+)$/.exec(check_run_url)?.[1] ?? null
      : null,
    runner: typeof runner_name === "string" && runner_name !== "" ? runner_name : null,
    status,
    conclusion,
    steps: Array.isArray(steps) ? steps : [],
  };
}

/**
 * A job's id is that of its check run; where it is not (that is nowhere promised), the attempt's list has both.
 *
 * @param repository its path in the API
 */
export async function byCheckRun(read: Read, repository: string, job: JobReference): Promise<Fate> {
  const id = job.check_run_id ?? "";
  if (!/^\d+$/.test(id)) return unknown("what its entry says about its job is not complete");
  const isIt = (found: Job) =>
    found.checkRun === id && found.runId === job.run_id && found.attempt === job.run_attempt;
  const got = await read(`${repository}/actions/jobs/${id}`);
  if (got.kind === "none" && !got.absent) return unknown(got.why, got.retryAfterMs);
  const found = got.kind === "json" ? jobOf(got.value) : null;
  if (found !== null && isIt(found)) return fateOf(found, "exact");
  const jobs = await jobsOf(read, repository, job);
  if (jobs.kind !== "jobs") return jobs;
  const listed = jobs.jobs.find(isIt);
  return listed === undefined
    ? unknown("the Actions API does not list its job in that attempt of its run")
    : fateOf(listed, "exact");
}

/** One runner may have had several jobs of an attempt, one after the other: it is over when they all are. */
export async function byRunner(read: Read, repository: string, job: JobReference): Promise<Fate> {
  const all = await jobsOf(read, repository, job);
  if (all.kind !== "jobs") return all;
  // A re-run of failed jobs lists those of the earlier attempt, too, with their old runners.
  const jobs = all.jobs.filter(({ attempt, runId }) =>
    attempt === job.run_attempt && runId === job.run_id
  );
  const mine = jobs.filter(({ runner }) => runner === job.runner_name);
  const fates = mine.map((one) => fateOf(one, "one of several"));
  const [first] = fates;
  if (first === undefined) {
    return unknown("the Actions API lists no job of that attempt on its runner");
  }
  const open = fates.find(({ kind }) => kind === "not_over") ??
    fates.find(({ kind }) => kind === "unknown");
  if (open !== undefined) return open;
  if (jobs.some(({ runner, status }) => runner === null && status === "in_progress")) {
    return unknown("the Actions API does not tell the runner of each job that is in progress");
  }
  return first;
}

/** All jobs of the attempt, or why they are not known. */
async function jobsOf(
  read: Read,
  repository: string,
  { run_id, run_attempt }: JobReference,
): Promise<{ readonly kind: "jobs"; readonly jobs: readonly Job[] } | Fate> {
  const path = `${repository}/actions/runs/${run_id}/attempts/${run_attempt}/jobs?per_page=100`;
  const found: Job[] = [];
  for (let page = 1; page <= MOST_PAGES; page++) {
    const got = await read(`${path}&page=${page}`);
    if (got.kind === "none") return unknown(got.why, got.retryAfterMs);
    const { total_count, jobs } = fieldsOf(got.value);
    if (typeof total_count !== "number" || !Array.isArray(jobs)) return nonsense();
    for (const value of jobs) {
      const job = jobOf(value);
      if (job === null) return nonsense();
      found.push(job);
    }
    if (found.length >= total_count) return { kind: "jobs", jobs: found };
    if (jobs.length === 0) break;
  }
  return unknown("its run has more jobs than are looked through");
}

/** `exact`: this very job, by its check run. */
function fateOf(job: Job, which: "exact" | "one of several"): Fate {
  if (job.status !== "completed") {
    return { kind: "not_over", why: "by the Actions API its job is not over" };
  }
  if (!ENDS.has(job.conclusion)) {
    return unknown("its job has ended in a way that is not known here");
  }
  return which === "exact" && endedByRunner(job)
    ? { kind: "over", by: "runner", why: "its job is over and its runner has cleaned up after it" }
    : { kind: "over", by: "server", why: "by the Actions API its job is over" };
}

/**
 * Whether the runner itself came to the end of the job. Where the server gave a runner up, that last step is missing or did not
 * complete, or is told as skipped or cancelled. A step of the user's own may have that name, but not come after all others.
 */
function endedByRunner(job: Job): boolean {
  const steps = job.steps.map(fieldsOf);
  const complete = steps.every(({ status, conclusion, number }) =>
    status === "completed" && typeof conclusion === "string" && typeof number === "number"
  );
  if (!complete || steps.length < 2) return false;
  const last = steps.reduce((a, b) => Number(b.number) > Number(a.number) ? b : a);
  return last.name === LAST_STEP && last.conclusion === "success";
}
