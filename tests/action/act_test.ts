/** Whole workflows, as a user writes them, run by act. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Workflow } from "../support/action/act.ts";
import { withJobs } from "../support/action/job_site.ts";
import type { JobSite } from "../support/action/job_site.ts";
import { LockOutside } from "../support/lock_outside.ts";
import { eventually } from "../support/sandbox.ts";

const OBJECT = "k8s-lock-acme-shop-deploy";

/** One use of the action. */
function uses({ program }: JobSite, more = ""): string {
  return `
      - id: lock
        uses: acme/k8s-lock@v4
        with:
          kube_config_data: \${{ secrets.KUBE_CONFIG_DATA }}
          lock_name: deploy
          binary: ${program}
          ${more}`;
}

function job(name: string, steps: string): string {
  return `
  ${name}:
    runs-on: ubuntu-latest
    steps:${steps}`;
}

/** Runs a workflow of these jobs, while the lock is watched. */
async function run(
  jobs: JobSite,
  ...all: readonly string[]
): Promise<{ code: number; log: string; outside: LockOutside }> {
  const { cluster, namespace } = jobs.site;
  const outside = await LockOutside.open(cluster.kubeconfig, namespace, OBJECT);
  try {
    await using workflow = await Workflow.create(
      `name: Deploy\non: push\njobs:${all.join("")}\n`,
    );
    const ended = await workflow.run({ KUBE_CONFIG_DATA: await jobs.kubeConfigData() });
    await outside.queued(0);
    await eventually("the end of the jobs' processes", () => workflow.left.length === 0);
    return { ...ended, outside };
  } finally {
    outside[Symbol.dispose]();
  }
}

function test(name: string, fn: (jobs: JobSite) => Promise<void>): void {
  Deno.test(name, () => withJobs(fn));
}

test("under act a job takes the lock of its repository, reads the outputs, and gives it back", async (jobs) => {
  const { code, log, outside } = await run(
    jobs,
    job(
      "deploy",
      `${uses(jobs)}
      - run: k8s-lock verify deploy --token "$TOKEN"
        env:
          TOKEN: \${{ steps.lock.outputs.token }}
      - run: echo "it is \${{ steps.lock.outputs.acquired }}, \${{ steps.lock.outputs.lock_object }}, \${{ fromJSON(steps.lock.outputs.locks)[0].mode }}"`,
    ),
  );
  assertEquals(code, 0, log);
  assertStringIncludes(log, `it is true, secret/${jobs.site.namespace}/${OBJECT}, exclusive`);
  assertStringIncludes(log, "gave deploy back");
  assertEquals(outside.record?.holders, []);
  assertEquals(outside.record?.history.map(({ outcome }) => outcome), ["released"]);
});

test("under act the lock is given back after a step has failed", async (jobs) => {
  const { code, log, outside } = await run(
    jobs,
    job(
      "deploy",
      `${uses(jobs)}
      - run: exit 3`,
    ),
  );
  assertEquals(code, 1);
  assertStringIncludes(log, "gave deploy back");
  assertEquals(outside.record?.holders, []);
});

test("under act two jobs of one workflow take turns", async (jobs) => {
  // Who holds first waits until the other one is in the queue; two at once would fail at their folder.
  const steps = (place: string) =>
    `${uses(jobs)}
      - run: |
          mkdir '${place}/inside'
          if mkdir '${place}/first'; then
            until k8s-lock status deploy -o json | grep '"position": 1'; do sleep 0.2; done
          fi
          rmdir '${place}/inside'`;
  const place = await Deno.makeTempDir({ prefix: "k8s-lock-turns-" });
  try {
    const { code, log, outside } = await run(
      jobs,
      job("one", steps(place)),
      job("two", steps(place)),
    );
    assertEquals(code, 0, log);
    assertEquals([...Deno.readDirSync(place)].map(({ name }) => name), ["first"]);
    const most = Math.max(...outside.records.map(({ record }) => record?.holders.length ?? 0));
    assertEquals(most, 1);
    assertEquals(outside.record?.history.map(({ outcome }) => outcome), ["released", "released"]);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});

test("under act a busy lock is skipped with on_busy: skip, and the steps after it can tell", async (jobs) => {
  const env = { K8S_LOCK_SCOPE: "repo", K8S_LOCK_REPO: "acme/shop" };
  assertEquals((await jobs.site.call("ann", ["acquire", "deploy"], { env })).code, 0);
  const { code, log, outside } = await run(
    jobs,
    job(
      "deploy",
      `${uses(jobs, "timeout: 0\n          on_busy: skip")}
      - run: echo "skipped"
        if: steps.lock.outputs.acquired == 'false'
      - run: exit 3
        if: steps.lock.outputs.acquired == 'true'`,
    ),
  );
  assertEquals(code, 0, log);
  assertMatch(log, /\| skipped/);
  assertEquals(outside.record?.holders.map(({ holder }) => holder), ["ann"]);
  assertEquals((await jobs.site.call("ann", ["release", "deploy"], { env })).code, 0);
});
