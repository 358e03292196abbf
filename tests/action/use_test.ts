/** The action in a job of a small runner of the tests' own: what a job gets, and how the lock ends with it. */
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { nobodyLeft } from "../support/action/aftermath.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

test("a job takes the lock, uses its outputs, and gives it back at its end", async (jobs) => {
  const { site } = jobs;
  const job = await jobs.job();
  const taken = await job.use(await jobs.inputs());
  assertEquals(taken.result, "success", taken.log);
  const { acquired, token, grant, lock_object, holder = "", slot, locks = "" } = taken.outputs;
  const object = `secret/${site.namespace}/${site.object}`;
  assertEquals([acquired, slot, lock_object], ["true", "0", object]);
  const holders = site.outside.record?.holders.map((one) => [one.grant, `${one.token}`]);
  assertEquals(holders, [[grant, token]]);
  assertEquals([holder, JSON.parse(locks)[0].grant], ["acme/shop Deploy #42", grant]);
  await site.renewed(holder);

  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  await nobodyLeft(site, job);
  const history = site.outside.record?.history.map(({ grant, outcome }) => [grant, outcome]);
  assertEquals(history, [[grant, "released"]]);
  const line = new RegExp(`\\*\\*deploy\\*\\*: held with token ${token}, got at once`);
  assertMatch(job.summary, line);
  assertStringIncludes(job.summary, "**deploy**: given back after ");
});

test("the lock is given back after a step of the job has failed", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  assertEquals((await job.run("exit 3")).result, "failure");
  assertEquals((await job.end()).result, "success");
  await nobodyLeft(jobs.site, job);
});

test("the next job holds when the one before ends, and its summary names that one", async (jobs) => {
  const first = await jobs.job({ env: { GITHUB_WORKFLOW: "First" } });
  await first.use(await jobs.inputs());
  const second = await jobs.job({ env: { GITHUB_WORKFLOW: "Second" } });
  const waits = second.use(await jobs.inputs());
  await jobs.site.outside.queued(1);
  await first.end();
  const { result, outputs, log } = await waits;
  assertEquals([result, outputs["token"]], ["success", outputs["token"]], log);
  const before =
    "before: [acme/shop First &#35;42](<https://github.com/acme/shop/actions/runs/1001>)";
  assertStringIncludes(second.summary, before);
  await second.end();
  await nobodyLeft(jobs.site, first, second);
});

test("later steps verify and give back without saying where the cluster is", async (jobs) => {
  const job = await jobs.job();
  const { outputs } = await job.use(await jobs.inputs());
  const command = `k8s-lock verify deploy --scope global --token ${outputs["token"]}`;
  // Another cluster, which the job has logged in to for its own work.
  await job.run('echo "KUBECONFIG=/nonexistent/other" >> "$GITHUB_ENV"');
  const verified = await job.run(command);
  assertEquals(verified.result, "success", verified.log);
  const released = await job.run("k8s-lock release deploy --scope global --strict");
  assertEquals(released.result, "success", released.log);
  assertEquals((await job.run(command)).result, "failure");
  const { result, log } = await job.end();
  assertEquals([result, log], ["success", ""]);
  await nobodyLeft(jobs.site, job);
});

test("command: verify and command: release are about the lock that the job took before", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  const same = { lock_name: "deploy", scope: "global", binary: jobs.program };
  const verified = await job.use({ ...same, command: "verify" });
  assertEquals(verified.result, "success", verified.log);
  const released = await job.use({ ...same, command: "release" });
  assertEquals(released.result, "success", released.log);
  assertEquals(jobs.site.outside.record?.holders.length, 0);
  assertEquals((await job.use({ ...await jobs.inputs(), command: "verify" })).result, "failure");
  assertEquals((await job.end()).log, "");
  await nobodyLeft(jobs.site, job);
});

test("with on_busy: skip a busy lock is no failure, and the steps after it can tell", async (jobs) => {
  const holder = await jobs.job();
  await holder.use(await jobs.inputs());
  const job = await jobs.job({ env: { GITHUB_WORKFLOW: "Other" } });
  const skipped = await job.use(await jobs.inputs({ timeout: "0", on_busy: "skip" }));
  assertEquals([skipped.result, skipped.outputs["acquired"]], ["success", "false"], skipped.log);
  assertEquals([skipped.outputs["token"], skipped.outputs["grant"]], ["", ""]);
  assertNotMatch(skipped.log, /::error/);
  const { result, log } = await job.end();
  assertEquals([result, log], ["success", ""]);
  assertEquals(jobs.site.outside.record?.holders.length, 1);
  const failed = await job.use(await jobs.inputs({ timeout: "0" }));
  assertEquals([failed.result, failed.outputs["acquired"]], ["failure", "false"], failed.log);
  assertMatch(
    failed.log,
    /::error title=k8s-lock::deploy is not free: held by acme\/shop Deploy #42/,
  );
  await holder.end();
  await job.end();
  await nobodyLeft(jobs.site, holder, job);
});

test("two locks in one job are both held, and both given back", async (jobs) => {
  const job = await jobs.job();
  const [one, other] = [await jobs.inputs(), await jobs.inputs({ lock_name: "migrate" })];
  const ends = [await job.use(one), await job.use(other)];
  assertEquals(ends.map(({ outputs }) => outputs["acquired"]), ["true", "true"]);
  const { log } = await job.end();
  assertStringIncludes(log, "gave migrate back");
  assertStringIncludes(log, "gave deploy back");
  await nobodyLeft(jobs.site, job);
});

test("a second use of the action for a lock that the job holds is refused, and the first one stands", async (jobs) => {
  const job = await jobs.job();
  const { outputs } = await job.use(await jobs.inputs());
  const again = await job.use(await jobs.inputs());
  assertEquals(again.result, "failure");
  assertMatch(
    again.log,
    /::error title=k8s-lock::this job holds deploy already \(token \d+, taken by an earlier step\).*command: release/,
  );
  assertEquals(jobs.site.outside.record?.holders[0]?.grant, outputs["grant"]);
  await job.end();
  await nobodyLeft(jobs.site, job);
});

test("release: never leaves the lock to its ttl, and another job gives it back by its grant", async (jobs) => {
  const first = await jobs.job();
  const { outputs, result, log } = await first.use(
    await jobs.inputs({ release: "never", ttl: "2h" }),
  );
  assertEquals(result, "success", log);
  assertEquals((await first.end()).log, "");
  assertEquals(first.left, []);
  assertEquals(jobs.site.outside.record?.holders[0]?.ttl_seconds, 7200);
  const second = await jobs.job();
  const grant = outputs["grant"] ?? "";
  const released = await second.use(await jobs.inputs({ command: "release", grant }));
  assertEquals(released.result, "success", released.log);
  await second.end();
  await nobodyLeft(jobs.site, first, second);
});

test("a job whose lock was lost while it worked is red, and says why", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  const broken = await jobs.site.call("ann", [
    ...["break", "deploy", "--now", "--yes", "--reason", "wrong branch"],
  ]);
  assertEquals(broken.code, 0, broken.stderr);
  const { result, log } = await job.end();
  assertEquals(result, "failure", log);
  assertMatch(
    log,
    /::error title=k8s-lock::lost deploy before it was given back: it was broken by .*wrong branch/,
  );
  assertMatch(job.summary, /\*\*deploy\*\*: \*\*lost\*\* while the job worked: it was broken by/);
  await nobodyLeft(jobs.site, job);
});

test("a job whose lock's record was deleted and made anew by another is red, and so is its summary", async (jobs) => {
  const { site } = jobs;
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  await site.cluster.api.must("DELETE", site.path);
  assertEquals((await site.call("ann", ["acquire", "deploy"])).code, 0);
  const { result, log } = await job.end();
  assertEquals(result, "failure", log);
  assertEquals(log.match(/::error/g)?.length, 1, log);
  assertMatch(log, /::error title=k8s-lock::lost deploy before it was given back: its record/);
  assertMatch(job.summary, /\*\*deploy\*\*: \*\*lost\*\* while the job worked: its record/);
  assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["ann"]);
  assertEquals(job.killed, []);
});

test("what the connection is made of is for this user alone, and no later than the job's end it is gone", async (jobs) => {
  const job = await jobs.job();
  const inputs = await jobs.inputs();
  await job.use(inputs);
  const base = `${job.temp}/k8s-lock`;
  const [name] = [...Deno.readDirSync(base)].map(({ name }) => name)
    .filter((name) => name.startsWith("action-"));
  const folder = `${base}/${name}`;
  const secret = atob(inputs["kube_config_data"] ?? "").slice(-200);
  assertStringIncludes(
    await Deno.readTextFile(`${folder}/journal.json`),
    JSON.stringify(secret).slice(1, -1),
  );
  const modes = [base, folder, `${folder}/journal.json`].map((path) =>
    (Deno.statSync(path).mode ?? 0) & 0o777
  );
  assertEquals(modes, [0o700, 0o700, 0o600]);
  const shown = await job.run(`grep -rl 'client-key-data\\|token:' "$RUNNER_TEMP" || true`);
  assertEquals(
    shown.log.trim().split("\n").filter((path) => path !== "" && !path.endsWith(".sh")),
    [
      `${folder}/journal.json`,
    ],
  );
  await job.end();
  await nobodyLeft(jobs.site, job);
});

test("with store: local jobs of one machine take turns without a cluster", async (jobs) => {
  const local = {
    lock_name: "deploy",
    store: "local",
    local_path: `${jobs.site.folder}/locks.db`,
    binary: jobs.program,
  };
  const first = await jobs.job();
  const { result, outputs, log } = await first.use(local);
  assertEquals([result, outputs["acquired"]], ["success", "true"], log);
  const second = await jobs.job();
  const waits = second.use(local);
  await second.says("place 1 of 1");
  assertStringIncludes((await first.end()).log, "gave deploy back");
  assertEquals((await waits).outputs["acquired"], "true");
  assertEquals((await second.end()).result, "success");
  assertEquals([...first.killed, ...second.killed], []);
});

test("under Node the same program takes the lock and gives it back", async (jobs) => {
  const job = await jobs.job();
  const { makeProgram } = await import("../support/action/programs.ts");
  const binary = await makeProgram(`${job.folder}/node`, "node");
  const taken = await job.use(await jobs.inputs({ binary }));
  assertEquals([taken.result, taken.outputs["acquired"]], ["success", "true"], taken.log);
  await jobs.site.renewed("acme/shop Deploy #42");
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  await nobodyLeft(jobs.site, job);
});
