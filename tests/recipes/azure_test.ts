/** The scripts of docs/recipes/azure-pipelines.md, run and cancelled as Azure's agent and its script task do it. */
import { load } from "js-yaml";
import { kill } from "../support/sandbox.ts";
import { identityOf, recipeFile } from "../support/recipes/pages.ts";
import { killAll, mustSucceed, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

interface Step {
  readonly script?: string;
  readonly condition?: string;
}

/**
 * The task's program: starts bash, and answers a SIGINT by a SIGTERM to bash alone. Its exit code is bash's. (Azure's is a program for
 * Node, which need not be here.)
 */
const TASK = `
import { spawn } from "node:child_process";
import process from "node:process";
const bash = spawn("bash", ["--noprofile", "--norc", "-c", process.env.TEST_SCRIPT], { stdio: "inherit" });
process.on("SIGINT", () => bash.kill("SIGTERM"));
bash.on("exit", (code) => process.exit(code ?? 1));
`;

const task = (script: string) => [
  ...["env", `TEST_SCRIPT=${script}`],
  ...[Deno.execPath(), "eval", "--ext=js", TASK],
];

function azure(variant: number, what = "", edit = (script: string) => script): Product {
  const pipeline = load(recipeFile("azure-pipelines.md", "azure-pipelines.yml", variant).text) as {
    readonly jobs: readonly { readonly steps: readonly Step[] }[];
  };
  const steps = (pipeline.jobs[0]?.steps ?? []).filter(({ script }) => script !== undefined);
  const of = (...conditions: readonly (string | undefined)[]) =>
    steps.filter(({ condition }) => conditions.includes(condition))
      .map(({ script = "" }) => edit(script));
  const lines = of(undefined);
  const last = {
    succeeded: of("always()", "succeededOrFailed()"),
    failed: of("always()", "succeededOrFailed()"),
    cancelled: of("always()"),
  };
  return {
    name: `azure-pipelines.md, file ${variant + 1}${what}`,
    record: identityOf("azure-pipelines.md", "record").replace("k8s-lock-", ""),
    outside: ["deploy", "--repo", "acme/shop"],
    holder: identityOf("azure-pipelines.md", "holder"),
    scripts: variant === 0 ? ["deploy.sh"] : ["prepare.sh", "deploy.sh"],
    worker: "deploy.sh",
    env: (_, job) => ({
      TF_BUILD: "True",
      SYSTEM_COLLECTIONURI: "https://dev.azure.com/acme/",
      SYSTEM_TEAMPROJECT: "shop",
      BUILD_BUILDID: "4242",
      BUILD_BUILDNUMBER: "20260131.2",
      BUILD_DEFINITIONNAME: "deploy",
      BUILD_REPOSITORY_NAME: "acme/shop",
      SYSTEM_JOBID: `job-${job}`,
      SYSTEM_JOBATTEMPT: "1",
      AGENT_NAME: "Hosted Agent",
    }),
    async start(project, env) {
      const waits = lines.findIndex((line) => /k8s-lock (run|acquire) /.test(line));
      for (const line of lines.slice(0, waits)) await mustSucceed(project, task(line), env);
      // One task for the steps of a job that hold: each in a subshell, whose `exec` ends only itself.
      const held = lines.slice(waits);
      const [only = ""] = held;
      return project.start(
        task(held.length === 1 ? only : held.map((line) => `(${line}) || exit`).join("\n")),
        env,
      );
    },
    cancel: (_, step) => kill(step.pid, "SIGINT"),
    whenCancelled: variant === 0 ? "given back" : "expires",
    // The agent ends all that has the job's VSTS_PROCESS_LOOKUP_ID.
    endOfJob: killAll,
    async after(project, env, end) {
      for (const line of last[end]) await mustSucceed(project, task(line), env);
    },
  };
}

testRecipe(azure(0));
testRecipe(azure(1));
testRecipe(azure(0, " without exec", (script) => script.replace(/^exec /, "")));
