/**
 * What is asked of the Actions API for others: what became of a holder's job that fell silent, and of a run whose number of version 3's
 * nobody comes with.
 */
import { actionsApiIn, workflowFile } from "../ci/actions_api.ts";
import type { Actions } from "../lock/lock.ts";
import type { Context } from "./context.ts";

/** Both questions, with this job's token. One API answers them: it knows for how long it is to be left alone. */
export function questionsBy(
  { env, ci, version }: Pick<Context, "env" | "ci" | "version">,
): Required<Pick<Actions, "askJob" | "askRun">> {
  const api = actionsApiIn(env, version);
  return {
    askJob: (job) => api.job(job),
    askRun: async (number) => {
      if (ci.product !== "github") return { kind: "unknown", why: "it has not come yet" };
      // Of the workflow that this job is a part of.
      const repository = ci.project ?? "";
      const workflow = workflowFile(env["GITHUB_WORKFLOW_REF"] ?? "", repository) ?? "";
      return await api.run({ repository, workflow, number });
    },
  };
}
