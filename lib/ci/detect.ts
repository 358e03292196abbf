/**
 * Where the program runs: the CI product, its job, its repository, by the variables that each product documents for its jobs.
 *
 * A table of our own, after a look at the well-kept packages (ci-info 4.5, std-env 4.3, env-ci 11.2). The first two tell which product
 * it is and no more, and read the process's environment when they are imported. env-ci takes an environment, and tells repository and
 * page for some products, but for none of them the attempt, the number that people know, the runner or who started it; of GitHub it
 * reads the event's file, and throws where that is missing; and it brings a library that starts processes. Each product would need
 * nearly all of its entry below all the same.
 */
import { existsSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import process from "node:process";
import { argoStep, tektonStep } from "./pods.ts";

/** An environment. Variables that are set to nothing count as not set. */
export type Env = Readonly<Record<string, string | undefined>>;

/** `other`: some CI that says so (`CI=true`) and no more. `none`: a person's shell, cron, anything else. */
export type CiProduct =
  | "github"
  | "gitlab"
  | "jenkins"
  | "circleci"
  | "buildkite"
  | "azure"
  | "bitbucket"
  | "argo"
  | "tekton"
  | "other"
  | "none";

/** What a CI says about the job that this program is a part of. Texts are as the CI gave them: not yet safe to show. */
export interface Ci {
  /** Decides some defaults, such as the log format and the scope. */
  readonly product: CiProduct;
  /** Another one for every run of a job on every machine, the same in all its steps; null where nobody tells. */
  readonly jobId: string | null;
  /** Who this is, for people: `acme/shop Deploy #42`; `user@host` outside CI. */
  readonly holder: string;
  /** More of it, for people: `job build, started by octocat`. May be empty. */
  readonly description: string;
  /** The page of this run or job. May be empty. */
  readonly link: string;
  /** `acme/shop`, or a longer path where projects are nested; null where the CI does not say. */
  readonly project: string | null;
  /** The number that people call the run by, growing within its workflow or project. */
  readonly runNumber: number | null;
  /** The run's identity in the product. */
  readonly runId: string | null;
  /** 1 for the first try of this run; null where the product has no such thing. */
  readonly runAttempt: number | null;
  /** Who started it. May be empty. */
  readonly actor: string;
}

/** The user and the machine, where no CI says more. */
export interface Machine {
  /** Its name, or its number where the system knows no name. */
  readonly user: string;
  /** As the system calls itself. */
  readonly host: string;
  /** True in a container of a Tekton step. */
  readonly inTekton?: boolean;
}

/** Reads one variable; "" when it is unset or empty. */
type Get = (name: string) => string;

interface Product {
  readonly product: CiProduct;
  /** True in jobs of this product. */
  readonly runsHere: (get: Get) => boolean;
  readonly read: (get: Get) => Omit<Ci, "product">;
}

/** The CI job that `env` is the environment of. */
export function detectCi(env: Env, machine: () => Machine = thisMachine): Ci {
  const get: Get = (name) => env[name]?.trim() ?? "";
  const found = PRODUCTS.find((product) => product.runsHere(get));
  if (found !== undefined) return { product: found.product, ...found.read(get) };
  const here = machine();
  const pod = argoStep(env, here) ?? tektonStep(here);
  if (pod !== null) return pod;
  const { user, host } = here;
  const someCi = get("CI") !== "" && !/^(false|0|no)$/i.test(get("CI"));
  return {
    product: someCi ? "other" : "none",
    jobId: null,
    holder: `${user}@${host}`,
    description: "",
    link: "",
    project: null,
    runNumber: null,
    runId: null,
    runAttempt: null,
    actor: user,
  };
}

/** This machine and this user; a user without an entry in the system's list goes by number. */
export function thisMachine(): Machine {
  return { user: userName(), host: hostname(), inTekton: existsSync("/tekton/results") };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}

const PRODUCTS: readonly Product[] = [
  {
    product: "github",
    runsHere: (get) => get("GITHUB_ACTIONS") === "true",
    read: (get) => {
      const repository = get("GITHUB_REPOSITORY");
      const attempt = number(get("GITHUB_RUN_ATTEMPT"));
      const server = get("GITHUB_SERVER_URL") || "https://github.com";
      const run = `${server}/${repository}/actions/runs/${get("GITHUB_RUN_ID")}`;
      // A workflow without a name goes by its file's path.
      const workflow = get("GITHUB_WORKFLOW").replace(/^\.github\/workflows\//, "");
      return {
        // The legs of a matrix share everything but the runner that they run on.
        jobId: join(
          server,
          repository,
          get("GITHUB_RUN_ID"),
          get("GITHUB_RUN_ATTEMPT"),
          get("GITHUB_JOB"),
          get("RUNNER_NAME"),
        ),
        holder: words(repository, workflow || get("GITHUB_JOB"), hash(get("GITHUB_RUN_NUMBER"))),
        description: about(get("GITHUB_JOB"), get("GITHUB_ACTOR"), attempt),
        link: (attempt ?? 1) > 1 ? `${run}/attempts/${attempt}` : run,
        project: repository || null,
        runNumber: number(get("GITHUB_RUN_NUMBER")),
        runId: get("GITHUB_RUN_ID") || null,
        runAttempt: attempt,
        actor: get("GITHUB_ACTOR"),
      };
    },
  },
  {
    product: "gitlab",
    runsHere: (get) => get("GITLAB_CI") !== "",
    read: (get) => ({
      // A retry of a job is another job with another id.
      jobId: join(get("CI_SERVER_URL") || get("CI_SERVER_HOST"), get("CI_JOB_ID")),
      holder: words(get("CI_PROJECT_PATH"), get("CI_JOB_NAME"), hash(get("CI_PIPELINE_IID"))),
      description: about("", get("GITLAB_USER_LOGIN"), null),
      link: get("CI_JOB_URL") || get("CI_PIPELINE_URL"),
      project: get("CI_PROJECT_PATH") || null,
      runNumber: number(get("CI_PIPELINE_IID")),
      runId: get("CI_PIPELINE_ID") || null,
      runAttempt: null,
      actor: get("GITLAB_USER_LOGIN"),
    }),
  },
  {
    product: "buildkite",
    runsHere: (get) => get("BUILDKITE") === "true",
    read: (get) => ({
      jobId: join(get("BUILDKITE_JOB_ID")),
      holder: words(
        join(get("BUILDKITE_ORGANIZATION_SLUG"), get("BUILDKITE_PIPELINE_SLUG")),
        get("BUILDKITE_LABEL"),
        hash(get("BUILDKITE_BUILD_NUMBER")),
      ),
      description: about("", get("BUILDKITE_BUILD_CREATOR"), retries(get("BUILDKITE_RETRY_COUNT"))),
      link: get("BUILDKITE_BUILD_URL") &&
        `${get("BUILDKITE_BUILD_URL")}#${get("BUILDKITE_JOB_ID")}`,
      project: join(get("BUILDKITE_ORGANIZATION_SLUG"), get("BUILDKITE_PIPELINE_SLUG")),
      runNumber: number(get("BUILDKITE_BUILD_NUMBER")),
      runId: get("BUILDKITE_BUILD_ID") || null,
      runAttempt: retries(get("BUILDKITE_RETRY_COUNT")),
      actor: get("BUILDKITE_BUILD_CREATOR"),
    }),
  },
  {
    product: "circleci",
    runsHere: (get) => get("CIRCLECI") === "true",
    read: (get) => ({
      jobId: join(
        get("CIRCLE_WORKFLOW_JOB_ID") || get("CIRCLE_BUILD_URL"),
        get("CIRCLE_NODE_INDEX"),
      ),
      holder: words(
        join(get("CIRCLE_PROJECT_USERNAME"), get("CIRCLE_PROJECT_REPONAME")),
        get("CIRCLE_JOB"),
        hash(get("CIRCLE_BUILD_NUM")),
      ),
      description: about("", get("CIRCLE_USERNAME"), null),
      link: get("CIRCLE_BUILD_URL"),
      project: join(get("CIRCLE_PROJECT_USERNAME"), get("CIRCLE_PROJECT_REPONAME")),
      runNumber: number(get("CIRCLE_BUILD_NUM")),
      runId: get("CIRCLE_WORKFLOW_ID") || null,
      runAttempt: null,
      actor: get("CIRCLE_USERNAME"),
    }),
  },
  {
    product: "azure",
    runsHere: (get) => get("TF_BUILD") !== "",
    read: (get) => {
      const team = `${get("SYSTEM_COLLECTIONURI")}${encodeURIComponent(get("SYSTEM_TEAMPROJECT"))}`;
      return {
        jobId: join(
          get("SYSTEM_COLLECTIONURI"),
          get("BUILD_BUILDID"),
          get("SYSTEM_JOBID"),
          get("SYSTEM_JOBATTEMPT"),
          get("AGENT_NAME"),
        ),
        holder: words(
          get("BUILD_REPOSITORY_NAME"),
          get("BUILD_DEFINITIONNAME"),
          hash(get("BUILD_BUILDNUMBER")),
        ),
        description: about(
          get("AGENT_JOBNAME"),
          get("BUILD_REQUESTEDFOR"),
          number(get("SYSTEM_JOBATTEMPT")),
        ),
        link: get("SYSTEM_COLLECTIONURI") &&
          `${team}/_build/results?buildId=${get("BUILD_BUILDID")}`,
        // A repository in Azure Repos has no owner but its project.
        project: get("BUILD_REPOSITORY_NAME").includes("/")
          ? get("BUILD_REPOSITORY_NAME")
          : join(get("SYSTEM_TEAMPROJECT"), get("BUILD_REPOSITORY_NAME")),
        // The build's number is a text of any form there (20260131.2); its id grows.
        runNumber: number(get("BUILD_BUILDID")),
        runId: get("BUILD_BUILDID") || null,
        runAttempt: number(get("SYSTEM_JOBATTEMPT")),
        actor: get("BUILD_REQUESTEDFOR"),
      };
    },
  },
  {
    product: "bitbucket",
    runsHere: (get) => get("BITBUCKET_BUILD_NUMBER") !== "",
    read: (get) => {
      const page = `${get("BITBUCKET_GIT_HTTP_ORIGIN").replace(/^http:/, "https:")}/pipelines/`;
      return {
        jobId: join(
          get("BITBUCKET_REPO_FULL_NAME"),
          get("BITBUCKET_BUILD_NUMBER"),
          get("BITBUCKET_STEP_UUID"),
          get("BITBUCKET_STEP_RUN_NUMBER"),
        ),
        holder: words(get("BITBUCKET_REPO_FULL_NAME"), hash(get("BITBUCKET_BUILD_NUMBER"))),
        description: "",
        link: get("BITBUCKET_GIT_HTTP_ORIGIN") &&
          `${page}results/${get("BITBUCKET_BUILD_NUMBER")}`,
        project: get("BITBUCKET_REPO_FULL_NAME") || null,
        runNumber: number(get("BITBUCKET_BUILD_NUMBER")),
        runId: get("BITBUCKET_PIPELINE_UUID") || null,
        runAttempt: number(get("BITBUCKET_STEP_RUN_NUMBER")),
        actor: "",
      };
    },
  },
  {
    // Last: others set some of its variables too.
    product: "jenkins",
    runsHere: (get) => get("JENKINS_URL") !== "" || get("HUDSON_URL") !== "",
    read: (get) => ({
      jobId: join(
        get("JENKINS_URL") || get("HUDSON_URL"),
        get("JOB_NAME"),
        get("BUILD_NUMBER"),
        get("NODE_NAME"),
      ),
      holder: words(get("JOB_NAME"), hash(get("BUILD_NUMBER"))),
      description: about(get("STAGE_NAME"), get("BUILD_USER_ID"), null),
      link: get("BUILD_URL"),
      // Not the job's name: in a multibranch pipeline it has the branch in it, and each branch would have a lock of its own.
      project: projectOfRemote(get("GIT_URL") || get("GIT_URL_1")),
      runNumber: number(get("BUILD_NUMBER")),
      runId: get("BUILD_ID") || null,
      runAttempt: null,
      actor: get("BUILD_USER_ID"),
    }),
  },
];

/** `acme/shop` of a Git remote: `https://host/acme/shop.git`, `git@host:acme/shop.git`. */
export function projectOfRemote(remote: string): string | null {
  const path = /^[a-z+]+:\/\/[^/]+\/(.+)$/i.exec(remote)?.[1] ??
    /^[^/:]+:(?!\/\/)(.+)$/.exec(remote)?.[1];
  const project = path?.replace(/^\/+|\/+$|(\.git)?\/*$/g, "") ?? "";
  return project.includes("/") ? project : null;
}

/** The parts with slashes between them, or null when one that came first is missing. */
function join(...parts: readonly string[]): string | null {
  return parts.slice(0, 2).every((part) => part !== "") ? parts.join("/") : null;
}

function words(...parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== "").join(" ");
}

function hash(count: string): string {
  return count === "" ? "" : `#${count}`;
}

function about(job: string, actor: string, attempt: number | null): string {
  return [
    job === "" ? "" : `job ${job}`,
    (attempt ?? 1) > 1 ? `attempt ${attempt}` : "",
    actor === "" ? "" : `started by ${actor}`,
  ].filter((part) => part !== "").join(", ");
}

/** How many retries came before, as the number of this try. */
function retries(count: string): number | null {
  const before = number(count);
  return before === null ? null : before + 1;
}

function number(text: string): number | null {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : null;
}
