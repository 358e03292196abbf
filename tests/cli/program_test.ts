import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import type { Env } from "../../lib/ci/detect.ts";
import { commands } from "../../lib/cli/commands.ts";
import { completionSpec } from "../../lib/cli/completion.ts";
import type { Context } from "../../lib/cli/context.ts";
import { CliError, Exit } from "../../lib/cli/errors.ts";
import type {
  AcquireOptions,
  BreakOptions,
  ListOptions,
  ReleaseOptions,
  RunOptions,
  StatusOptions,
  VerifyOptions,
} from "../../lib/cli/options.ts";
import { parse, prepare } from "../../lib/cli/program.ts";
import { handledBy } from "./stand_in.ts";

const GITHUB: Env = {
  GITHUB_ACTIONS: "true",
  GITHUB_REPOSITORY: "acme/shop",
  GITHUB_WORKFLOW: "Deploy",
  GITHUB_RUN_NUMBER: "42",
  GITHUB_RUN_ID: "1001",
  GITHUB_RUN_ATTEMPT: "1",
  GITHUB_JOB: "build",
  GITHUB_ACTOR: "octocat",
};

/** What a command line asks for: the options that its command would get, and what was warned of. */
async function ask<O>(
  args: readonly string[],
  env: Env = {},
): Promise<{ options: O; warnings: string[] }> {
  let seen: unknown;
  const see = (options: unknown) => {
    seen = options;
    return Promise.resolve(0);
  };
  const specs = commands(handledBy(see));
  const parsed = parse(args, [...specs, completionSpec(specs)], env);
  if (parsed.kind === "text") return { options: parsed.text as O, warnings: [] };
  const warnings: string[] = [];
  const ci = detectCi(env, () => ({ user: "jo", host: "box" }));
  await prepare(parsed, env, ci, (message) => warnings.push(message))({} as Context);
  return { options: seen as O, warnings };
}

/** The sentence with which a command line is refused. */
async function refusal(args: readonly string[], env: Env = {}): Promise<string> {
  try {
    await ask(args, env);
  } catch (error) {
    assert(error instanceof CliError, String(error));
    assertEquals(error.code, Exit.usage);
    assert(!error.message.includes("\n"), error.message);
    return error.message;
  }
  throw new Error(`not refused: ${args.join(" ")}`);
}

Deno.test("run takes everything after the first -- as the command", async () => {
  const { options } = await ask<RunOptions>(["run", "deploy", "--", "sh", "-c", "--", "-5"]);
  assertEquals(options.command, ["sh", "-c", "--", "-5"]);
  assertEquals(options.target.object, "k8s-lock-deploy");
});

Deno.test("run has the documented defaults", async () => {
  const { options } = await ask<RunOptions>(["run", "deploy", "--", "x"]);
  assertEquals(options.timeoutMs, null);
  assertEquals(options.maxHoldMs, null);
  assertEquals(options.ttlMs, 60_000);
  assertEquals(options.requestTimeoutMs, 15_000);
  assertEquals(options.onLost, "kill");
  assertEquals(options.conflictExitCode, 10);
  assertEquals(options.store, "secret");
  assertEquals(options.holder, "jo@box");
});

Deno.test("in a GitHub job the lock is its repository's and the holder its run", async () => {
  const { options } = await ask<RunOptions>(["run", "deploy", "--", "x"], GITHUB);
  assertEquals(options.target, {
    lock: "deploy",
    object: "k8s-lock-acme-shop-deploy",
    identity: { scope: "repo", owner: "acme", repository: "shop", lock: "deploy" },
    by: "identity",
  });
  assertEquals(options.holder, "acme/shop Deploy #42");
  assertEquals(options.link, "https://github.com/acme/shop/actions/runs/1001");
  assertEquals(options.description, "job build, started by octocat");
});

Deno.test("what is typed counts more than a variable, and a variable more than the default", async () => {
  const env = { K8S_LOCK_TTL: "20s", K8S_LOCK_TIMEOUT: "1h" };
  const { options } = await ask<AcquireOptions>(["acquire", "a", "--ttl", "30s"], env);
  assertEquals(options.ttlMs, 30_000);
  assertEquals(options.timeoutMs, 3_600_000);
});

Deno.test("options may stand before the command, and count less there", async () => {
  const before = ["-n", "one", "--scope=global", "status"];
  const { options } = await ask<StatusOptions>([...before, "a", "-n", "two"], GITHUB);
  assertEquals(options.namespace, "two");
  assertEquals(options.target.object, "k8s-lock-a");
});

Deno.test("empty variables count as unset", async () => {
  const env: Env = {
    K8S_LOCK_TTL: "",
    K8S_LOCK_STORE: " ",
    K8S_LOCK_SCOPE: "",
    K8S_LOCK_REPO: "",
    K8S_LOCK_HOLDER: "",
    K8S_LOCK_KUBECONFIG_DATA: "\n",
    KUBECONFIG: "",
  };
  const { options } = await ask<AcquireOptions>(["acquire", "a"], env);
  assertEquals(options.ttlMs, 60_000);
  assertEquals(options.store, "secret");
  assertEquals(options.kubeconfigData, null);
  assertEquals(options.holder, "jo@box");
});

for (
  const [variable, value] of [
    ["K8S_LOCK_TTL", "4s"],
    ["K8S_LOCK_TIMEOUT", "5x"],
    ["K8S_LOCK_MAX_ATTEMPTS", "-1"],
    ["K8S_LOCK_MAX_HOLD", "1e9h"],
    ["K8S_LOCK_ON_BUSY", "maybe"],
    ["K8S_LOCK_STORE", "lease"],
    ["K8S_LOCK_STORE", "etcd"],
    ["K8S_LOCK_SCOPE", "world"],
    ["K8S_LOCK_REPO", "acme"],
    ["K8S_LOCK_NAMESPACE", "Not_Valid"],
    ["K8S_LOCK_REQUEST_TIMEOUT", "0"],
  ] as const
) {
  Deno.test(`a bad ${variable} (${value}) is refused by its name`, async () => {
    const sentence = await refusal(["acquire", "a"], { [variable]: value });
    assertStringIncludes(sentence, value === "lease" ? "not available in this version" : variable);
  });
}

Deno.test("attempts are waits of ten seconds, and the earlier limit wins", async () => {
  const timeout = async (...args: string[]) =>
    (await ask<AcquireOptions>(["acquire", "a", ...args])).options.timeoutMs;
  assertEquals(await timeout("--max-attempts", "6"), 60_000);
  assertEquals(await timeout("--max-attempts", "6", "--timeout", "30s"), 30_000);
  assertEquals(await timeout("--max-attempts", "6", "--timeout", "2m"), 60_000);
  assertEquals(await timeout("--timeout", "0"), 0);
  assertEquals(await timeout("--max-attempts", "9999999999"), 365 * 24 * 3600 * 1000);
});

Deno.test("acquire holds six hours at most, unless it watches a process or does not renew", async () => {
  const most = async (...args: string[]) =>
    (await ask<AcquireOptions>(["acquire", "a", ...args])).options.maxHoldMs;
  assertEquals(await most(), 6 * 3600 * 1000);
  assertEquals(await most("--watch-pid", "12"), null);
  assertEquals(await most("--watch-pid", "12", "--max-hold", "1h"), 3_600_000);
  assertEquals(await most("--no-renew"), null);
});

Deno.test("--object names the record, whatever scope and repository are", async () => {
  const { options } = await ask<StatusOptions>(["status", "--object", "some-record"], GITHUB);
  assertEquals(options.target, {
    lock: "some-record",
    object: "some-record",
    identity: null,
    by: "object",
  });
});

Deno.test("--repo speaks of another repository's lock, also from a laptop", async () => {
  const { options } = await ask<StatusOptions>(["status", "deploy", "--repo", "Acme/Shop"]);
  assertEquals(options.target.object, "k8s-lock-acme-shop-deploy");
});

Deno.test("a Jenkins job whose repository is not known has to say which lock is meant", async () => {
  const env = { JENKINS_URL: "https://ci", JOB_NAME: "shop/main", BUILD_NUMBER: "1" };
  assertStringIncludes(await refusal(["status", "a"], env), "--scope global");
  assertEquals(
    (await ask<StatusOptions>(["status", "a", "--scope", "global"], env)).options.target.object,
    "k8s-lock-a",
  );
});

Deno.test("the local file is where the user's state is kept, or where it was said", async () => {
  const path = async (env: Env, ...args: string[]) =>
    (await ask<StatusOptions>(["status", "a", "--local", ...args], env)).options.localPath;
  assertEquals(await path({ HOME: "/home/jo" }), "/home/jo/.local/state/k8s-lock/locks.db");
  assertEquals(await path({ XDG_STATE_HOME: "/s", HOME: "/h" }), "/s/k8s-lock/locks.db");
  assertEquals(
    await path({ XDG_STATE_HOME: "s", HOME: "/h" }),
    "/h/.local/state/k8s-lock/locks.db",
  );
  assertEquals(await path({ K8S_LOCK_LOCAL_PATH: "/x.db" }), "/x.db");
  assertEquals(await path({}, "--local-path", "x.db"), `${Deno.cwd()}/x.db`);
});

Deno.test("what has no effect with --local is said", async () => {
  const { warnings } = await ask(["status", "a", "--local", "-n", "ci"]);
  assertEquals(warnings, ["--namespace has no effect with --local"]);
});

Deno.test("a kubeconfig that is typed comes before the one in a variable", async () => {
  const env = { K8S_LOCK_KUBECONFIG_DATA: "abc", KUBECONFIG: "/k" };
  const { options } = await ask<StatusOptions>(["status", "a", "--kubeconfig", "/x"], env);
  assertEquals([options.kubeconfigPaths, options.kubeconfigData], ["/x", null]);
  const other = await ask<StatusOptions>(["status", "a"], env);
  assertEquals([other.options.kubeconfigPaths, other.options.kubeconfigData], [null, "abc"]);
});

Deno.test("texts of holders are made harmless and short before they are kept", async () => {
  const { options } = await ask<AcquireOptions>([
    "acquire",
    "a",
    "--holder",
    "\u001b[31mme\n::error::x",
    "--description",
    "y".repeat(100_000),
    "--link",
    "https://x/ y",
  ]);
  assertEquals(options.holder, "me : :error::x");
  assertEquals(options.description.length, 512);
  assertEquals(options.link, "https://x/%20y");
});

Deno.test("release, verify, renew and break know which hold is meant", async () => {
  const release = await ask<ReleaseOptions>(["release", "a", "--grant", "g1", "--strict", "-q"]);
  assertEquals([release.options.grant, release.options.nothing], ["g1", "error"]);
  const verify = await ask<VerifyOptions>(["verify", "a", "--token", "42"], {
    K8S_LOCK_GRANT: "g2",
  });
  assertEquals([verify.options.token, verify.options.enclosing.grants], [42, ["g2"]]);
  const broken = await ask<BreakOptions>(["break", "a", "--all", "--now", "--reason", "x\ny"]);
  assertEquals(broken.options.whom, { kind: "all" });
  assertEquals([broken.options.how, broken.options.reason, broken.options.ask], [
    "now",
    "x y",
    "yes",
  ]);
});

Deno.test("list takes any number of locks, other commands one", async () => {
  const { options } = await ask<ListOptions>(["list", "a", "b", "-o", "json"]);
  assertEquals(options.targets.map((target) => target.object), ["k8s-lock-a", "k8s-lock-b"]);
  assertEquals(options.output, "json");
});

Deno.test("-- before a lock's name means nothing but that it is no option", async () => {
  const { options } = await ask<StatusOptions>(["status", "--", "-x"]);
  assertEquals(options.target.lock, "-x");
});

for (
  const [line, words] of [
    ["", "no command was given"],
    ["statu a", "did you mean status?"],
    ["status", "which lock?"],
    ["status a b", "one lock at a time"],
    ["acquire a b", "one lock at a time"],
    ["acquire a,b", "one lock at a time"],
    ["run a,b -- x", "one lock at a time"],
    ["run a b -- x", "one lock at a time"],
    ["run a", 'run needs a command after "--"; for example: k8s-lock run a -- ./deploy.sh'],
    ["run a --", 'no command after "--"'],
    ["run a x y", 'run needs a command after "--"'],
    ["run -- x", "which lock?"],
    ["acquire a --timout 3", "did you mean --timeout?"],
    ["acquire a --slots 3", "unknown option '--slots'"],
    ["acquire a --pool x", "unknown option '--pool'"],
    ["acquire a --shared", "unknown option '--shared'"],
    ["acquire a --order newest", "is not available in this version"],
    ["acquire a --order lifo", "is none of fifo, sequential"],
    ["acquire a --order sequential", "GITHUB_RUN_NUMBER"],
    ["acquire a --order sequential --local", "knows no locks of one machine"],
    ["acquire a --order fifo --skip-after 5m", "has no meaning with the order fifo"],
    ["acquire a --priority 3", "unknown option '--priority'"],
    ["acquire a --owner x", "unknown option '--owner'"],
    ["acquire a --cool-down 3", "unknown option '--cool-down'"],
    [
      "acquire a --on-expiry verify",
      "--on-expiry: verify has others ask GitHub's Actions API about this job, and this is no job of GitHub Actions; say takeover or never",
    ],
    ["acquire a --on-expiry perhaps", '--on-expiry: "perhaps" is none of takeover, verify, never'],
    ["status a --watch", "unknown option '--watch'"],
    ["list -A", "unknown option '-A'"],
    ["freeze a", "unknown command 'freeze'"],
    ["doctor", "unknown command 'doctor'"],
    ["help doctor", "unknown command 'doctor'; see k8s-lock --help"],
    ["run a --on-busy skip -- x", "unknown option '--on-busy'"],
    ["acquire a --on-lost warn", "unknown option '--on-lost'"],
    ["status a --ttl 60s", "unknown option '--ttl'"],
    ["acquire a --timeout", "needs a value"],
    ["acquire a --timeout -1s", "is negative"],
    ["acquire a --timeout 5x", "is not a duration"],
    ["acquire a --ttl 4s", "at least 5s"],
    ["acquire a --watch-pid x", "--watch-pid"],
    ["acquire a --watch-pid 0", "--watch-pid"],
    ["acquire a --no-renew --watch-pid 3", "contradict"],
    ["acquire a --no-renew --max-hold 3h", "contradict"],
    ["run a --conflict-exit-code 256 -- x", "from 0 to 255"],
    ["status a --store lease", "not available in this version"],
    ["status a --store cloud", "none of secret, local"],
    ["status a --store secret --local", "contradict"],
    ["status a --local-path x", "needs --local"],
    ["status a -n Bad_Name", "cannot be a namespace"],
    ["status a --repo acme", "OWNER/REPO"],
    ["status --object A", "cannot be a record's name"],
    ["status --object a --scope repo", "leave --scope out"],
    ["status a -o yaml", "none of text, json"],
    ["verify a --token -1", "--token"],
    ["verify a --token 1.5", "--token"],
    ["break a --all --grant x", "contradict"],
    ["release a --grant a/b", "cannot be a grant"],
    ["migrate", "which lock?"],
    ["migrate a --local", "no records of version 3 on one machine"],
    ["migrate a --next-build 5", "--to-v3 alone"],
    ["migrate a --to-v3 --next-build next", "--next-build"],
    ["completion", "which shell?"],
    ["completion tcsh", 'no completion for "tcsh"'],
  ] as const
) {
  Deno.test(`"${line}" is refused with a way out`, async () => {
    const args = line === "" ? [] : line.split(" ");
    assertStringIncludes(await refusal(args), words);
  });
}

Deno.test("a variable of an option that is not there yet is refused, and an empty one is none", async () => {
  const env = { K8S_LOCK_SLOTS: "2" };
  assertStringIncludes(await refusal(["acquire", "a"], env), "K8S_LOCK_SLOTS is set");
  await ask(["acquire", "a"], { K8S_LOCK_SLOTS: "" });
});

Deno.test("an unknown option with control characters is shown without them", async () => {
  const sentence = await refusal(["status", "a", "--x\u001b[31m\n::error::y"]);
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u001f]/.test(sentence), sentence);
});

Deno.test("help shows every command; each command's help its options, variables, examples, codes", async () => {
  const { options: help } = await ask<string>(["--help"]);
  const names = [
    "run",
    "acquire",
    "release",
    "verify",
    "renew",
    "status",
    "list",
    "break",
    "migrate",
  ];
  for (const name of names) {
    assertMatch(help, new RegExp(`^ {2}${name} `, "m"));
    const { options: own } = await ask<string>([name, "--help"]);
    assertStringIncludes(own, `Usage: k8s-lock ${name} `);
    assertStringIncludes(own, "[K8S_LOCK_NAMESPACE]");
    assertStringIncludes(own, "Examples:");
    // The meanings stand in one column, the codes grow.
    const codes = own.slice(own.indexOf("Exit codes:")).split("\n")
      .map((line) => /^ {2}(\d+)[\d, ]* {2}(?=[a-z])/.exec(line)).filter((match) => match !== null);
    assert(codes.length > 3 && new Set(codes.map(([all]) => all.length)).size === 1, own);
    const first = codes.map(([, code]) => Number(code));
    assertEquals(first, first.toSorted((a, b) => a - b));
    assertEquals((await ask<string>(["help", name])).options, own);
  }
  assertStringIncludes(help, "K8S_LOCK_KUBECONFIG_DATA");
});

Deno.test("the version is a number alone", async () => {
  assertMatch((await ask<string>(["--version"])).options, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("a command line that is not understood is a CliError and nothing else", () => {
  assertThrows(() => parse(["status", "--nope"], [], {}), CliError);
});
