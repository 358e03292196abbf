/** Jobs that use the action, on a lock of their own in a real cluster. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { withSharedCluster } from "../cluster/shared.ts";
import { LockSite } from "../lock_site.ts";
import { makeProgram } from "./programs.ts";
import { JobRunner } from "./runner.ts";
import type { JobOptions } from "./runner.ts";

/** One lock, named `deploy`, and the jobs that want it. */
export class JobSite implements AsyncDisposable {
  readonly #jobs: JobRunner[] = [];

  constructor(readonly site: LockSite, readonly program: string) {}

  /** A new job; it is over when the test is. */
  async job(options: JobOptions = {}): Promise<JobRunner> {
    const job = await JobRunner.start(options);
    this.#jobs.push(job);
    return job;
  }

  /** A kubeconfig as people put it into a secret. `server`: another way to the same server. */
  async kubeConfigData(server = this.site.cluster.server): Promise<string> {
    const request = {
      user: "ci",
      groups: ["system:masters"],
      namespace: this.site.namespace,
      server,
    };
    const { path } = await this.site.cluster.kubeconfigFor(request);
    return btoa(await readFile(path, "utf8"));
  }

  /** The inputs of a job that wants the lock. */
  async inputs(
    more: Readonly<Record<string, string>> = {},
    server?: string,
  ): Promise<Record<string, string>> {
    return {
      kube_config_data: await this.kubeConfigData(server),
      lock_name: "deploy",
      scope: "global",
      binary: this.program,
      ...more,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job[Symbol.asyncDispose]()));
    await this.site[Symbol.asyncDispose]();
  }
}

let program: Promise<string> | undefined;

/** Runs a test on a lock of its own. */
export async function withJobs(test: (jobs: JobSite) => Promise<void>): Promise<void> {
  // Once for the process: nobody changes it.
  program ??= Deno.makeTempDir({ prefix: "k8s-lock-program-" }).then((folder) => {
    addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    return makeProgram(join(folder, "bin"));
  });
  await withSharedCluster(async ({ cluster }) => {
    await using jobs = new JobSite(await LockSite.open(cluster), await program ?? "");
    await test(jobs);
  });
}
