/** The workflows of docs/recipes/github.md, their jobs run step by step by the tests' runner, on a real API server. */
import { assert, assertEquals } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "js-yaml";
import { isMet } from "../support/action/expressions.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";
import type { JobRunner, StepEnd } from "../support/action/runner.ts";
import { recipeFile } from "../support/recipes/pages.ts";
import { eventually } from "../support/sandbox.ts";

interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface Job {
  readonly outputs?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** What expressions of the page stand for, by their paths. */
type Values = ReadonlyMap<string, string>;

function jobOf(name: string, job: string): Job {
  const { jobs } = load(recipeFile("github.md", `.github/workflows/${name}`).text) as {
    readonly jobs: Readonly<Record<string, Job>>;
  };
  const found = jobs[job];
  if (found === undefined) throw new Error(`${name} has no job ${job}`);
  return found;
}

/** A workflow's job under way. */
class WorkflowJob {
  readonly #values: Map<string, string>;

  private constructor(
    readonly jobs: JobSite,
    readonly runner: JobRunner,
    readonly job: Job,
    values: Values,
  ) {
    this.#values = new Map(values);
  }

  /** @param run tells the two jobs of a test apart */
  static async start(jobs: JobSite, job: Job, run: string, needs: Values = new Map()) {
    const runner = await jobs.job({ env: { GITHUB_WORKFLOW: "deploy", GITHUB_RUN_ID: run } });
    for (const script of ["prepare.sh", "deploy.sh", "refresh.sh"]) {
      await writeFile(
        join(runner.folder, "work", script),
        `#!/bin/sh\necho ${script} >>story\n[ ! -e hold ] || [ ${script} != deploy.sh ] || sleep 600\n`,
        { mode: 0o755 },
      );
    }
    const data = await jobs.kubeConfigData();
    return new WorkflowJob(
      jobs,
      runner,
      job,
      new Map([["secrets.KUBE_CONFIG_DATA", data], ...needs]),
    );
  }

  /** Its deploy.sh does not end by itself. */
  async hold(): Promise<void> {
    await writeFile(join(this.runner.folder, "work", "hold"), "");
  }

  /** Runs its steps up to the first that does not succeed, and returns how that ended. */
  async steps(): Promise<StepEnd["result"]> {
    for (const step of this.job.steps) {
      const look = (path: string) => this.#values.get(path) ?? "";
      if (!isMet(step.if, { look, status: "success", cancelled: false })) continue;
      if (step.uses?.startsWith("actions/checkout@")) continue;
      const { result, outputs } = step.uses === undefined
        ? await this.runner.run(step.run ?? "")
        : await this.runner.use({ ...this.#inputs(step), binary: this.jobs.program });
      for (const [name, value] of Object.entries(outputs)) {
        this.#values.set(`steps.${step.id ?? ""}.outputs.${name}`, value);
      }
      if (result !== "success") return result;
    }
    return "success";
  }

  /** The outputs of the whole job, as the jobs see them that need it. */
  get outputs(): Map<string, string> {
    const all = Object.entries(this.job.outputs ?? {});
    return new Map(all.map(([name, value]) => [name, this.#expanded(value)]));
  }

  /** What its scripts said. */
  async story(): Promise<string[]> {
    const text = await readFile(join(this.runner.folder, "work", "story"), "utf8").catch(() => "");
    return text.split("\n").filter(Boolean);
  }

  #inputs({ uses, with: inputs = {} }: Step): Record<string, string> {
    assertEquals(uses, "OWNER/REPO@v4");
    return Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [name, this.#expanded(`${value}`)]),
    );
  }

  #expanded(text: string): string {
    return text.replace(/\$\{\{ ([\w.-]+) \}\}/g, (_, path: string) => {
      const value = this.#values.get(path);
      if (value === undefined) throw new Error(`nothing is known of ${path}`);
      return value;
    });
  }
}

interface Status {
  readonly holders: readonly { readonly holder: string }[];
  readonly queue: readonly unknown[];
  readonly history: readonly { readonly outcome: string }[];
}

/** What others see of a lock of acme/shop. */
async function statusOf({ site }: JobSite, lock: string): Promise<Status> {
  const { code, stdout, stderr } = await site.call("ann", [
    ...["status", lock, "--repo", "acme/shop", "-o", "json"],
  ]);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

async function isFree(jobs: JobSite, lock: string, ...outcomes: readonly string[]): Promise<void> {
  const { holders, queue, history } = await statusOf(jobs, lock);
  assertEquals([holders, queue], [[], []]);
  assertEquals(history.map(({ outcome }) => outcome), outcomes);
}

Deno.test("github.md, deploy.yml: the job prepares, takes the lock, deploys, and gives it back at its end", () =>
  withJobs(async (jobs) => {
    const job = await WorkflowJob.start(jobs, jobOf("deploy.yml", "deploy"), "1001");
    assertEquals(await job.steps(), "success");
    assertEquals((await statusOf(jobs, "deploy")).holders[0]?.holder, "acme/shop deploy #42");
    assertEquals((await job.runner.end()).result, "success");
    assertEquals(await job.story(), ["prepare.sh", "deploy.sh"]);
    await isFree(jobs, "deploy", "released");
  }));

Deno.test("github.md, deploy.yml: cancelled while it deploys, nothing of the deploy is left, and the next run gets its turn", () =>
  withJobs(async (jobs) => {
    const job = await WorkflowJob.start(jobs, jobOf("deploy.yml", "deploy"), "1001");
    await job.hold();
    const steps = job.steps();
    await eventually("the deploy", async () => (await job.story()).includes("deploy.sh"));
    const next = await WorkflowJob.start(jobs, jobOf("deploy.yml", "deploy"), "1002");
    const nextSteps = next.steps();
    await eventually("the next", async () => (await statusOf(jobs, "deploy")).queue.length === 1);
    await job.runner.cancel();
    assertEquals(await steps, "cancelled");
    await job.runner.end();
    assertEquals(job.runner.killed, []);
    assertEquals(await nextSteps, "success");
    await next.runner.end();
    await isFree(jobs, "deploy", "released", "released");
  }));

Deno.test("github.md, deploy.yml: cancelled while it waits, it leaves no place in the queue", () =>
  withJobs(async (jobs) => {
    const { site } = jobs;
    const named = ["deploy", "--repo", "acme/shop"];
    assertEquals((await site.call("ann", ["acquire", ...named])).code, 0);
    const job = await WorkflowJob.start(jobs, jobOf("deploy.yml", "deploy"), "1001");
    const steps = job.steps();
    await eventually("its place", async () => (await statusOf(jobs, "deploy")).queue.length === 1);
    await job.runner.cancel();
    assertEquals(await steps, "cancelled");
    assertEquals((await statusOf(jobs, "deploy")).queue, []);
    await job.runner.end();
    assertEquals(await job.story(), ["prepare.sh"]);
    assertEquals((await site.call("ann", ["release", ...named])).code, 0);
  }));

Deno.test("github.md, refresh.yml: while another holds, the job succeeds and leaves its work out", () =>
  withJobs(async (jobs) => {
    const named = ["refresh", "--repo", "acme/shop"];
    assertEquals((await jobs.site.call("ann", ["acquire", ...named])).code, 0);
    const busy = await WorkflowJob.start(jobs, jobOf("refresh.yml", "refresh"), "1001");
    assertEquals(await busy.steps(), "success");
    assertEquals((await busy.runner.end()).result, "success");
    assertEquals(await busy.story(), []);
    assertEquals((await jobs.site.call("ann", ["release", ...named])).code, 0);
    const free = await WorkflowJob.start(jobs, jobOf("refresh.yml", "refresh"), "1002");
    assertEquals(await free.steps(), "success");
    await free.runner.end();
    assertEquals(await free.story(), ["refresh.sh"]);
  }));

Deno.test("github.md, staged.yml: the lock stands between the jobs, and the last one gives it back by its grant", () =>
  withJobs(async (jobs) => {
    const take = await WorkflowJob.start(jobs, jobOf("staged.yml", "take"), "1001");
    assertEquals(await take.steps(), "success");
    assertEquals((await take.runner.end()).result, "success");
    assertEquals((await statusOf(jobs, "staging")).holders.length, 1);
    const needs = new Map(
      [...take.outputs].map(([name, value]) => [`needs.take.outputs.${name}`, value]),
    );
    assert(needs.get("needs.take.outputs.grant"));
    const last = await WorkflowJob.start(jobs, jobOf("staged.yml", "give-back"), "1001", needs);
    assertEquals(await last.steps(), "success");
    assertEquals((await last.runner.end()).result, "success");
    await isFree(jobs, "staging", "released");
  }));
