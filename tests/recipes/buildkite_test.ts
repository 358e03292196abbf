/** The commands of docs/recipes/buildkite.md, run at a terminal as Buildkite's agent runs them. */
import { load } from "js-yaml";
import process from "node:process";
import { identityOf, recipeFile } from "../support/recipes/pages.ts";
import { childOf } from "../support/recipes/processes.ts";
import { mustSucceed, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";
import { atTerminalLine } from "../support/terminal.ts";

function buildkite(variant: number): Product {
  const { steps: [step] } = load(
    recipeFile("buildkite.md", ".buildkite/pipeline.yml", variant).text,
  ) as { readonly steps: readonly { readonly command: readonly string[] }[] };
  // `buildkite-agent pipeline upload` puts variables in, and makes one dollar of two.
  const script = (step?.command ?? []).join("\n").replaceAll("$$", "$");
  const hook = recipeFile("buildkite.md", ".buildkite/hooks/pre-exit").text;
  return {
    name: `buildkite.md, file ${variant + 1}`,
    record: identityOf("buildkite.md", "record").replace("k8s-lock-", ""),
    outside: ["deploy", "--repo", "acme/shop"],
    holder: identityOf("buildkite.md", "holder"),
    scripts: variant === 0 ? ["deploy.sh"] : ["prepare.sh", "deploy.sh"],
    worker: "deploy.sh",
    env: (_, job) => ({
      CI: "true",
      BUILDKITE: "true",
      BUILDKITE_ORGANIZATION_SLUG: "acme",
      BUILDKITE_PIPELINE_SLUG: "shop",
      BUILDKITE_LABEL: ":lock: deploy",
      BUILDKITE_BUILD_NUMBER: "42",
      BUILDKITE_BUILD_ID: "4242",
      BUILDKITE_BUILD_URL: "https://buildkite.com/acme/shop/builds/42",
      BUILDKITE_JOB_ID: `job-${job}`,
      BUILDKITE_RETRY_COUNT: "0",
    }),
    // What runs at the terminal is the leader of a session, as with the agent.
    start: (project, env) =>
      Promise.resolve(
        project.start(atTerminalLine(["bash", "-e", "-c", script, "buildkite"]), env),
      ),
    async cancel(project, step) {
      process.kill(-await childOf(project, step.pid), "SIGTERM");
    },
    // The hook belongs to the repository: it runs after each job, also after one that has nothing to give back.
    after: (project, env, end) =>
      mustSucceed(project, ["sh", "-c", hook], {
        ...env,
        ...(end === "cancelled" ? { BUILDKITE_JOB_CANCELLED: "true" } : {}),
      }),
    whenCancelled: variant === 0 ? "given back" : "expires",
  };
}

testRecipe(buildkite(0));
testRecipe(buildkite(1));
