import { assertEquals, assertNotEquals } from "@std/assert";
import { detectCi, projectOfRemote } from "../../lib/ci/detect.ts";
import type { Env } from "../../lib/ci/detect.ts";

const MACHINE = () => ({ user: "jo", host: "box" });

const GITHUB: Env = {
  CI: "true",
  GITHUB_ACTIONS: "true",
  GITHUB_ACTOR: "octocat",
  GITHUB_JOB: "build",
  GITHUB_REPOSITORY: "acme/shop",
  GITHUB_RUN_ATTEMPT: "1",
  GITHUB_RUN_ID: "1001",
  GITHUB_RUN_NUMBER: "42",
  GITHUB_SERVER_URL: "https://github.com",
  GITHUB_WORKFLOW: "Deploy",
  RUNNER_NAME: "runner-1",
};

Deno.test("a GitHub job is known by its run and its runner", () => {
  assertEquals(detectCi(GITHUB), {
    product: "github",
    jobId: "https://github.com/acme/shop/1001/1/build/runner-1",
    holder: "acme/shop Deploy #42",
    description: "job build, started by octocat",
    link: "https://github.com/acme/shop/actions/runs/1001",
    project: "acme/shop",
    runNumber: 42,
    runId: "1001",
    runAttempt: 1,
    actor: "octocat",
  });
});

Deno.test("a re-run, another leg of a matrix and another job of a run on GitHub are other jobs", () => {
  const variants: Env[] = [
    GITHUB,
    { ...GITHUB, GITHUB_RUN_ATTEMPT: "2" },
    { ...GITHUB, RUNNER_NAME: "runner-2" },
    { ...GITHUB, GITHUB_JOB: "test" },
    { ...GITHUB, GITHUB_SERVER_URL: "https://ghe.acme.example" },
  ];
  assertEquals(new Set(variants.map((env) => detectCi(env).jobId)).size, variants.length);
});

Deno.test("the page of a re-run on GitHub is that attempt's", () => {
  const again = detectCi({ ...GITHUB, GITHUB_RUN_ATTEMPT: "3" });
  assertEquals(again.link, "https://github.com/acme/shop/actions/runs/1001/attempts/3");
  assertEquals(again.description, "job build, attempt 3, started by octocat");
});

Deno.test("a GitHub workflow without a name goes by its file", () => {
  const { holder } = detectCi({ ...GITHUB, GITHUB_WORKFLOW: ".github/workflows/deploy.yml" });
  assertEquals(holder, "acme/shop deploy.yml #42");
});

Deno.test("a GitLab job is known by its id, its project by the whole path", () => {
  const env: Env = {
    CI: "true",
    GITLAB_CI: "true",
    CI_SERVER_URL: "https://gitlab.com",
    CI_JOB_ID: "777",
    CI_JOB_NAME: "deploy: [eu]",
    CI_JOB_URL: "https://gitlab.com/group/sub/app/-/jobs/777",
    CI_PIPELINE_ID: "900",
    CI_PIPELINE_IID: "12",
    CI_PROJECT_PATH: "group/sub/app",
    GITLAB_USER_LOGIN: "ann",
  };
  assertEquals(detectCi(env), {
    product: "gitlab",
    jobId: "https://gitlab.com/777",
    holder: "group/sub/app deploy: [eu] #12",
    description: "started by ann",
    link: "https://gitlab.com/group/sub/app/-/jobs/777",
    project: "group/sub/app",
    runNumber: 12,
    runId: "900",
    runAttempt: null,
    actor: "ann",
  });
  assertNotEquals(detectCi({ ...env, CI_JOB_ID: "778" }).jobId, detectCi(env).jobId);
});

for (
  const [product, env, project, holder] of [
    [
      "jenkins",
      {
        JENKINS_URL: "https://ci/",
        JOB_NAME: "shop/main",
        BUILD_NUMBER: "5",
        NODE_NAME: "n1",
        GIT_URL: "git@github.com:acme/shop.git",
      },
      "acme/shop",
      "shop/main #5",
    ],
    [
      "circleci",
      {
        CIRCLECI: "true",
        CIRCLE_WORKFLOW_JOB_ID: "w",
        CIRCLE_NODE_INDEX: "0",
        CIRCLE_PROJECT_USERNAME: "acme",
        CIRCLE_PROJECT_REPONAME: "shop",
        CIRCLE_JOB: "build",
        CIRCLE_BUILD_NUM: "5",
      },
      "acme/shop",
      "acme/shop build #5",
    ],
    [
      "buildkite",
      {
        BUILDKITE: "true",
        BUILDKITE_JOB_ID: "j",
        BUILDKITE_ORGANIZATION_SLUG: "acme",
        BUILDKITE_PIPELINE_SLUG: "shop",
        BUILDKITE_LABEL: "build",
        BUILDKITE_BUILD_NUMBER: "5",
      },
      "acme/shop",
      "acme/shop build #5",
    ],
    [
      "azure",
      {
        TF_BUILD: "True",
        SYSTEM_COLLECTIONURI: "https://dev.azure.com/acme/",
        SYSTEM_TEAMPROJECT: "web",
        BUILD_BUILDID: "5",
        BUILD_REPOSITORY_NAME: "shop",
        BUILD_DEFINITIONNAME: "build",
        BUILD_BUILDNUMBER: "20260131.1",
      },
      "web/shop",
      "shop build #20260131.1",
    ],
    [
      "bitbucket",
      {
        BITBUCKET_BUILD_NUMBER: "5",
        BITBUCKET_REPO_FULL_NAME: "acme/shop",
        BITBUCKET_STEP_UUID: "{s}",
      },
      "acme/shop",
      "acme/shop #5",
    ],
  ] as const
) {
  Deno.test(`a job of ${product} is known, with its project`, () => {
    const ci = detectCi(env, MACHINE);
    assertEquals([ci.product, ci.project, ci.holder], [product, project, holder]);
    assertNotEquals(ci.jobId, null);
  });
}

Deno.test("a person's shell is no CI: who it is, are user and machine", () => {
  const ci = detectCi({}, MACHINE);
  assertEquals([ci.product, ci.holder, ci.jobId, ci.project], ["none", "jo@box", null, null]);
  assertEquals(
    detectCi({ CI: "false", GITHUB_ACTIONS: "", GITLAB_CI: "" }, MACHINE).product,
    "none",
  );
});

Deno.test("a CI that says no more than that it is one is some other", () => {
  assertEquals(detectCi({ CI: "true" }, MACHINE).product, "other");
});

Deno.test("a job that lacks variables is still one, without what they would say", () => {
  const ci = detectCi({ GITHUB_ACTIONS: "true", GITHUB_RUN_NUMBER: "x" }, MACHINE);
  assertEquals([ci.project, ci.runNumber, ci.runAttempt, ci.jobId], [null, null, null, null]);
});

for (
  const [remote, project] of [
    ["https://github.com/acme/shop.git", "acme/shop"],
    ["https://user:secret@host:8443/group/sub/app", "group/sub/app"],
    ["ssh://git@host/acme/shop.git/", "acme/shop"],
    ["git@github.com:acme/shop.git", "acme/shop"],
    ["/srv/git/shop.git", null],
    ["", null],
  ] as const
) {
  Deno.test(`the project of the remote "${remote}" is ${project}`, () => {
    assertEquals(projectOfRemote(remote), project);
  });
}

Deno.test("a step of Argo is known by its node, its workflow and its template", () => {
  const env = {
    ARGO_NODE_ID: "deploy-x7k2p-3411223344",
    ARGO_CONTAINER_NAME: "main",
    ARGO_TEMPLATE: '{"name":"roll-out"}',
  };
  const older = detectCi(env, MACHINE);
  assertEquals(older, {
    product: "argo",
    jobId: "argo/deploy-x7k2p-3411223344/box",
    holder: "Argo deploy-x7k2p-3411223344",
    description: "template roll-out",
    link: "",
    project: null,
    runNumber: null,
    runId: null,
    runAttempt: null,
    actor: "jo",
  });
  const newer = detectCi({ ...env, ARGO_WORKFLOW_NAME: "deploy-x7k2p" }, MACHINE);
  assertEquals([newer.holder, newer.runId], ["Argo deploy-x7k2p", "deploy-x7k2p"]);
  for (const ARGO_TEMPLATE of ["", "{", "null", "[]", '{"name":3}']) {
    assertEquals(detectCi({ ...env, ARGO_TEMPLATE }, MACHINE).description, "");
  }
});

Deno.test("a step of Tekton is known by its folder, and goes by its pod's name", () => {
  const machine = () => ({ user: "65532", host: "deploy-run-x7k2p-pod", inTekton: true });
  const ci = detectCi({}, machine);
  assertEquals(
    [ci.product, ci.jobId, ci.holder, ci.project],
    ["tekton", "tekton/deploy-run-x7k2p-pod", "Tekton deploy-run-x7k2p", null],
  );
});

Deno.test("a CI whose runner lives in such a pod is that CI", () => {
  const machine = () => ({ user: "jo", host: "runner-pod", inTekton: true });
  assertEquals(detectCi({ ...GITHUB, ARGO_NODE_ID: "runner" }, machine).product, "github");
});

Deno.test("a job in a container and one of a reusable workflow on GitHub are known as any", () => {
  // In a container HOSTNAME and HOME are others; in a called workflow all but the job's id is the caller's.
  const called = { ...GITHUB, HOSTNAME: "f00", HOME: "/github/home", GITHUB_JOB: "called" };
  const { product, project, jobId, holder } = detectCi(called);
  assertEquals([product, project, holder], ["github", "acme/shop", "acme/shop Deploy #42"]);
  assertNotEquals(jobId, detectCi(GITHUB).jobId);
});
