/** What must be so after every job, however it ended. */
import { assertEquals } from "@std/assert";
import type { LockSite } from "../lock_site.ts";
import type { JobRunner } from "./runner.ts";

/** No holder, no turn, no ticket, no process and no credentials are left of these jobs. */
export async function nobodyLeft(site: LockSite, ...jobs: readonly JobRunner[]): Promise<void> {
  await site.outside.queued(0);
  const { holders = [], turn = [] } = site.outside.record ?? {};
  assertEquals([holders, turn], [[], []]);
  for (const job of jobs) {
    assertEquals([job.left, job.killed], [[], []]);
    const base = `${job.temp}/k8s-lock`;
    const names = [...Deno.readDirSync(base)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.startsWith("action-")), []);
  }
}
