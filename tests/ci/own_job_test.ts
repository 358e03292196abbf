import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ownJob } from "../../lib/ci/own_job.ts";

const ENV = {
  GITHUB_ACTIONS: "true",
  GITHUB_API_URL: "https://ghe.acme.test/api/v3/",
  GITHUB_REPOSITORY: "acme/shop",
  GITHUB_RUN_ID: "7",
  GITHUB_RUN_ATTEMPT: "2",
  RUNNER_NAME: "GitHub Actions 12",
  K8S_LOCK_CHECK_RUN_ID: "51725241954",
};

Deno.test("a job tells its API, run, attempt, check run and runner", () => {
  assertEquals(ownJob(ENV), {
    found: true,
    job: {
      api: "https://ghe.acme.test/api/v3",
      repository: "acme/shop",
      run_id: "7",
      run_attempt: 2,
      check_run_id: "51725241954",
      runner_name: "GitHub Actions 12",
    },
  });
});

Deno.test("where no check run's id was passed on the runner's name has to do", () => {
  for (const id of ["", "null", "12x", undefined]) {
    const own = ownJob({ ...ENV, K8S_LOCK_CHECK_RUN_ID: id });
    assert(own.found);
    assertEquals([own.job.check_run_id, own.job.runner_name], [null, "GitHub Actions 12"]);
  }
});

for (
  const [what, change, why] of [
    ["no GitHub Actions", { GITHUB_ACTIONS: "" }, "no job of GitHub Actions"],
    ["no run", { GITHUB_RUN_ID: "" }, "GITHUB_RUN_ID"],
    ["a run that is no number", { GITHUB_RUN_ID: "7/jobs" }, "GITHUB_RUN_ID"],
    ["no repository", { GITHUB_REPOSITORY: "acme" }, "GITHUB_REPOSITORY"],
    ["an address without TLS", { GITHUB_API_URL: "http://ghe.acme.test/api/v3" }, "https"],
    ["neither id nor runner", { K8S_LOCK_CHECK_RUN_ID: "", RUNNER_NAME: "" }, "RUNNER_NAME"],
  ] as const
) {
  Deno.test(`with ${what} there is no job to ask about, and why is said`, () => {
    const own = ownJob({ ...ENV, ...change });
    assert(!own.found);
    assertStringIncludes(own.why, why);
  });
}
