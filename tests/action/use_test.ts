/** The action in a job of a small runner of the tests' own: what a job gets, and how the lock ends with it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type JobSite, withJobs } from "../support/action/job_site.ts";

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

test("a job takes the lock, uses its outputs, and gives it back at its end", async (jobs) => {
  const { site } = jobs;
  const job = await jobs.job();
  const taken = await job.use(await jobs.inputs());
  assertEquals(taken.result, "success", taken.log);
  const { acquired, token, grant, lock_object, holder, slot, locks } = taken.outputs;
  assertEquals([acquired, slot, lock_object], [
    "true",
    "0",
    `secret/${site.namespace}/${site.object}`,
  ]);
  assertEquals(site.outside.record?.holders.map((one) => [one.grant, `${one.token}`]), [[
    grant,
    token,
  ]]);
  assertEquals([holder, JSON.parse(locks ?? "")[0].grant], ["acme/shop Deploy #42", grant]);
  await site.renewed(holder ?? "");

  const { result, log } = await job.end();
  assertEquals(result, "success", log);
  await site.outside.seen("nobody", ({ holders }) => holders.length === 0);
  assertEquals(site.outside.record?.history.map(({ grant, outcome }) => [grant, outcome]), [[
    grant,
    "released",
  ]]);
  assertMatch(job.summary, new RegExp(`\\*\\*deploy\\*\\*: held with token ${token}, got at once`));
  assertStringIncludes(job.summary, "**deploy**: given back after ");
  assertEquals(
    [...Deno.readDirSync(`${job.temp}/k8s-lock`)].filter(({ name }) => name.startsWith("action-")),
    [],
  );
});
