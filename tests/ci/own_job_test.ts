import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ownJob } from "../../lib/ci/own_job.ts";
import { emptyRecord, encodeRecord, parseRecord } from "../../lib/lock/record.ts";
import { claim } from "../../lib/lock/rules.ts";

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

for (
  const [what, change] of [
    ["a runner's name", { RUNNER_NAME: "r".repeat(5000), K8S_LOCK_CHECK_RUN_ID: "" }],
    ["a runner's name beside an id", { RUNNER_NAME: "r".repeat(5000) }],
    ["an attempt", { GITHUB_RUN_ATTEMPT: "9".repeat(20) }],
    ["an attempt beyond all numbers", { GITHUB_RUN_ATTEMPT: "9".repeat(400) }],
    ["a run's id", { GITHUB_RUN_ID: "9".repeat(5000) }],
    ["a check run's id", { K8S_LOCK_CHECK_RUN_ID: "9".repeat(5000) }],
    ["a repository", { GITHUB_REPOSITORY: `acme/${"s".repeat(5000)}` }],
    ["an address", { GITHUB_API_URL: `https://ghe.acme.test/${"v".repeat(5000)}` }],
  ] as const
) {
  Deno.test(`${what} that is far too long comes into no record, where nobody could read it any more`, () => {
    const own = ownJob({ ...ENV, ...change });
    if (!own.found) return assertStringIncludes(own.why, Object.keys(change)[0] ?? "");
    const me = {
      grant: "a-1",
      holder: "a",
      mode: "exclusive",
      number: null,
      ttlSeconds: 60,
      waitedSeconds: 0,
      description: "",
      link: "",
      expiry: { verify: { ...own.job, held_for: "job" } },
    } as const;
    const identity = { scope: "global", owner: "", repository: "", lock: "deploy" } as const;
    const held = claim(emptyRecord(identity), me, { tickets: [] }, "1", "2026-01-31T00:00:00Z");
    assert(typeof held !== "string");
    assertEquals(parseRecord(encodeRecord(held)).holders.length, 1);
  });
}
