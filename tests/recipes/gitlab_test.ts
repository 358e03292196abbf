/** The files of docs/recipes/gitlab.md, run as GitLab Runner's shell executor runs them. */
import { load } from "js-yaml";
import process from "node:process";
import { identityOf, recipeFile } from "../support/recipes/pages.ts";
import { mustSucceed, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

interface Job {
  readonly before_script: readonly string[];
  readonly script: readonly string[];
  readonly after_script?: readonly string[];
}

interface Pipeline {
  readonly variables?: Readonly<Record<string, string>>;
  readonly deploy: Job;
}

/**
 * One script of all lines, in one `eval` that stands in a pipeline, hence in a subshell: so the runner's bash writer does it. Bash
 * reads it from its standard input.
 */
function bash(...lines: readonly string[]): string[] {
  const body = lines.join("\n").replaceAll("'", `'\\''`);
  return ["bash", "-c", `set -eo pipefail\nset +o noclobber\n: | eval '${body}'\nexit 0\n`];
}

function gitlab(variant: number): Product {
  const { variables = {}, deploy } = load(
    recipeFile("gitlab.md", ".gitlab-ci.yml", variant).text,
  ) as
    & Pipeline
    & object;
  const { before_script, script, after_script } = deploy;
  return {
    name: `gitlab.md, file ${variant + 1}`,
    record: identityOf("gitlab.md", "record").replace("k8s-lock-", ""),
    outside: ["deploy", "--repo", "acme/shop"],
    holder: identityOf("gitlab.md", "holder"),
    scripts: ["prepare.sh", "deploy.sh"],
    worker: "deploy.sh",
    env: ({ folder }, job) => ({
      CI: "true",
      GITLAB_CI: "true",
      CI_SERVER_URL: "https://gitlab.example.com",
      CI_PROJECT_PATH: "acme/shop",
      CI_PROJECT_DIR: folder,
      CI_JOB_NAME: "deploy",
      CI_PIPELINE_IID: "42",
      CI_PIPELINE_ID: "4242",
      CI_JOB_ID: `${1000 + job}`,
      CI_JOB_URL: `https://gitlab.example.com/acme/shop/-/jobs/${1000 + job}`,
      ...Object.fromEntries(
        Object.entries(variables).map((
          [name, value],
        ) => [name, value.replaceAll("$CI_PROJECT_DIR", folder)]),
      ),
    }),
    start: (project, env) => Promise.resolve(project.start(bash(...before_script, ...script), env)),
    // The runner signals the process group of its shell.
    cancel: (_, step) => void process.kill(-step.pid, "SIGTERM"),
    ...(after_script === undefined ? {} : {
      after: (project, env, end) => {
        const CI_JOB_STATUS =
          { succeeded: "success", failed: "failed", cancelled: "canceled" }[end];
        return mustSucceed(project, bash(...after_script), { ...env, CI_JOB_STATUS });
      },
    }),
    whenCancelled: after_script === undefined ? "given back" : "expires",
  };
}

testRecipe(gitlab(0));
testRecipe(gitlab(1));
