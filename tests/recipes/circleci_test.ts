/** The commands of docs/recipes/circleci.md, run as CircleCI runs a step. */
import { load } from "js-yaml";
import { kill } from "../support/sandbox.ts";
import { identityOf, recipeFile } from "../support/recipes/pages.ts";
import { killAll, mustSucceed, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

type Step = "checkout" | { readonly run: string | Run };

interface Run {
  readonly command: string;
  readonly when?: string;
}

const bash = (command: string) => ["bash", "-eo", "pipefail", "-c", command];

function circleci(variant: number): Product {
  const config = load(recipeFile("circleci.md", ".circleci/config.yml", variant).text) as {
    readonly jobs: { readonly deploy: { readonly steps: readonly Step[] } };
  };
  const runs = config.jobs.deploy.steps.flatMap((step): Run[] => {
    if (step === "checkout") return [];
    return [typeof step.run === "string" ? { command: step.run } : step.run];
  });
  const lines = runs.filter(({ when }) => when !== "always").map(({ command }) => command);
  const always = runs.filter(({ when }) => when === "always").map(({ command }) => command);
  return {
    name: `circleci.md, file ${variant + 1}`,
    record: identityOf("circleci.md", "record").replace("k8s-lock-", ""),
    outside: ["deploy", "--repo", "acme/shop"],
    holder: identityOf("circleci.md", "holder"),
    scripts: variant === 0 ? ["deploy.sh"] : ["prepare.sh", "deploy.sh"],
    worker: "deploy.sh",
    env: (_, job) => ({
      CI: "true",
      CIRCLECI: "true",
      CIRCLE_PROJECT_USERNAME: "acme",
      CIRCLE_PROJECT_REPONAME: "shop",
      CIRCLE_JOB: "deploy",
      CIRCLE_BUILD_NUM: "42",
      CIRCLE_BUILD_URL: "https://circleci.com/gh/acme/shop/42",
      CIRCLE_WORKFLOW_ID: "77",
      CIRCLE_WORKFLOW_JOB_ID: `job-${job}`,
      CIRCLE_NODE_INDEX: "0",
    }),
    async start(project, env) {
      const waits = lines.findIndex((line) => /k8s-lock (run|acquire) /.test(line));
      for (const line of lines.slice(0, waits)) await mustSucceed(project, bash(line), env);
      return project.start(bash(lines.slice(waits).map((line) => `(${line})`).join("\n")), env);
    },
    // To the step's shell, and to nobody else.
    cancel: (_, step) => kill(step.pid, "SIGTERM"),
    whenCancelled: variant === 0 ? "given back" : "expires",
    // The container goes.
    endOfJob: killAll,
    // For a cancelled job none of them is run.
    async after(project, env, end) {
      if (end === "cancelled") return;
      for (const line of always) await mustSucceed(project, bash(line), env);
    },
  };
}

testRecipe(circleci(0));
testRecipe(circleci(1));
