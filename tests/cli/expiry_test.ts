import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Env } from "../../lib/ci/detect.ts";
import { detectCi } from "../../lib/ci/detect.ts";
import { CliError, Exit } from "../../lib/cli/errors.ts";
import { expiryOf } from "../../lib/cli/expiry.ts";
import { Given } from "../../lib/cli/given.ts";
import { describeHolder, waitLine } from "../../lib/cli/prose.ts";
import type { Fate } from "../../lib/lock/expiry.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import type { Holder } from "../../lib/lock/record.ts";

const JOB = {
  GITHUB_ACTIONS: "true",
  GITHUB_REPOSITORY: "acme/shop",
  GITHUB_RUN_ID: "7",
  GITHUB_RUN_ATTEMPT: "1",
  RUNNER_NAME: "r",
  K8S_LOCK_CHECK_RUN_ID: "100",
  K8S_LOCK_GITHUB_TOKEN: "t",
};

function asked(onExpiry: string | undefined, env: Env, heldFor: "job" | "ttl" = "job") {
  const warnings: string[] = [];
  const given = new Given(onExpiry === undefined ? {} : { onExpiry }, env);
  const expiry = expiryOf({
    command: "acquire",
    given,
    env,
    ci: detectCi(env),
    operands: ["a"],
    rest: null,
    warn: (message) => warnings.push(message),
  }, heldFor);
  return { expiry, warnings };
}

Deno.test("by default others take over, and the variable stands for the option", () => {
  assertEquals(asked(undefined, {}).expiry, "takeover");
  assertEquals(asked(undefined, { K8S_LOCK_ON_EXPIRY: "never" }).expiry, "never");
  assertEquals(asked("takeover", { K8S_LOCK_ON_EXPIRY: "never" }).expiry, "takeover");
});

Deno.test("verify keeps what others may ask about this job, and whether the hold ends with it", () => {
  for (const heldFor of ["job", "ttl"] as const) {
    assertEquals(asked("verify", JOB, heldFor), {
      expiry: {
        verify: {
          api: "https://api.github.com",
          repository: "acme/shop",
          run_id: "7",
          run_attempt: 1,
          check_run_id: "100",
          runner_name: "r",
          held_for: heldFor,
        },
      },
      warnings: [],
    });
  }
});

Deno.test("verify outside GitHub is wrong usage, named by where it was said", () => {
  for (const env of [{}, { CI: "true" }, { GITLAB_CI: "true", CI_JOB_ID: "3" }]) {
    const error = assertThrows(
      () => asked(undefined, { ...env, K8S_LOCK_ON_EXPIRY: "verify" }),
      CliError,
    );
    assertEquals(error.code, Exit.usage);
    assertStringIncludes(error.message, "K8S_LOCK_ON_EXPIRY: verify has others ask GitHub");
  }
});

Deno.test("verify warns of what will be missed: a token, or the check run's id", () => {
  const bare = { ...JOB, K8S_LOCK_GITHUB_TOKEN: "", K8S_LOCK_CHECK_RUN_ID: "" };
  const { warnings } = asked("verify", bare);
  assertEquals(warnings.length, 2);
  assertStringIncludes(warnings[0] ?? "", "${{ job.check_run_id }}");
  assertStringIncludes(warnings[1] ?? "", "K8S_LOCK_GITHUB_TOKEN");
});

const WALL = new Date("2026-01-31T12:02:00Z");

function silent(policy: Pick<Holder, "on_expiry">, seconds = 90): Holder {
  return {
    grant: "g",
    holder: "acme/shop deploy #1",
    mode: "exclusive",
    slot: 0,
    token: 1,
    state: "held",
    ttl_seconds: 60,
    renewals: 1,
    acquired_at: "2026-01-31T11:00:00Z",
    renewed_at: new Date(WALL.getTime() - seconds * 1000).toISOString(),
    waited_seconds: 0,
    description: "",
    link: "",
    ...policy,
  };
}

const FATES: readonly (readonly [Fate | undefined, string])[] = [
  [undefined, "is passed over only once its job is known to be over (--on-expiry verify)"],
  [{ kind: "not_over", why: "its job runs" }, "(--on-expiry verify): its job runs"],
  [{ kind: "unknown", why: "404" }, "(--on-expiry verify): 404"],
  [{ kind: "over", by: "server", why: "its job is over" }, "now, as its job is over"],
];
for (const [fate, words] of FATES) {
  Deno.test(`a silent holder with verify is told so where the answer is ${fate?.kind}`, () => {
    const told = describeHolder(silent({ on_expiry: "verify" }), WALL, fate);
    assertStringIncludes(told, words);
    assertStringIncludes(told, "acme/shop deploy #1 is silent for ");
  });
}

Deno.test("a silent holder with never is told with the command that helps", () => {
  const told = describeHolder(silent({ on_expiry: "never" }), WALL);
  assertStringIncludes(told, "k8s-lock break takes it off");
});

Deno.test("a log gets a line when an answer changes, and when a holder is past its TTL that none may take off", () => {
  const identity = { scope: "global", owner: "", repository: "", lock: "a" } as const;
  const place = { grant: "me", position: 1, length: 1 };
  const key = (seconds: number, fate?: Fate) =>
    waitLine(
      { ...emptyRecord(identity), holders: [silent({ on_expiry: "verify" }, seconds)] },
      place,
      WALL,
      { turnMs: null, fates: new Map(fate === undefined ? [] : [["g", fate]]) },
    ).key;
  const unknown: Fate = { kind: "unknown", why: "404" };
  assertEquals(new Set([key(1), key(61), key(61, unknown), key(99, unknown)]).size, 3);
});
