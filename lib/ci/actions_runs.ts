/** What became of a run, by its number within its workflow. */
import { ENDS, fieldsOf, MOST_PAGES, nonsense, unknown } from "./actions_answers.ts";
import type { Fate, Read } from "./actions_answers.ts";

/**
 * The run in the workflow's list, newest first. Nothing can be asked for by number, so its page is guessed by its distance from the
 * newest (runs that were deleted bring it nearer) and then closed in on.
 *
 * @param workflow its path in the API
 */
export async function byNumber(read: Read, workflow: string, number: number): Promise<Fate> {
  let [first, last] = [1, Infinity];
  let page = 1;
  for (let pages = 0; pages < MOST_PAGES && first <= last; pages++) {
    const got = await read(`${workflow}/runs?per_page=100&page=${page}`);
    if (got.kind === "none") return unknown(got.why, got.retryAfterMs);
    const { workflow_runs } = fieldsOf(got.value);
    if (!Array.isArray(workflow_runs)) return nonsense();
    const runs = workflow_runs.map(fieldsOf);
    const numbers = runs.map(({ run_number }) => run_number);
    if (!numbers.every((one): one is number => Number.isSafeInteger(one))) return nonsense();
    const run = runs.find(({ run_number }) => run_number === number);
    if (run !== undefined) return fateOfRun(run);
    const [newest, oldest] = [Math.max(...numbers), Math.min(...numbers)];
    if (page === 1 && number > newest) return unknown(`there is no run ${number} yet`);
    if (oldest < number && number < newest) break;
    if (numbers.length > 0 && number < oldest) first = page + 1;
    else last = page - 1;
    page = last === Infinity
      ? Math.max(first, page + Math.floor((newest - number) / 100))
      : Math.floor((first + last) / 2);
  }
  return unknown(`the Actions API does not list run ${number} (deleted?)`);
}

function fateOfRun({ status, conclusion, run_number }: Readonly<Record<string, unknown>>): Fate {
  if (typeof status !== "string") return nonsense();
  if (status !== "completed") {
    return { kind: "not_over", why: `by the Actions API run ${run_number} is not over` };
  }
  if (conclusion === "action_required") {
    return { kind: "not_over", why: `run ${run_number} waits for somebody's approval` };
  }
  if (!ENDS.has(conclusion)) {
    return unknown(`run ${run_number} has ended in a way that is not known`);
  }
  return { kind: "over", by: "server", why: `by the Actions API run ${run_number} is over` };
}
