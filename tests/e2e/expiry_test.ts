/** `--on-expiry` with the program as processes, and a stand-in for GitHub's Actions API. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  abandonedJob,
  actionsApiServer,
  apiJob,
  jobOn,
  jobsOf,
  runningJob,
} from "../support/actions_api.ts";
import type { ActionsApiServer, ApiAnswer } from "../support/actions_api.ts";
import { Sandbox } from "../support/sandbox.ts";

const TOKEN = "ghs_verysecret";

/** A sandbox with a holder that was killed and has said `verify`. */
async function withDeadHolder(
  answer: (path: string) => ApiAnswer,
  use: (sandbox: Sandbox, server: ActionsApiServer) => Promise<void>,
  ttl = "5s",
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<void> {
  await using server = await actionsApiServer(answer);
  await using sandbox = await Sandbox.create(jobOn(server));
  const command = ["run", "a", "--on-expiry", "verify", "--ttl", ttl, "--", "sleep", "99"];
  const holder = sandbox.start(command, { env });
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  holder.kill("SIGKILL");
  await use(sandbox, server);
}

/** The next one, with a token, for longer than the holder's TTL. */
function next(sandbox: Sandbox, timeout = "8s", token: string | undefined = TOKEN) {
  return sandbox.run(["run", "a", "--timeout", timeout, "--", "env"], {
    env: { K8S_LOCK_GITHUB_TOKEN: token },
  });
}

const REFUSALS: readonly (readonly [string, (path: string) => ApiAnswer, string, string])[] = [
  ["running", jobsOf(runningJob()), "its job is not over", "8s"],
  [
    "running again as another attempt's, under its own check run",
    jobsOf(runningJob(), apiJob({ id: 200, run_attempt: 2 })),
    "its job is not over",
    "8s",
  ],
  ["answered with 401", () => ({ status: 401, body: "" }), "answered 401", "8s"],
  ["answered with 403", () => ({ status: 403, body: "" }), "answered 403", "8s"],
  ["answered with 404", () => ({ status: 404, body: "" }), "answered 404", "8s"],
  ["answered with 429", () => ({ status: 429, body: "" }), "answered 429", "8s"],
  ["answered with 500", () => ({ status: 500, body: "" }), "answered 500", "8s"],
  ["answered with silence", () => "silent", "did not answer", "14s"],
];

// All at once, as each has to wait out a TTL.
Deno.test("a dead holder's place is not taken over while its job runs, or nobody can tell", async () => {
  await Promise.all(REFUSALS.map(async ([what, answer, says, timeout]) => {
    await withDeadHolder(answer, async (sandbox) => {
      const grant = (await sandbox.record("a"))?.holders[0]?.grant;
      const { code, stderr } = await next(sandbox, timeout);
      assertEquals([what, code], [what, 10], stderr);
      assertStringIncludes(stderr, says);
      assertEquals((await sandbox.record("a"))?.holders.map((one) => one.grant), [grant]);
    });
  }));
});

for (
  const [what, answer] of [
    ["completed", jobsOf(apiJob())],
    ["given up by the server", jobsOf(abandonedJob())],
    [
      "completed, and its run is re-run",
      jobsOf(apiJob(), runningJob({ id: 200, run_attempt: 2 })),
    ],
  ] as const
) {
  Deno.test(`a dead holder's place is taken over when its job is ${what}`, async () => {
    await withDeadHolder(answer, async (sandbox, server) => {
      const { code, stdout, stderr } = await next(sandbox, "20s");
      assertEquals(code, 0, stderr);
      const record = await sandbox.record("a");
      assertStringIncludes(record?.history[1]?.reason ?? "", "its job is over");
      assertEquals([...server.tokens], [`Bearer ${TOKEN}`]);
      for (const text of [stdout, stderr, JSON.stringify(record)]) assert(!text.includes(TOKEN));
    });
  });
}

Deno.test("it is taken over long before its TTL when its runner has finished its job", async () => {
  await withDeadHolder(jobsOf(apiJob()), async (sandbox) => {
    const from = performance.now();
    const { code, stderr } = await next(sandbox, "40s");
    assertEquals(code, 0, stderr);
    assert(performance.now() - from < 30_000, "within half of its TTL");
  }, "60s");
});

Deno.test("it is not taken over before its TTL when only the server says that the job is over", async () => {
  await withDeadHolder(jobsOf(abandonedJob()), async (sandbox, server) => {
    const { code } = await next(sandbox, "12s");
    assertEquals([code, server.asked.length], [10, 1]);
  }, "24s");
});

Deno.test("without a check run's id a job is found by its runner's name, which is said at the start", async () => {
  await using server = await actionsApiServer(jobsOf(apiJob()));
  await using sandbox = await Sandbox.create({ ...jobOn(server), K8S_LOCK_CHECK_RUN_ID: "" });
  const holder = sandbox.start([
    ...["run", "a", "--on-expiry", "verify", "--ttl", "5s", "--", "sleep", "99"],
  ]);
  await holder.says("K8S_LOCK_CHECK_RUN_ID");
  await sandbox.until("a", ({ holders }) => holders.length === 1);
  holder.kill("SIGKILL");
  assertEquals((await next(sandbox, "20s")).code, 0);
  assert(server.asked.every((path) => path.includes("/runs/7/attempts/1/jobs?")));
});

Deno.test("one without a token says so, asks nobody and waits; status says it, too", async () => {
  await withDeadHolder(jobsOf(apiJob()), async (sandbox, server) => {
    const { code, stderr } = await next(sandbox, "7s", "");
    assertEquals(code, 10);
    assertStringIncludes(stderr, "K8S_LOCK_GITHUB_TOKEN");
    const status = await sandbox.run(["status", "a"]);
    assertStringIncludes(status.stdout, "only once its job is known to be over");
    assertStringIncludes(status.stdout, "K8S_LOCK_GITHUB_TOKEN");
    assertEquals(server.asked, []);
    const asking = await sandbox.run(["status", "a"], { env: { K8S_LOCK_GITHUB_TOKEN: TOKEN } });
    assertStringIncludes(asking.stdout, "can be passed over now, as its job is over");
    const view = await sandbox.json<{ holders: { on_expiry: string }[] }>([
      ...["status", "a", "-o", "json"],
    ]);
    assertEquals(view.holders[0]?.on_expiry, "verify");
  });
});

Deno.test("a person's break takes off what nobody else may: with never, and with verify that nobody can answer", async () => {
  for (const policy of ["never", "verify"]) {
    await using server = await actionsApiServer(() => ({ status: 404, body: "" }));
    await using sandbox = await Sandbox.create(jobOn(server));
    const holder = sandbox.start([
      ...["run", "a", "--on-expiry", policy, "--ttl", "5s", "--", "sleep", "99"],
    ]);
    await sandbox.until("a", ({ holders }) => holders.length === 1);
    holder.kill("SIGKILL");
    const waits = await sandbox.run(["run", "a", "--timeout", "7s", "--", "true"]);
    assertEquals(waits.code, 10);
    if (policy === "never") assertStringIncludes(waits.stderr, "k8s-lock break takes it off");
    const how = policy === "never" ? [] : ["--now"];
    const broken = await sandbox.run(["break", "a", "--yes", "--reason", "it is dead", ...how]);
    assertEquals(broken.code, 0, broken.stderr);
    assertEquals((await sandbox.record("a"))?.holders, []);
  }
});

Deno.test("the token reaches neither the command, nor the renewer, nor a file", async () => {
  await using server = await actionsApiServer(jobsOf(apiJob()));
  await using sandbox = await Sandbox.create({ ...jobOn(server), K8S_LOCK_GITHUB_TOKEN: TOKEN });
  const { code, stderr } = await sandbox.run(["acquire", "a", "--on-expiry", "verify"]);
  assertEquals(code, 0, stderr);
  assert(!stderr.includes(TOKEN));
  const ran = await sandbox.run(["run", "b", "--on-expiry", "verify", "--", "env"]);
  assertStringIncludes(ran.stdout, "K8S_LOCK_TOKEN=");
  assert(!ran.stdout.includes(TOKEN));
  const renewers = sandbox.processes("__renewer");
  assertEquals(renewers.length, 1);
  for (const pid of renewers) {
    assert(!Deno.readTextFileSync(`/proc/${pid}/environ`).includes(TOKEN));
  }
  for (const file of filesIn(sandbox.folder)) {
    assert(!new TextDecoder("latin1").decode(Deno.readFileSync(file)).includes(TOKEN), file);
  }
  await sandbox.run(["release", "a"]);
});

function* filesIn(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesIn(path);
    else if (entry.isFile) yield path;
  }
}
