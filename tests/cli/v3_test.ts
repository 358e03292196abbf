import { assertEquals } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import { identityOf, objectName } from "../../lib/cli/names.ts";
import { turnNumber } from "../../lib/cli/v3.ts";

const RUN = {
  GITHUB_ACTIONS: "true",
  GITHUB_REPOSITORY: "Acme/Shop",
  GITHUB_RUN_ID: "7",
  GITHUB_RUN_NUMBER: "42",
};

function inRepository(owner: string, repository: string) {
  const identity = identityOf("repo", { owner, repository }, "deploy");
  return { identity, object: objectName(identity) };
}

const OWN = inRepository("Acme", "Shop");
const OPS = inRepository("acme", "ops");
const GLOBAL = identityOf("global", null, "deploy");

for (
  const [what, env, target, number] of [
    ["a run of GitHub in its own repository's lock", RUN, OWN, 42],
    ["the same by the record's name", RUN, { ...OWN, identity: null }, 42],
    ["a run of GitHub in another repository's lock", RUN, OPS, null],
    ["the same by the record's name", RUN, { ...OPS, identity: null }, null],
    ["a run of GitHub in a lock of all", RUN, { identity: GLOBAL, object: "k8s-lock-deploy" }, 42],
    [
      "a run whose number no record can hold",
      { ...RUN, GITHUB_RUN_NUMBER: "999999999999999" },
      OWN,
      null,
    ],
    ["a run without a number", { ...RUN, GITHUB_RUN_NUMBER: "" }, OWN, null],
    [
      "a build of Jenkins",
      { JENKINS_URL: "https://ci", BUILD_NUMBER: "42", GIT_URL: "https://h/acme/shop.git" },
      OWN,
      null,
    ],
    [
      "a pipeline of GitLab",
      { GITLAB_CI: "true", CI_PIPELINE_IID: "42", CI_PROJECT_PATH: "acme/shop" },
      OWN,
      null,
    ],
  ] as const
) {
  Deno.test(`${what} ${number === null ? "takes no turn" : "takes its turn"} by run number (${target.object})`, () => {
    assertEquals(turnNumber(detectCi(env), target), number);
  });
}
