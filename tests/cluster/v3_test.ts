/** Jobs of version 3, by kubectl, and ours on one Secret of a real API server. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { actionsApiServer } from "../support/actions_api.ts";
import { type LockSite, withLock } from "../support/lock_site.ts";
import type { Ended, Program } from "../support/program.ts";
import { ofRun, runbook, V3Job, v3Secret } from "../support/v3_job.ts";
import { startWork } from "../support/work.ts";

const TTL = ["--ttl", "6s"];

/** What stands in the Secret. */
async function stands(site: LockSite): Promise<{ next: string | null; lock: string | null }> {
  const { data = {} } = await site.secret() as { data?: Record<string, string> };
  const text = (key: string) =>
    data[key] === undefined ? null : Buffer.from(data[key], "base64").toString();
  return { next: text("next_build"), lock: text("lock") };
}

/** A job of ours of that run. */
function start(
  site: LockSite,
  run: number,
  command: readonly string[],
  args: readonly string[] = [],
  attempt = 1,
): Promise<Program> {
  const line = ["run", "deploy", ...TTL, ...args, "--", ...command];
  return site.start(`run${run}`, line, { env: ofRun(run, attempt) });
}

async function ends(program: Program, code: number, ...words: string[]): Promise<Ended> {
  const ended = await program.end();
  assertEquals(ended.code, code, ended.stderr);
  for (const word of words) assertStringIncludes(ended.stderr, word);
  return ended;
}

Deno.test("jobs of version 3 and ours take 50 turns on one Secret, in order, without two at work or a lost number", () =>
  withLock(async (site) => {
    const first = 101;
    const turns = 50;
    await v3Secret(site, first);
    // Who finds somebody else at work says so; who is done says its number.
    const work = (run: number) =>
      `cd '${site.folder}'; mkdir at-work || echo "two: ${run}" >> turns; sleep 0.05; ` +
      `echo ${run} >> turns; rmdir at-work`;
    const jobs: Promise<unknown>[] = [];
    const running = new Set<Promise<unknown>>();
    await using stack = new AsyncDisposableStack();
    for (let run = first; run < first + turns; run++) {
      let job: Promise<unknown>;
      if (run % 2 === 0) {
        const one = stack.use(V3Job.start(site, { run, work: work(run), looks: run % 4 === 0 }));
        job = one.end().then(({ code, stderr }) => assertEquals(code, 0, `run ${run}: ${stderr}`));
      } else {
        const program = await start(site, run, ["sh", "-c", work(run)]);
        job = ends(program, 0);
      }
      jobs.push(job);
      running.add(job);
      job.finally(() => running.delete(job)).catch(() => {});
      // Some wait behind the one that works, of both kinds.
      if (running.size >= 5) await Promise.race(running);
    }
    await Promise.all(jobs);
    const expected = Array.from({ length: turns }, (_, index) => `${first + index}`);
    assertEquals((await site.read("turns")).trim().split("\n"), expected);
    assertEquals((await stands(site)).next, `${first + turns}`);
  }));

Deno.test("the upgrade starts from a Secret as version 3 left it, and version 3 takes over again at any time", () =>
  withLock(async (site) => {
    await v3Secret(site, 42);
    const upgraded = await ends(await start(site, 42, ["true"]), 0, "k8s-lock migrate");
    assertEquals(upgraded.stderr.match(/k8s-lock migrate/g)?.length, 1, upgraded.stderr);
    const after = await stands(site);
    assertEquals(after.next, "43");
    assertStringIncludes(after.lock ?? "", '"order":"sequential"');
    await using old = V3Job.start(site, { run: 43 });
    assertEquals((await old.end()).code, 0);
    assertEquals(await stands(site), { next: "44", lock: null });
    await ends(await start(site, 44, ["true"]), 0);
    assertEquals((await stands(site)).next, "45");
  }));

Deno.test("a job of version 3 in progress is waited for, and so is one of ours", () =>
  withLock(async (site) => {
    await v3Secret(site, 7);
    const path = await site.pipe("go");
    await using old = V3Job.start(site, { run: 7, work: `cat '${path}' >/dev/null` });
    await old.holds;
    using work = await startWork(site, "work");
    const ours = await start(site, 8, work.command);
    await ours.line("run 7");
    await site.outside.queued(1);
    assertEquals((await stands(site)).next, "7");
    await Deno.writeTextFile(path, "");
    assertEquals((await old.end()).code, 0);
    await work.begun;
    await using last = V3Job.start(site, { run: 9 });
    await site.renewed("run8");
    assertEquals((await stands(site)).next, "8");
    await work.finish();
    await ends(ours, 0);
    assertEquals((await last.end()).code, 0);
    assertEquals((await stands(site)).next, "10");
  }));

Deno.test("jobs of one run take turns, and one that comes when all of them are done is told so", () =>
  withLock(async (site) => {
    await v3Secret(site, 7);
    using work = await startWork(site, "work");
    const first = await start(site, 7, work.command);
    await work.begun;
    const second = await start(site, 7, ["true"]);
    await site.outside.queued(1);
    await work.finish();
    await ends(first, 0);
    await ends(second, 0);
    assertEquals((await stands(site)).next, "8");
    const late = await ends(
      await start(site, 7, ["true"]),
      15,
      "run 8 is next",
      "k8s-lock migrate deploy --scope global",
    );
    assertStringIncludes(late.stderr, `patch secret ${site.object} --type merge -p`);
    await ends(await start(site, 7, ["true"], [], 2), 15, "this is a re-run of run 7");
  }));

Deno.test("the record is made in version 3's form where that was asked for, and version 3 takes its turn on it", () =>
  withLock(async (site) => {
    await ends(await start(site, 5, ["true"], ["--order", "sequential"]), 0);
    assertEquals((await stands(site)).next, "6");
    await using old = V3Job.start(site, { run: 6 });
    assertEquals((await old.end()).code, 0);
    assertEquals((await stands(site)).next, "7");
  }));

Deno.test("a replace of version 3 over a hold of ours: the work is stopped, it is said, and the number moves on", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    using work = await startWork(site, "work", "say begun; sleep 1000");
    const ours = await start(site, 5, work.command);
    await work.begun;
    await site.held("run5");
    await runbook(site, 5);
    await ends(ours, 12, "somebody wrote over the record without knowing this hold");
    await work.dead;
    assertEquals((await stands(site)).next, "6");
  }));

Deno.test("the runbook's command on a record in today's form counts as its deletion", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", "say begun; sleep 1000");
    const ours = await start(site, 5, work.command);
    await work.begun;
    assertEquals((await stands(site)).next, null);
    await runbook(site, 6);
    await ends(ours, 12, "its number is 6 now");
    await work.dead;
    assertEquals(await stands(site), { next: "6", lock: null });
    await ends(await start(site, 6, ["true"]), 0);
  }));

Deno.test("a run that is over is passed by what the Actions API says of it, and one that goes on is waited for", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    const run = (number: number, status: string) => ({
      run_number: number,
      status,
      conclusion: status === "completed" ? "cancelled" : null,
    });
    const answer = (status: string) => () => ({
      body: { total_count: 2, workflow_runs: [run(6, "in_progress"), run(5, status)] },
    });
    await using server = await actionsApiServer(answer("in_progress"));
    const env = {
      ...ofRun(6),
      GITHUB_WORKFLOW_REF: "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
      GITHUB_API_URL: server.url,
      K8S_LOCK_GITHUB_TOKEN: "ghs_verysecret",
    };
    const waiter = await site.start("run6", ["run", "deploy", ...TTL, "--", "true"], { env });
    await waiter.line("by the Actions API run 5 is not over");
    assertEquals((await stands(site)).next, "5");
    server.answer = answer("completed");
    const { stderr } = await ends(waiter, 0, "passes run 5: by the Actions API run 5 is over");
    assert(!stderr.includes("ghs_verysecret"));
    assertEquals((await stands(site)).next, "7");
    assertStringIncludes(
      server.asked[0] ?? "",
      "/repos/acme/shop/actions/workflows/deploy.yml/runs",
    );
  }));

Deno.test("acquire, verify, renew, status, list, break and release are right on a record in version 3's form", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    const call = async (run: number, code: number, ...args: string[]): Promise<Ended> => {
      const ended = await site.call(`run${run}`, args, { env: ofRun(run) });
      assertEquals(ended.code, code, `${args.join(" ")}: ${ended.stderr}`);
      return ended;
    };
    const free = JSON.parse((await call(5, 0, "status", "deploy", "-o", "json")).stdout);
    assertEquals([free.lock, free.order, free.next_build], ["deploy", "sequential", 5]);
    assertMatch((await call(5, 0, "status", "deploy")).stdout, /run 5 is next[^]*cannot be seen/);
    assertMatch((await call(5, 0, "list", "deploy")).stdout, /^deploy +- +free/m);
    await site.cluster.kubectl(["-n", site.namespace, "create", "secret", "generic", "k8s-lock-x"]);
    assertMatch((await call(5, 0, "list")).stdout, /WAITING\n\(of version 3\) +- +free[^\n]*\n$/);
    const none = await call(5, 0, "break", "deploy", "--yes");
    assertStringIncludes(none.stderr, "run 5 may be at work all the same");
    await call(5, 14, "verify", "deploy");

    const got = JSON.parse((await call(5, 0, "acquire", "deploy", ...TTL, "-o", "json")).stdout);
    await call(5, 0, "verify", "deploy", "--token", `${got.token}`);
    await call(5, 0, "renew", "deploy");
    const waiter = await site.start("run7", ["run", "deploy", ...TTL, "--", "true"], {
      env: ofRun(7),
    });
    await site.outside.queued(1);
    const held = JSON.parse((await call(5, 0, "status", "deploy", "-o", "json")).stdout);
    assertEquals([held.holders[0].holder, held.queue[0].order], ["run5", "sequential"]);
    await call(5, 0, "release", "deploy");
    assertEquals((await stands(site)).next, "6");

    const six = JSON.parse((await call(6, 0, "acquire", "deploy", ...TTL, "-o", "json")).stdout);
    await call(6, 0, "break", "deploy", "--grant", six.grant, "--now", "--yes");
    assertEquals((await waiter.end()).code, 0);
    assertEquals((await stands(site)).next, "8");
    await call(6, 12, "release", "deploy");
  }));

Deno.test("a hold of acquire that version 3 wiped is told at the release, which moves the number on", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    const env = ofRun(5);
    const acquired = await site.call("run5", ["acquire", "deploy", ...TTL], { env });
    assertEquals(acquired.code, 0, acquired.stderr);
    await runbook(site, 5);
    const released = await site.call("run5", ["release", "deploy"], { env });
    assertEquals(released.code, 12, released.stderr);
    assertEquals((await stands(site)).next, "6");
  }));

Deno.test("migrate brings a record into today's form and back, and refuses while somebody holds", () =>
  withLock(async (site) => {
    await v3Secret(site, 42);
    const migrate = (...args: string[]) => site.call("boss", ["migrate", "deploy", ...args]);
    const dry = await migrate("--dry-run");
    assertEquals(dry.code, 0, dry.stderr);
    assertStringIncludes(dry.stdout, "would be brought into today's form (run 42 was next)");
    assertStringIncludes(dry.stderr, "run 42 is not at work");
    assertEquals(await stands(site), { next: "42", lock: null });
    using work = await startWork(site, "work");
    const holder = await start(site, 42, work.command);
    await work.begun;
    const refused = await migrate();
    assertEquals(refused.code, 10, refused.stderr);
    assertStringIncludes(refused.stderr, "held by run42");
    await work.finish();
    await ends(holder, 0);

    assertEquals((await migrate()).code, 0);
    const today = await stands(site);
    assertEquals([today.next, today.lock?.includes('"order"')], [null, false]);
    await ends(await start(site, 17, ["true"]), 0);
    const back = await migrate("--to-v3");
    assertEquals(back.code, 0, back.stderr);
    assertStringIncludes(back.stdout, "run 43 is next");
    await using old = V3Job.start(site, { run: 43 });
    assertEquals((await old.end()).code, 0);
    assertEquals(await stands(site), { next: "44", lock: null });
  }));

Deno.test("a dead one that waits for its number is in the way of migrate, which says how to take it off", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    const dies = await start(site, 9, ["true"]);
    await site.outside.queued(1);
    dies.kill("SIGKILL");
    await dies.end();
    const refused = await site.call("boss", ["migrate", "deploy"]);
    assertEquals(refused.code, 10, refused.stderr);
    const [, command = ""] = /k8s-lock (break .*)$/m.exec(refused.stderr) ?? [];
    assertStringIncludes(command, "--grant ");
    const dropped = await site.call("boss", [...command.split(" "), "--yes"]);
    assertEquals(dropped.code, 0, dropped.stderr);
    const migrated = await site.call("boss", ["migrate", "deploy"]);
    assertEquals(migrated.code, 0, migrated.stderr);
    assertEquals((await stands(site)).next, null);
  }));

Deno.test("each thing that is wrong with a record in version 3's form or its use has its own message", () =>
  withLock(async (site) => {
    await v3Secret(site, "oops");
    const mend = `patch secret ${site.object} --type merge -p`;
    await ends(
      await start(site, 5, ["true"]),
      15,
      "key next_build is not the number of a run",
      mend,
    );
    const status = await site.call("boss", ["status", "deploy"]);
    assertEquals(status.code, 15, status.stderr);
    assertStringIncludes(status.stderr, mend);
    assert(!status.stderr.includes("oops"), status.stderr);
    assertEquals(await stands(site), { next: "oops", lock: null });

    await runbook(site, 5);
    await ends(await start(site, 5, ["true"], ["--order", "fifo"]), 15, "leave --order out");
    await ends(await start(site, 4, ["true"]), 15, "run 5 is next");
    const laptop = await site.call("laptop", ["run", "deploy", "--", "true"]);
    assertEquals(laptop.code, 2, laptop.stderr);
    assertStringIncludes(laptop.stderr, "GITHUB_RUN_NUMBER");
    assertEquals((await stands(site)).next, "5");

    assertEquals((await site.call("boss", ["migrate", "deploy"])).code, 0);
    await ends(
      await start(site, 5, ["true"], ["--order", "sequential"]),
      15,
      "--to-v3",
    );
    await site.cluster.kubectl([
      "-n",
      site.namespace,
      "patch",
      "secret",
      site.object,
      "--type",
      "merge",
      "-p",
      '{"stringData":{"next_build":"5"}}',
    ]);
    await ends(
      await start(site, 5, ["true"]),
      15,
      "somebody added the key next_build",
      '"path":"/data/next_build"',
    );
    const migrated = await site.call("boss", ["migrate", "deploy"]);
    assertEquals(migrated.code, 15, migrated.stderr);
    assertStringIncludes(migrated.stderr, '"path":"/data/next_build"');
  }));

Deno.test("a build of another CI, or a run of another repository, takes no run's turn, whatever its number is", () =>
  withLock(async (site) => {
    await v3Secret(site, 5);
    const jenkins = {
      JENKINS_URL: "https://ci.acme.test/",
      JOB_NAME: "deploy",
      BUILD_NUMBER: "5",
      GIT_URL: "https://github.com/acme/shop.git",
      K8S_LOCK_SCOPE: "global",
      K8S_LOCK_LOG_FORMAT: "text",
    };
    const object = ["--object", site.object];
    const ops = { ...ofRun(5), K8S_LOCK_SCOPE: "", GITHUB_REPOSITORY: "acme/ops" };
    for (
      const [who, env, args] of [
        ["jenkins", jenkins, ["deploy"]],
        ["jenkins", jenkins, object],
        ["ops", ops, object],
      ] as const
    ) {
      const built = await site.call(who, ["run", ...args, "--", "true"], { env });
      assertEquals(built.code, 2, built.stderr);
      assertStringIncludes(built.stderr, "GITHUB_RUN_NUMBER");
    }
    assertEquals(await stands(site), { next: "5", lock: null });
  }));
