import { assertEquals } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import { askRunBy } from "../../lib/cli/runs.ts";
import { actionsApiServer } from "../support/actions_api.ts";

Deno.test("one that was told to wait asks about no other run before that", async () => {
  await using server = await actionsApiServer(() => ({
    status: 429,
    headers: { "retry-after": "600" },
    body: {},
  }));
  const env = {
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_WORKFLOW_REF: "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    GITHUB_API_URL: server.url,
    K8S_LOCK_GITHUB_TOKEN: "t",
  };
  const ask = askRunBy({ env, ci: detectCi(env), version: "1.2.3" });
  for (const number of [5, 6]) assertEquals((await ask(number)).kind, "unknown");
  assertEquals(server.asked.length, 1);
});
