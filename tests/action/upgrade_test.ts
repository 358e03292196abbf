/** The upgrade from version 3 by the line `uses:` alone: its inputs, its Secret, and its jobs still under way. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";
import type { JobRunner } from "../support/action/runner.ts";

const OBJECT = "k8s-lock-acme-shop-deploy";

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

/** As version 3 writes it: `kubectl create secret generic … | kubectl replace`. */
async function writeByVersion3({ site }: JobSite, nextBuild: number): Promise<void> {
  const { cluster, namespace } = site;
  const manifest = await cluster.kubectl([
    ...["create", "secret", "generic", OBJECT, "-n", namespace, "--dry-run=client", "-o", "json"],
    `--from-literal=next_build=${nextBuild}`,
  ]);
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const body = JSON.parse(manifest);
  const { status } = await cluster.api.request("PUT", `${secrets}/${OBJECT}`, { body });
  if (status === 404) await cluster.api.must("POST", secrets, { body });
}

async function nextBuild({ site }: JobSite): Promise<string> {
  const path = `/api/v1/namespaces/${site.namespace}/secrets/${OBJECT}`;
  const { data } = await site.cluster.api.must("GET", path) as { data?: Record<string, string> };
  return atob(data?.["next_build"] ?? "");
}

/** A job of that run with version 3's own inputs. */
async function job(jobs: JobSite, run: number): Promise<[JobRunner, Record<string, string>]> {
  const { scope: _, ...inputs } = await jobs.inputs({ max_attempts: "10000" });
  return [await jobs.job({ env: { GITHUB_RUN_NUMBER: `${run}` } }), inputs];
}

test("a Secret as version 3 has left it is taken by the run whose number it has, and moves on", async (jobs) => {
  await writeByVersion3(jobs, 42);
  const [first, inputs] = await job(jobs, 42);
  const taken = await first.use(inputs);
  assertEquals(taken.result, "success", taken.log);
  assertMatch(taken.log, /migrate/);
  assertEquals(await nextBuild(jobs), "42");
  const { result, log } = await first.end();
  assertEquals(result, "success", log);
  assertEquals(await nextBuild(jobs), "43");
});

test("a job waits for one of version 3 that is under way, and holds when that has given back", async (jobs) => {
  await writeByVersion3(jobs, 41);
  const [second, inputs] = await job(jobs, 42);
  const waits = second.use(inputs);
  await second.says("waiting for deploy");
  await writeByVersion3(jobs, 42);
  const taken = await waits;
  assertEquals(taken.result, "success", taken.log);
  await second.end();
  assertEquals(await nextBuild(jobs), "43");
});

test("a job that is cancelled while it waits for its number leaves the number as it is", async (jobs) => {
  await writeByVersion3(jobs, 41);
  const [second, inputs] = await job(jobs, 42);
  const waits = second.use(inputs);
  await second.says("waiting for deploy");
  await second.cancel();
  assertEquals((await waits).result, "cancelled");
  assertEquals(await second.end(), { result: "success", log: "" });
  assertEquals(await nextBuild(jobs), "41");
});

test("a run whose number has passed is told so at once, with what helps", async (jobs) => {
  await writeByVersion3(jobs, 44);
  const [late, inputs] = await job(jobs, 42);
  const { result, log } = await late.use(inputs);
  assertEquals(result, "failure");
  assertMatch(log, /::error title=k8s-lock::.*44/);
  assertStringIncludes(log, "k8s-lock migrate");
  assertEquals((await late.end()).result, "success");
  assertEquals(await nextBuild(jobs), "44");
});
