/** A job that is cancelled, or whose machine is changed under it: in each moment nothing of it stays behind. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "@std/assert";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { allProcesses, environmentOf } from "../../lib/host/processes.ts";
import { nobodyLeft } from "../support/action/aftermath.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";
import { makeProgram, writeScript } from "../support/action/programs.ts";
import type { JobRunner } from "../support/action/runner.ts";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { argumentsOf, eventually, kill } from "../support/sandbox.ts";

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

/** Somebody else has the lock until they are told to end. */
async function busy({ site }: JobSite): Promise<{ end(): Promise<void> }> {
  const held = await site.call("ann", ["acquire", "deploy", "--holder", "ann"]);
  assertEquals(held.code, 0, held.stderr);
  return {
    async end() {
      assertEquals((await site.call("ann", ["release", "deploy"])).code, 0);
    },
  };
}

/** A server that takes connections and never says a word. */
async function silentServer(): Promise<
  { readonly url: string; readonly asked: Promise<void>; close(): void }
> {
  const asked = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    asked.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked: asked.promise,
    close: () => void server.close(),
  };
}

test("cancelled while the program is downloaded: nothing was asked for, and the post step is silent", async (jobs) => {
  const server = await silentServer();
  const job = await jobs.job();
  const inputs = await jobs.inputs({
    binary: "",
    download_url: server.url,
    version: "4.0.0",
    sha256: "0".repeat(64),
  });
  const use = job.use(inputs);
  await server.asked;
  await job.cancel();
  const { result, outputs } = await use;
  assertEquals([result, outputs["acquired"]], ["cancelled", ""]);
  assertEquals(await job.end(), { result: "success", log: "" });
  server.close();
  assertEquals(jobs.site.outside.record, null);
  await nobodyLeft(jobs.site, job);
});

test("cancelled while it waits: its place in the queue is free at once", async (jobs) => {
  const other = await busy(jobs);
  const job = await jobs.job();
  const use = job.use(await jobs.inputs());
  await job.says("place 1 of 1");
  await job.cancel();
  const { result, log } = await use;
  assertEquals(result, "cancelled", log);
  // Before the post step, which may be an hour of other steps away.
  await jobs.site.outside.queued(0);
  assertEquals(await job.end(), { result: "success", log: "" });
  await other.end();
  await nobodyLeft(jobs.site, job);
});

test("cancelled while it waits and does not listen: after its death the guard gives its place back", async (jobs) => {
  const other = await busy(jobs);
  const job = await jobs.job();
  const use = job.use(await jobs.inputs());
  await job.says("place 1 of 1");
  const [waiter = 0] = programsOf(job.temp, "take");
  kill(waiter, "SIGSTOP");
  await job.cancel();
  assertEquals((await use).result, "cancelled");
  await jobs.site.outside.queued(0);
  assertEquals(await job.end(), { result: "success", log: "" });
  const [past] = jobs.site.outside.record?.history ?? [];
  assertEquals([past?.holder, past?.outcome], ["acme/shop Deploy #42", "gave_up"]);
  await other.end();
  await nobodyLeft(jobs.site, job);
});

test("a waiter that outlives its step gives up when the post step begins, and never holds", async (jobs) => {
  const other = await busy(jobs);
  const job = await jobs.job();
  // A start script that does not exec: the runner tells only the script, which dies and takes nobody along.
  const binary = await writeScript(
    `${job.folder}/start`,
    `'${jobs.program}' "$@" <&- & trap 'exit 130' INT TERM; wait $!`,
  );
  const use = job.use(await jobs.inputs({ binary }));
  await job.says("place 1 of 1");
  // As it would be when the guard did not run, either: the runner was shut down and came back.
  const [shell = 0] = programsOf(job.temp, "take").filter((pid) =>
    argumentsOf(pid).includes("/bin/sh")
  );
  for (const pid of programsOf(job.temp, "take")) if (pid !== shell) kill(pid, "SIGSTOP");
  await job.cancel();
  assertEquals((await use).result, "cancelled");
  await jobs.site.outside.queued(0);
  for (const pid of programsOf(job.temp, "take")) kill(pid, "SIGCONT");
  await other.end();
  await job.end();
  assertEquals(
    jobs.site.outside.records.flatMap(({ record }) => record?.holders ?? []).map(({ holder }) =>
      holder
    ).filter((holder) => holder !== "ann"),
    [],
  );
  await nobodyLeft(jobs.site, job);
});

test("cancelled while it holds: the post step gives the lock back", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  const work = job.run("echo works; exec sleep 1000");
  await job.says("works");
  await job.cancel();
  assertEquals((await work).result, "cancelled");
  assertEquals(jobs.site.outside.record?.holders.length, 1);
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  assertStringIncludes(log, "gave deploy back");
  await nobodyLeft(jobs.site, job);
});

test("a step of a cancelled job that runs all the same (if: always()) keeps the lock that it takes", async (jobs) => {
  const job = await jobs.job();
  const work = job.run("echo works; exec sleep 1000");
  await job.says("works");
  await job.cancel();
  await work;
  const { result, outputs, log } = await job.use(await jobs.inputs());
  assertEquals([result, outputs["acquired"]], ["success", "true"], log);
  assertEquals(jobs.site.outside.record?.holders.length, 1, log);
  assertEquals((await job.run("k8s-lock verify deploy --scope global")).result, "success");
  await job.end();
  await nobodyLeft(jobs.site, job);
});

test("what a cancelled step has left at work is ended before anybody else can hold", async (jobs) => {
  const job = await jobs.job();
  // Before the lock was taken: it is not under the lock.
  await job.run("sleep 1000 > /dev/null 2>&1 &");
  await job.use(await jobs.inputs());
  // The runner tells the shell only; its child does not listen, and goes on working.
  const diary = `${job.folder}/diary`;
  const stubborn =
    `trap "" INT TERM; echo works; while :; do date +%s.%N >> ${diary}; sleep 0.02; done`;
  const work = job.run(`sh -c '${stubborn}' > >(head -1) 2>&1; echo never`);
  await job.says("works");
  await job.cancel();
  assertEquals((await work).result, "cancelled");
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  assertStringIncludes(
    log,
    "ended what the job's steps had left at work, before deploy is given back",
  );
  const last = (await Deno.readTextFile(diary)).trim().split("\n").at(-1);
  const [past] = jobs.site.outside.record?.history ?? [];
  assertEquals(past?.outcome, "released");
  assert(
    Number(last) * 1000 <= Date.parse(past?.released_at ?? ""),
    `${last} ${past?.released_at}`,
  );
  assertEquals(job.killed.map((line) => line.trim()), ["sleep 1000"]);
});

test("with the program's folder deleted and PATH, HOME and KUBECONFIG changed the lock is given back", async (jobs) => {
  const job = await jobs.job();
  const folder = `${job.folder}/tools`;
  const { KUBECONFIG = "" } = await jobs.site.environment("ci");
  await Deno.copyFile(KUBECONFIG, `${job.folder}/kubeconfig`);
  // One file, as the released program is: the script in it has its own copy of what it runs.
  const inside = await makeProgram(`${job.folder}/elsewhere`);
  await Deno.mkdir(folder);
  const binary = await writeScript(`${folder}/k8s-lock`, `exec '${inside}' "$@"`);
  const { kube_config_data: _, ...inputs } = await jobs.inputs({ binary });
  await job.run(`echo "KUBECONFIG=${job.folder}/kubeconfig" >> "$GITHUB_ENV"`);
  const taken = await job.use(inputs);
  assertEquals(taken.result, "success", taken.log);
  await job.run(
    `rm -rf '${folder}' '${job.folder}/kubeconfig'
    for pair in PATH=/nonexistent KUBECONFIG=/nonexistent HOME=/nonexistent K8S_LOCK_STORE=local K8S_LOCK_BYPASS=x; do
      echo "$pair" >> "$GITHUB_ENV"
    done`,
  );
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  assertStringIncludes(log, "gave deploy back");
  await nobodyLeft(jobs.site, job);
});

test("a login plugin finds at the end what it found when the lock was taken", async (jobs) => {
  const job = await jobs.job();
  const { token, kubeconfig } = await jobs.site.cluster.createServiceAccount(
    jobs.site.namespace,
    "ci",
  );
  await jobs.site.cluster.grant({
    namespace: jobs.site.namespace,
    to: { serviceAccount: "ci" },
    rules: [
      { resources: ["secrets"], verbs: ["get", "watch", "update", "create", "patch"] },
      {
        apiGroups: ["coordination.k8s.io"],
        resources: ["leases"],
        verbs: ["get", "list", "create", "patch", "delete"],
      },
    ],
  });
  await Deno.mkdir(`${job.folder}/bin`);
  await writeScript(
    `${job.folder}/bin/test-login`,
    `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$TEST_LOGIN"`,
  );
  const text = (await Deno.readTextFile(kubeconfig.path)).replace(
    /"?token"?: *"?[\w.-]+"?/,
    `"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "test-login", "interactiveMode": "Never"}`,
  );
  await job.run(
    `echo "TEST_LOGIN=${token}" >> "$GITHUB_ENV"; echo '${job.folder}/bin' >> "$GITHUB_PATH"`,
  );
  const taken = await job.use(await jobs.inputs({ kube_config_data: btoa(text) }));
  assertEquals(taken.result, "success", taken.log);
  await job.run(`echo "TEST_LOGIN=" >> "$GITHUB_ENV"; echo "PATH=/nonexistent" >> "$GITHUB_ENV"`);
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  assertStringIncludes(log, "gave deploy back");
  await nobodyLeft(jobs.site, job);
});

test("where the disk is full at the end, the lock is given back all the same", async (jobs) => {
  const folder = await Deno.makeTempDir({ prefix: "k8s-lock-full-" });
  // No file of its may grow any more, as on a full disk. New ones that are empty may still be made there, too.
  const binary = await writeScript(
    `${folder}/limited`,
    `[ ! -e '${folder}/full' ] || { trap '' XFSZ; ulimit -f 0; }\nexec '${jobs.program}' "$@"`,
  );
  const inJob = async (end: (job: JobRunner) => Promise<string>) => {
    const job = await jobs.job();
    await job.use(await jobs.inputs({ binary }));
    await Deno.writeTextFile(`${folder}/full`, "");
    const log = await end(job);
    assertMatch(log, /^k8s-lock: gave deploy back$/m);
    assertNotMatch(log, /::error|not given back/);
    assertEquals(jobs.site.outside.record?.holders, []);
    await job.end();
    await nobodyLeft(jobs.site, job);
    await Deno.remove(`${folder}/full`);
  };
  await inJob(async (job) => (await job.end()).log);
  await inJob(async (job) => (await job.run("k8s-lock release deploy --scope global")).log);
  await rm(folder, { recursive: true });
});

test("where even the copy of the program is gone, renewing ends at once and it is said when the lock expires", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs({ ttl: "5s" }));
  await job.run('rm -r "$RUNNER_TEMP"/k8s-lock/action-*/bin');
  const before = performance.now();
  const { result, log } = await job.end();
  assertEquals(result, "success");
  assert(performance.now() - before < 30_000, "nothing is waited for");
  assertMatch(
    log,
    /::warning .*deploy was not given back: \S+ cannot be run \(ENOENT\).*at the latest/,
  );
  assertEquals(job.killed, []);
  const next = await jobs.site.call("ann", ["run", "deploy", "--", "true"]);
  assertEquals(next.code, 0, next.stderr);
  await nobodyLeft(jobs.site, job);
});

test("a journal that cannot be read fails no job, and is said", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs({ ttl: "5s" }));
  await job.run(
    'for file in "$RUNNER_TEMP"/k8s-lock/action-*/journal.json; do echo "{" > "$file"; done',
  );
  const { result, log } = await job.end();
  assertEquals(result, "success");
  assertMatch(
    log,
    /::warning title=k8s-lock::the lock was not given back, and expires after its TTL: /,
  );
});

test("a private folder that cannot be removed is said, and makes no job red", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs());
  // As on Windows, where a file that is in use cannot be removed.
  const preload = `${job.folder}/preload.cjs`;
  const code = `require("node:fs").rmSync = () => { throw new Error("EBUSY: in use"); };
    require("node:module").syncBuiltinESMExports();`;
  await Deno.writeTextFile(preload, code);
  await job.run(`echo 'NODE_OPTIONS=--require=${preload}' >> "$GITHUB_ENV"`);
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  assertStringIncludes(log, "gave deploy back");
  assertMatch(log, /^::warning title=k8s-lock::.*action-.* cannot be removed.*EBUSY/m);
  assertEquals([jobs.site.outside.record?.holders, job.killed], [[], []]);
});

test("where RUNNER_TEMP was cleaned by the job, the end says what becomes of the lock", async (jobs) => {
  const job = await jobs.job();
  await job.use(await jobs.inputs({ ttl: "5s" }));
  await rm(`${job.temp}/k8s-lock`, { recursive: true });
  const { result, log } = await job.end();
  assertEquals(result, "success");
  assertMatch(log, /::warning title=k8s-lock::the folder \S+ is gone.*expires after its TTL/);
  // The renewer ends with its state's folder, so the others wait for one TTL.
  const next = await jobs.job();
  assertEquals((await next.use(await jobs.inputs())).result, "success");
  await next.end();
});

test("where the cluster is out of reach at the end, it is said when the lock expires and what to type", async (jobs) => {
  await using proxy = await FaultProxy.toUrl(jobs.site.cluster.server);
  const job = await jobs.job();
  const taken = await job.use(await jobs.inputs({ ttl: "7s" }, proxy.url));
  assertEquals(taken.result, "success", taken.log);
  proxy.stall();
  const before = performance.now();
  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  // The server ends a cancelled job after five minutes, whatever still waits in it.
  assert(performance.now() - before < 75_000);
  const [, until = ""] =
    /::warning title=k8s-lock::deploy was not given back: .* the others pass it over at (\S+) at the latest/
      .exec(log) ?? [];
  assert(Math.abs(Date.parse(until) - Date.now()) < 30_000, log);
  const { namespace, object } = jobs.site;
  assertStringIncludes(log, `k8s-lock break --object ${object} -n ${namespace} --reason "why"`);
  assertStringIncludes(log, `kubectl -n ${namespace} delete secret ${object}`);
  proxy.resume();
  assertEquals((await jobs.site.call("ann", ["run", "deploy", "--", "true"])).code, 0);
  await nobodyLeft(jobs.site, job);
});

test("without its runner the renewer ends too: the lock expires, and a late post step says that it is lost", async (jobs) => {
  // A process of its own in the place of the runner's, which is gone when the step is over.
  const job = await jobs.job({ by: ["sh", "-c", '"$@"; exit $?', "worker"] });
  const taken = await job.use(await jobs.inputs({ ttl: "5s" }));
  assertEquals(taken.result, "success", taken.log);
  await eventually("the renewer's end", () => job.left.length === 0);
  const next = await jobs.site.call("ann", ["run", "deploy", "--", "true"]);
  assertEquals(next.code, 0, next.stderr);
  const { result, log } = await job.end();
  assertEquals(result, "failure");
  assertMatch(
    log,
    /::error title=k8s-lock::lost deploy before it was given back: ann took it over/,
  );
  await nobodyLeft(jobs.site, job);
});

/** The job's processes of our program that do this. */
function programsOf(temp: string, deed: string): number[] {
  return allProcesses().filter((pid) =>
    environmentOf(pid).includes(`RUNNER_TEMP=${temp}`) &&
    argumentsOf(pid).includes(`__action ${deed}`)
  );
}
