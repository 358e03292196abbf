/** Steps that are containers of a pod: what Argo Workflows and Tekton tell of the run that they belong to, which is little. */
import type { Ci, Env, Machine } from "./detect.ts";

const NOTHING: Omit<Ci, "product" | "jobId" | "holder" | "actor"> = {
  description: "",
  link: "",
  // Neither knows a repository: a lock is everybody's who names it so, unless `--repo` says another.
  project: null,
  runNumber: null,
  runId: null,
  runAttempt: null,
};

/**
 * Argo's controller gives each container of a pod the node's id: the workflow's name, and behind it a number for each node but the
 * first (https://argo-workflows.readthedocs.io). Newer ones tell the workflow's name, too.
 */
export function argoStep(env: Env, { user, host }: Machine): Ci | null {
  const node = env["ARGO_NODE_ID"]?.trim() ?? "";
  if (node === "") return null;
  const workflow = env["ARGO_WORKFLOW_NAME"]?.trim() ?? "";
  const template = templateOf(env["ARGO_TEMPLATE"] ?? "");
  return {
    ...NOTHING,
    product: "argo",
    // A pod that is made again for the same node is another try.
    jobId: `argo/${node}/${host}`,
    holder: `Argo ${workflow === "" ? node : workflow}`,
    description: template === "" ? "" : `template ${template}`,
    runId: workflow === "" ? null : workflow,
    actor: user,
  };
}

/** The name in the JSON of a template; "" where there is none, or none that can be read. */
function templateOf(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    const { name } = { name: "", ...(typeof value === "object" ? value : {}) };
    return typeof name === "string" ? name : "";
  } catch {
    return "";
  }
}

/**
 * Tekton sets no variables of its own (https://tekton.dev/docs/pipelines/tasks/): a step knows it by the folder for results that every
 * step has. The pod is called as its TaskRun, with `-pod` behind it.
 */
export function tektonStep({ user, host, inTekton }: Machine): Ci | null {
  if (inTekton !== true) return null;
  return {
    ...NOTHING,
    product: "tekton",
    jobId: `tekton/${host}`,
    holder: `Tekton ${host.replace(/-pod$/, "")}`,
    actor: user,
  };
}
