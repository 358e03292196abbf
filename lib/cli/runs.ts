/** What became of a run by its number, asked of the Actions API: for a number of version 3's that nobody comes with. */
import type { ActionsApi } from "../ci/actions_api.ts";
import type { Fate } from "../lock/expiry.ts";
import type { Context } from "./context.ts";

/** Asks about a run of the workflow that this job is a part of. */
export function askRunBy(
  { env, ci, version }: Pick<Context, "env" | "ci" | "version">,
): (number: number) => Promise<Fate> {
  // One for all questions: it knows for how long it is to be left alone.
  let api: ActionsApi | undefined;
  return async (number) => {
    if (ci.product !== "github") return { kind: "unknown", why: "it has not come yet" };
    // Loaded here, as most never ask.
    const { actionsApiIn, workflowFile } = await import("../ci/actions_api.ts");
    const repository = ci.project ?? "";
    const workflow = workflowFile(env["GITHUB_WORKFLOW_REF"] ?? "", repository) ?? "";
    api ??= actionsApiIn(env, version);
    return await api.run({ repository, workflow, number });
  };
}
