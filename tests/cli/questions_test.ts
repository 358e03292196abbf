import { assert, assertEquals } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import { ownJob } from "../../lib/ci/own_job.ts";
import { questionsBy } from "../../lib/cli/questions.ts";
import { actionsApiServer } from "../support/actions_api.ts";

Deno.test("one that was told to wait asks about no other run or job before that", async () => {
  await using server = await actionsApiServer(() => ({
    status: 429,
    headers: { "retry-after": "600" },
    body: {},
  }));
  const env = {
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_RUN_ID: "7",
    RUNNER_NAME: "runner-1",
    GITHUB_WORKFLOW_REF: "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    GITHUB_API_URL: server.url,
    K8S_LOCK_GITHUB_TOKEN: "t",
  };
  const { askRun, askJob } = questionsBy({ env, ci: detectCi(env), version: "1.2.3" });
  for (const number of [5, 6]) assertEquals((await askRun(number)).kind, "unknown");
  assertEquals(server.asked.length, 1);
  const own = ownJob(env);
  assert(own.found);
  assertEquals((await askJob({ ...own.job, held_for: "job" })).kind, "unknown");
  assertEquals(server.asked.length, 1);
});
