/** Inputs that are wrong: each is an annotation of its own that says what to write instead, and nothing of it stays behind. */
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { nobodyLeft } from "../support/action/aftermath.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";
import { writeScript } from "../support/action/programs.ts";
import type { JobRunner, StepEnd } from "../support/action/runner.ts";

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

/** The one error that a use of the action ended with. */
function errorOf({ result, log }: StepEnd): string {
  assertEquals(result, "failure", log);
  const errors = log.split("\n").filter((line) => line.startsWith("::error title=k8s-lock::"));
  assertEquals(errors.length, 1, log);
  return (errors[0] ?? "").replace("::error title=k8s-lock::", "");
}

/** The job ends without a word: nothing was taken. */
async function endsSilently(jobs: JobSite, job: JobRunner): Promise<void> {
  assertEquals(await job.end(), { result: "success", log: "" });
  await nobodyLeft(jobs.site, job);
}

const WRONG: readonly (readonly [inputs: Readonly<Record<string, string>>, error: RegExp])[] = [
  [
    { kube_config_data: "apiVersion: v1\nkind: Config\n" },
    /kube_config_data holds the YAML of a kubeconfig where its base64 belongs.*\| base64/,
  ],
  [{ kube_config_data: "not base64!" }, /kube_config_data is not base64.*\| base64/],
  [
    { kube_config_data: btoa("hello there, this is no kubeconfig at all") },
    /kube_config_data.*\| base64/,
  ],
  [{ lock_name: "" }, /lock_name is empty: give the lock a name, for example lock_name: deploy/],
  [{ lock_name: " deploy" }, /the lock's name " deploy" begins or ends with a space; leave it out/],
  [{ lock_name: "a,b" }, /"a,b" names several locks; this version takes one lock at a time/],
  [{ lock_name: "de\nploy" }, /the lock's name .* has line breaks.*leave them out/],
  [{ max_attempts: "many" }, /^max_attempts: "many" is not a whole number of at least 0/],
  [{ max_attempts: "-1" }, /^max_attempts: "-1" is not a whole number of at least 0/],
  [{ timeout: "soon" }, /^timeout: "soon" is not a duration; write it as 90s, 15m/],
  [{ ttl: "1s" }, /^ttl: "1s" is too short; at least 5s/],
  [{ max_hold: "1.5h" }, /^max_hold: "1.5h" is not a duration; write it as/],
  [{ request_timeout: "0" }, /^request_timeout: "0" is too short/],
  [{ on_busy: "wait" }, /^on_busy: "wait" is none of fail, skip/],
  [{ command: "lock" }, /^command: "lock" is none of acquire, release, verify/],
  [{ release: "later" }, /^release: "later" is none of post, never/],
  [
    { release: "never" },
    /^release: never leaves the lock to its ttl, so say how long that is, for example ttl: 2h/,
  ],
  [
    { release: "never", ttl: "2h", max_hold: "1h" },
    /^max_hold and release: never contradict each other: say ttl instead/,
  ],
  [{ scope: "world" }, /^scope: "world" is none of repo, owner, global/],
  [{ store: "redis" }, /^store: "redis" is none of secret/],
  [{ order: "random" }, /^order: "random" is none of fifo/],
  [{ repo: "shop" }, /^repo: "shop" is not of the form OWNER\/REPO/],
  [{ namespace: "My Namespace" }, /^namespace: "My Namespace" cannot be a namespace/],
  [{ kube_context: "prod" }, /there is no context "prod"\. It has: /],
  [{ command: "verify", grant: "a b" }, /^grant: "a b" cannot be a grant/],
  [{ command: "verify", token: "latest" }, /^token: "latest" is not a whole number/],
  [{ binary: "/nonexistent/k8s-lock" }, /\/nonexistent\/k8s-lock/],
];

test("an input that is wrong is an error that names it and what to write", async (jobs) => {
  const job = await jobs.job();
  for (const [wrong, error] of WRONG) {
    assertMatch(errorOf(await job.use(await jobs.inputs(wrong))), error);
  }
  await endsSilently(jobs, job);
  assertEquals(jobs.site.outside.record, null);
});

test("without a kubeconfig the missing secret is named, and in a pull request the fork", async (jobs) => {
  const empty = { kube_config_data: "" };
  const pushed = await jobs.job();
  const error = errorOf(await pushed.use(await jobs.inputs(empty)));
  assertMatch(error, /^the input kube_config_data is empty.*A secret that is not set is empty/);
  assertMatch(error, /GitHub gives none to pull requests of forks.*\| base64/);
  await endsSilently(jobs, pushed);
  const asked = await jobs.job({ env: { GITHUB_EVENT_NAME: "pull_request" } });
  assertStringIncludes(
    errorOf(await asked.use(await jobs.inputs(empty))),
    "GitHub gives none to the pull request of a fork, which this run may be of",
  );
  await endsSilently(jobs, asked);
});

test("a kubeconfig whose base64 was wrapped serves, and so does the job's own variable for it", async (jobs) => {
  const data = await jobs.kubeConfigData();
  const wrapped = data.replace(/.{76}/g, "$&\n");
  const job = await jobs.job();
  assertEquals((await job.use(await jobs.inputs({ kube_config_data: wrapped }))).result, "success");
  await job.end();
  const other = await jobs.job({ env: { K8S_LOCK_KUBECONFIG_DATA: data } });
  const taken = await other.use(await jobs.inputs({ kube_config_data: "" }));
  assertEquals(taken.result, "success", taken.log);
  await other.end();
  await nobodyLeft(jobs.site, job, other);
});

test("a name with capitals, spaces and slashes is a lock of its own, as the lock of another spelling is", async (jobs) => {
  const job = await jobs.job();
  const objects = new Set<string | undefined>();
  for (const lock_name of ["Deploy prod/EU", "deploy prod/eu", "deploy-prod-eu"]) {
    const taken = await job.use(await jobs.inputs({ lock_name }));
    assertEquals(taken.result, "success", taken.log);
    objects.add(taken.outputs["lock_object"]);
  }
  assertEquals(objects.size, 3);
  const { log } = await job.end();
  assertStringIncludes(log, "gave Deploy prod/EU back");
  await nobodyLeft(jobs.site, job);
});

test("a program that ends well without an answer has locked nothing, and the step fails", async (jobs) => {
  const job = await jobs.job();
  const binary = await writeScript(`${job.folder}/other`, `echo 4.0.0`);
  assertStringIncludes(
    errorOf(await job.use(await jobs.inputs({ binary }))),
    "has not said whether it holds the lock",
  );
  await endsSilently(jobs, job);
});

test("an image without bash is named as that", async (jobs) => {
  const job = await jobs.job();
  await job.run('echo "PATH=/nonexistent" >> "$GITHUB_ENV"');
  assertStringIncludes(
    errorOf(await job.use(await jobs.inputs())),
    "has no bash, which the action needs",
  );
  await endsSilently(jobs, job);
});

test("a RUNNER_TEMP that cannot be written to is one error, and the job's end is silent", async (jobs) => {
  const job = await jobs.job();
  await Deno.writeTextFile(`${job.temp}/k8s-lock`, "in the way");
  const { result, log } = await job.use(await jobs.inputs());
  assertEquals(result, "failure");
  assertMatch(log, /^::error title=k8s-lock::the action cannot write to RUNNER_TEMP: EEXIST/m);
  assertNotMatch(log, /^ +at /m);
  assertEquals(await job.end(), { result: "success", log: "" });
  assertEquals(jobs.site.outside.record, null);
});

test("a cluster that cannot be reached is an error of its own", async (jobs) => {
  const job = await jobs.job();
  const inputs = await jobs.inputs({ request_timeout: "1s" }, "https://127.0.0.1:1");
  assertMatch(errorOf(await job.use(inputs)), /127\.0\.0\.1:1/);
  assertEquals((await job.end()).result, "success");
  assertEquals(job.left, []);
});

test("without GITHUB_RUN_NUMBER there is no turn by number, and any other is", async (jobs) => {
  const job = await jobs.job({ env: { GITHUB_RUN_NUMBER: "" } });
  assertMatch(
    errorOf(await job.use(await jobs.inputs({ order: "sequential" }))),
    /GITHUB_RUN_NUMBER/,
  );
  const taken = await job.use(await jobs.inputs());
  assertEquals(taken.result, "success", taken.log);
  await job.end();
  await nobodyLeft(jobs.site, job);
});

test("a Secret of version 3 with garbage for a number is left as it is, and the error says how to mend it", async (jobs) => {
  const { cluster, namespace, object, path } = jobs.site;
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: object, namespace },
    stringData: { next_build: "4x" },
  };
  await cluster.api.must("POST", `/api/v1/namespaces/${namespace}/secrets`, { body: secret });
  const job = await jobs.job();
  const error = errorOf(await job.use(await jobs.inputs()));
  assertMatch(error, /next_build/);
  const stored = await cluster.api.must("GET", path);
  assertEquals((stored as { data?: unknown }).data, { next_build: btoa("4x") });
  assertEquals((await job.end()).result, "success");
});
