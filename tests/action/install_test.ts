/** The action installs its program as a job of a user has it: by download, checked by its hash. */
import { createHash } from "node:crypto";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";
import { tarGz } from "../../tools/release/archive.ts";
import { nobodyLeft } from "../support/action/aftermath.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";

interface Mirror {
  /** What a job gives to the action. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly asked: string[];
}

/** Runs a test with a server that has the program as a release has it. */
function test(name: string, fn: (jobs: JobSite, mirror: Mirror) => Promise<void>): void {
  Deno.test(name, () =>
    withJobs(async (jobs) => {
      const content = await Deno.readFile(jobs.program);
      const archive = tarGz([{ name: "k8s-lock", content, executable: true }], 1);
      const asked: string[] = [];
      await using server = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {} },
        (request) => {
          asked.push(new URL(request.url).pathname);
          return new Response(archive as BodyInit);
        },
      );
      await fn(jobs, {
        asked,
        inputs: await jobs.inputs({
          binary: "",
          version: VERSION,
          sha256: createHash("sha256").update(archive).digest("hex"),
          download_url: `http://127.0.0.1:${server.addr.port}`,
        }),
      });
    }));
}

test(
  "a job downloads the program, takes the lock with it and gives it back, on PATH for its steps meanwhile",
  async (jobs, { inputs, asked }) => {
    const job = await jobs.job();
    const taken = await job.use(inputs);
    assertEquals([taken.result, taken.outputs.acquired], ["success", "true"], taken.log);
    assertEquals(asked.length, 1);
    assertMatch(
      asked[0] ?? "",
      new RegExp(`^/v${VERSION}/k8s-lock-[a-z]+-(x64|arm64)\\.tar\\.gz$`),
    );
    const said = await job.run("k8s-lock --version");
    assertEquals(said.result, "success", said.log);
    assertStringIncludes(said.log, VERSION);
    assertEquals((await job.end()).result, "success");
    await nobodyLeft(jobs.site, job);
  },
);

test(
  "a program with another hash is not run, and nothing is asked of the cluster",
  async (jobs, { inputs }) => {
    const job = await jobs.job();
    const { result, log } = await job.use({ ...inputs, sha256: "a".repeat(64) });
    assertEquals(result, "failure");
    assertStringIncludes(log, "::error title=k8s-lock::what was downloaded is NOT the k8s-lock");
    assertEquals((await job.end()).result, "success");
    assertEquals(jobs.site.outside.record, null);
    await nobodyLeft(jobs.site, job);
  },
);

test("the action of a branch has no program of its own, and says what to do", async (jobs) => {
  const job = await jobs.job();
  const { result, log } = await job.use(await jobs.inputs({ binary: "" }));
  assertEquals(result, "failure");
  assertMatch(log, /::error title=k8s-lock::this is the action of a branch .*@v4/);
  assertEquals((await job.end()).result, "success");
  await nobodyLeft(jobs.site, job);
});
