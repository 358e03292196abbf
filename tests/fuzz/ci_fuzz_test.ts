/** What a CI, or whoever can set a job's variables, may hand over: names, links, numbers, texts. */
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { detectCi } from "../../lib/ci/detect.ts";
import { setOutputs, workflowCommand } from "../../lib/ci/github.ts";
import { commands } from "../../lib/cli/commands.ts";
import type { Context } from "../../lib/cli/context.ts";
import { CliError } from "../../lib/cli/errors.ts";
import type { AcquireOptions } from "../../lib/cli/options.ts";
import { parse, prepare } from "../../lib/cli/program.ts";
import { neutral } from "../../lib/cli/text.ts";
import { handledBy } from "../cli/stand_in.ts";
import { folder } from "../host/fixtures/folder.ts";
import { anyText, assertSayable, fuzz, hurtText } from "./fuzz.ts";

const PRODUCTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  github: {
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_REPOSITORY_OWNER: "acme",
    GITHUB_WORKFLOW: "Deploy",
    GITHUB_RUN_NUMBER: "42",
    GITHUB_RUN_ID: "1001",
    GITHUB_RUN_ATTEMPT: "1",
    GITHUB_JOB: "build",
    GITHUB_ACTOR: "octocat",
    GITHUB_SERVER_URL: "https://github.com",
    RUNNER_NAME: "runner-1",
  },
  gitlab: {
    GITLAB_CI: "true",
    CI: "true",
    CI_PROJECT_PATH: "group/sub/app",
    CI_JOB_ID: "5",
    CI_PIPELINE_IID: "7",
    CI_JOB_URL: "https://gitlab.example/x",
    CI_JOB_NAME: "deploy",
  },
  jenkins: {
    JENKINS_URL: "https://ci.example/",
    BUILD_URL: "https://ci.example/job/x/3/",
    JOB_NAME: "x",
    BUILD_NUMBER: "3",
    GIT_URL: "https://user:hidden-word@github.com/acme/shop.git",
  },
  circleci: { CIRCLECI: "true", CIRCLE_PROJECT_USERNAME: "acme", CIRCLE_PROJECT_REPONAME: "shop" },
  buildkite: {
    BUILDKITE: "true",
    BUILDKITE_REPO: "git@github.com:acme/shop.git",
    BUILDKITE_JOB_ID: "u",
  },
  azure: { TF_BUILD: "True", BUILD_REPOSITORY_NAME: "acme/shop", BUILD_BUILDID: "9" },
  bitbucket: { BITBUCKET_BUILD_NUMBER: "4", BITBUCKET_REPO_FULL_NAME: "acme/shop" },
  none: {},
};

const OURS = {
  K8S_LOCK_TTL: "60s",
  K8S_LOCK_TIMEOUT: "5m",
  K8S_LOCK_SCOPE: "repo",
  K8S_LOCK_HOLDER: "me",
  K8S_LOCK_DESCRIPTION: "a deploy",
  K8S_LOCK_LINK: "https://example.com",
  K8S_LOCK_NAMESPACE: "ci",
  K8S_LOCK_MAX_HOLD: "1h",
  K8S_LOCK_ORDER: "fifo",
  K8S_LOCK_REPO: "acme/shop",
  K8S_LOCK_STORE: "local",
};

/** An environment in which one or two variables are hurt. */
const environment: fc.Arbitrary<Record<string, string>> = fc.constantFrom(
  ...Object.values(PRODUCTS),
).chain((product) => {
  const whole: Record<string, string> = { ...product, ...OURS };
  const kept = fc.subarray(Object.keys(whole));
  const names = Object.keys(whole);
  const hurt = fc.constantFrom(...names).chain((name) =>
    fc.oneof(hurtText(whole[name] ?? ""), anyText).map((value) => [name, value] as const)
  );
  return fc.tuple(kept, fc.array(hurt, { minLength: 1, maxLength: 2 })).map(([some, wounds]) => ({
    ...Object.fromEntries(some.map((name) => [name, whole[name] ?? ""])),
    ...Object.fromEntries(wounds),
  }));
});

Deno.test("whatever a job's variables say, a lock is named by them or refused in a sentence, and what is kept is harmless", () =>
  fuzz(
    fc.tuple(environment, fc.oneof(fc.constant("deploy"), anyText)),
    1500,
    async ([env, lock]) => {
      const ci = detectCi(env, () => ({ user: "jo", host: "box" }));
      for (const text of [ci.holder, ci.description, ci.link, ci.actor]) {
        const shown = neutral(text);
        // Nothing is left of it: that is fine, too.
        if (shown.length >= 5) assertSayable(shown, ["\u001b", "\n::", "##vso["]);
      }
      let seen: AcquireOptions | undefined;
      const handler = (options: unknown) => {
        seen = options as AcquireOptions;
        return Promise.resolve(0);
      };
      try {
        const parsed = parse(["acquire", "--", lock], [...commands(handledBy(handler))], env);
        if (parsed.kind === "text") return;
        const warned: string[] = [];
        await prepare(parsed, env, ci, (message) => warned.push(message))({} as Context);
        for (const message of warned) assertSayable(message, ["hidden-word"]);
      } catch (error) {
        assert(error instanceof CliError, `${error instanceof Error ? error.stack : error}`);
        assertEquals(error.code, 2);
        assertSayable(error.message, ["hidden-word"]);
        return;
      }
      assert(seen !== undefined);
      for (const text of [seen.holder, seen.description, seen.link]) {
        assert(text.length <= 512 && text === neutral(text), JSON.stringify(text));
      }
      assert(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(seen.target.object), seen.target.object);
    },
  ));

Deno.test("whatever the outputs of a step are, each is read back as it was and no other is forged", async () => {
  using here = folder();
  const file = join(here.path, "outputs");
  await fuzz(fc.array(anyText, { minLength: 1, maxLength: 4 }), 300, (values) => {
    writeFileSync(file, "");
    const outputs = new Map(values.map((value, index) => [`name${index}`, value]));
    assertEquals(setOutputs({ GITHUB_OUTPUT: file }, outputs).outcome, "written");
    const read = new Map<string, string>();
    const lines = readFileSync(file, "utf8").split("\n");
    while (lines.length > 1) {
      const [name = "", end = ""] = (lines.shift() ?? "").split("<<");
      const value: string[] = [];
      while (lines[0] !== end && lines.length > 0) value.push(lines.shift() ?? "");
      lines.shift();
      read.set(name, value.join("\n"));
    }
    const whole = (texts: ReadonlyMap<string, string>) =>
      [...texts].map(([name, value]) => [name, value.toWellFormed()]);
    assertEquals(whole(read), whole(outputs));
  });
});

Deno.test("whatever a message is, it is one command of a workflow and no more", () =>
  fuzz(fc.tuple(anyText, anyText), 500, ([message, title]) => {
    const command = workflowCommand("warning", message, { title });
    assertEquals(command.split(/[\r\n]/).filter((line) => line !== "").length, 1);
    assert(command.startsWith("::warning"));
  }));
