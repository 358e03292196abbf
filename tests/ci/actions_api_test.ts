import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { actionsApi, actionsApiIn, workflowFile } from "../../lib/ci/actions_api.ts";
import type { ActionsApi, Fate, JobReference } from "../../lib/ci/actions_api.ts";
import { apiAddress } from "../../lib/ci/actions_request.ts";
import {
  abandonedJob,
  actionsApiServer,
  apiJob,
  jobsOf,
  runningJob,
} from "../support/actions_api.ts";
import type { ActionsApiServer, ApiAnswer } from "../support/actions_api.ts";

const TOKEN = "ghs_secret";

interface Setting {
  readonly server: ActionsApiServer;
  readonly api: ActionsApi;
  readonly job: JobReference;
}

async function withApi(
  answer: (path: string) => ApiAnswer,
  use: (setting: Setting) => Promise<void>,
): Promise<void> {
  await using server = await actionsApiServer(answer);
  const api = actionsApi({ url: server.url, token: TOKEN, version: "0", requestMs: 500 });
  const job: JobReference = {
    api: server.url,
    repository: "acme/shop",
    run_id: "7",
    run_attempt: 1,
    check_run_id: "100",
    runner_name: "runner-1",
  };
  await use({ server, api, job });
}

function short(fate: Fate): string {
  return fate.kind === "over" ? `over by ${fate.by}` : fate.kind;
}

Deno.test("a job is asked about by its check run's id, in one request with the token", async () => {
  await withApi(jobsOf(apiJob()), async ({ server, api, job }) => {
    assertEquals(short(await api.job(job)), "over by runner");
    assertEquals(server.asked, ["/api/v3/repos/acme/shop/actions/jobs/100"]);
    assertEquals([...server.tokens], [`Bearer ${TOKEN}`]);
  });
});

for (
  const [what, job, answer] of [
    ["that its runner finished is over, by the runner", apiJob(), "over by runner"],
    [
      "that failed in its runner's hands is over, by the runner",
      apiJob({ conclusion: "failure" }),
      "over by runner",
    ],
    ["in progress is not over", runningJob(), "not_over"],
    ["in the queue is not over", runningJob({ status: "queued" }), "not_over"],
    ["whose runner was lost is over, but not by the runner", abandonedJob(), "over by server"],
    [
      "without steps is over, but not by the runner",
      apiJob({ steps: undefined }),
      "over by server",
    ],
    [
      "whose own step is called as the runner's last one was not finished by the runner",
      apiJob({
        steps: [
          { name: "Complete job", status: "completed", conclusion: "success", number: 2 },
          { name: "Post it", status: "queued", conclusion: null, number: 3 },
        ],
      }),
      "over by server",
    ],
    ...(["skipped", "cancelled", "failure"] as const).map((conclusion) =>
      [
        `whose last step is told as ${conclusion} was not finished by the runner`,
        apiJob({
          conclusion: "cancelled",
          steps: [
            { name: "Set up job", status: "completed", conclusion: "success", number: 1 },
            { name: "Complete job", status: "completed", conclusion, number: 2 },
          ],
        }),
        "over by server",
      ] as const
    ),
    ["of another run than its entry says is no answer", apiJob({ run_id: 8 }), "unknown"],
    ["of another attempt is no answer", apiJob({ run_attempt: 2 }), "unknown"],
    [
      "of another check run is no answer",
      apiJob({ check_run_url: "https://api.github.com/repos/acme/shop/check-runs/99" }),
      "unknown",
    ],
    [
      "that ended in a way nobody knows is no answer",
      apiJob({ conclusion: "vanished" }),
      "unknown",
    ],
  ] as const
) {
  Deno.test(`a job ${what}`, async () => {
    await withApi(jobsOf(job), async ({ api, job }) => {
      assertEquals(short(await api.job(job)), answer);
    });
  });
}

Deno.test("while a re-run works, the job of the first attempt is over, and the re-run's is not", async () => {
  const jobs = jobsOf(apiJob(), runningJob({ id: 200, run_attempt: 2 }));
  await withApi(jobs, async ({ api, job }) => {
    assertEquals(short(await api.job(job)), "over by runner");
    const again = { ...job, check_run_id: "200", run_attempt: 2 };
    assertEquals(short(await api.job(again)), "not_over");
  });
});

Deno.test("where a job's id is not its check run's, the attempt's list tells which it is", async () => {
  const job = apiJob({
    id: 5,
    check_run_url: "https://api.github.com/repos/acme/shop/check-runs/100",
  });
  await withApi(jobsOf(job), async ({ server, api, job }) => {
    assertEquals(short(await api.job(job)), "over by runner");
    assertEquals(server.asked.length, 2);
  });
});

for (
  const [what, jobs, answer] of [
    [
      "is over when all of its jobs are, but never by the runner's word",
      [apiJob()],
      "over by server",
    ],
    [
      "that has another leg now is not over",
      [apiJob(), runningJob({ id: 101 })],
      "not_over",
    ],
    ["is not mixed up with another runner", [runningJob({ runner_name: "runner-2" })], "unknown"],
    [
      "is not found among jobs of an earlier attempt that a re-run of failed ones lists",
      [apiJob({ run_attempt: 2 })],
      "unknown",
    ],
    [
      "is no answer while some job in progress has no runner in the list",
      [apiJob(), runningJob({ id: 101, runner_name: null })],
      "unknown",
    ],
    ["is no answer when nothing is listed", [], "unknown"],
  ] as const
) {
  Deno.test(`a runner ${what}`, async () => {
    await withApi(jobsOf(...jobs), async ({ api, job }) => {
      assertEquals(short(await api.job({ ...job, check_run_id: null })), answer);
    });
  });
}

Deno.test("all pages of an attempt's jobs are read", async () => {
  const jobs = Array.from(
    { length: 150 },
    (_, i) => apiJob({ id: 1000 + i, runner_name: `r${i}` }),
  );
  const pages = (path: string): ApiAnswer => {
    const page = Number(/page=(\d+)$/.exec(path)?.[1]);
    return {
      body: { total_count: jobs.length, jobs: jobs.slice((page - 1) * 100, page * 100) },
    };
  };
  await withApi(pages, async ({ server, api, job }) => {
    const fate = await api.job({ ...job, check_run_id: null, runner_name: "r149" });
    assertEquals(short(fate), "over by server");
    assertEquals(server.asked.length, 2);
  });
});

const html = { headers: { "content-type": "text/html" }, body: "<h1>completed</h1>" };
for (
  const [what, answer] of [
    ["301", { status: 301, headers: { location: "/elsewhere" }, body: apiJob() }],
    ["302 to another host", {
      status: 302,
      headers: { location: "http://127.0.0.1:9/" },
      body: apiJob(),
    }],
    ["401", { status: 401, body: apiJob() }],
    ["403", { status: 403, body: apiJob() }],
    ["404", { status: 404, body: apiJob() }],
    ["410", { status: 410, body: apiJob() }],
    ["429", { status: 429, body: apiJob() }],
    ["500", { status: 500, body: apiJob() }],
    ["502", { status: 502, ...html }],
    ["204", { status: 204, body: "" }],
    ["200 with HTML", html],
    ["200 with nothing", { body: "" }],
    ["200 with null", { body: "null" }],
    ["200 with a list", { body: [apiJob()] }],
    ["200 with a job cut off", { body: JSON.stringify(apiJob()).slice(0, -9) }],
    ["200 with an id that is no number", { body: apiJob({ run_id: "7" }) }],
    ["200 with 9 MB", { body: " ".repeat(9 * 1024 * 1024) + JSON.stringify(apiJob()) }],
    ["silence", "silent"],
  ] as const
) {
  Deno.test(`${what} is never taken for an answer about a job or a run`, async () => {
    await withApi(() => answer, async ({ server, api, job }) => {
      for (
        const fate of [
          await api.job(job),
          await api.run({ repository: "acme/shop", workflow: "deploy.yml", number: 3 }),
        ]
      ) {
        assertEquals(fate.kind, "unknown");
        assert(!fate.why.includes(TOKEN) && !fate.why.includes("<"), fate.why);
      }
      assert(server.asked.every((path) => path.startsWith("/api/v3/repos/acme/shop/")));
    });
  });
}

Deno.test("nobody there is no answer", async () => {
  let url = "";
  await withApi(() => "silent", ({ server }) => Promise.resolve(void (url = server.url)));
  const api = actionsApi({ url, token: TOKEN, version: "0" });
  const job = {
    api: url,
    repository: "acme/shop",
    run_id: "7",
    run_attempt: 1,
    check_run_id: "1",
    runner_name: null,
  };
  assertEquals((await api.job(job)).kind, "unknown");
});

for (
  const [what, headers, leastMs] of [
    ["retry-after", { "retry-after": "90" }, 90_000],
    [
      "the end of the rate limit",
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1090" },
      90_000,
    ],
    ["no more than its status", {}, 60_000],
  ] as const
) {
  Deno.test(`one that is told to wait by ${what} sends nothing before that`, async () => {
    await using server = await actionsApiServer(() => ({ status: 429, headers, body: {} }));
    let [wall, monotonic] = [1_000_000, 5000];
    const clocks = { now: () => wall, monotonic: () => monotonic };
    const api = actionsApi({ url: server.url, token: TOKEN, version: "0", ...clocks });
    const run = { repository: "acme/shop", workflow: "deploy.yml", number: 3 };
    const first = await api.run(run);
    assert(first.kind === "unknown" && (first.retryAfterMs ?? 0) >= leastMs);
    monotonic += leastMs - 1;
    assertEquals((await api.run(run)).kind, "unknown");
    assertEquals(server.asked.length, 1);
    // Whatever the wall clock is set to meanwhile.
    wall = 0;
    monotonic += 2000;
    await api.run(run);
    assertEquals(server.asked.length, 2);
  });
}

Deno.test("the last answer that the rate limit allowed is used, and none is asked for after it", async () => {
  const headers = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999" };
  await withApi(() => ({ headers, body: apiJob() }), async ({ server, api, job }) => {
    assertEquals(short(await api.job(job)), "over by runner");
    const second = await api.job(job);
    assert(second.kind === "unknown" && second.retryAfterMs !== undefined);
    assertEquals(server.asked.length, 1);
  });
});

Deno.test("a job on another GitHub is not asked about: the token goes to one's own alone", async () => {
  await withApi(jobsOf(apiJob()), async ({ server, api, job }) => {
    for (const other of ["https://ghe.acme.test/api/v3", "https://api.github.com", "nonsense"]) {
      const fate = await api.job({ ...job, api: other });
      assertEquals(fate.kind, "unknown");
      assertStringIncludes(fate.why, "another GitHub");
    }
    assertEquals(server.asked, []);
  });
});

for (const repository of ["../..", "acme/..", "acme", "acme/shop/x", "acme/s hop", "a?b/c", ""]) {
  Deno.test(`the entry's repository "${repository}" leads nowhere`, async () => {
    await withApi(jobsOf(apiJob()), async ({ server, api, job }) => {
      assertEquals((await api.job({ ...job, repository })).kind, "unknown");
      assertEquals(server.asked, []);
    });
  });
}

Deno.test("without a token nobody is asked, and that is said", async () => {
  const fate = await actionsApiIn({}, "0").run({ repository: "a/b", workflow: "c.yml", number: 1 });
  assertEquals(fate.kind, "unknown");
  assertStringIncludes(fate.why, "K8S_LOCK_GITHUB_TOKEN");
  const odd = actionsApiIn({ K8S_LOCK_GITHUB_TOKEN: "two words" }, "0");
  assertStringIncludes(
    (await odd.run({ repository: "a/b", workflow: "c.yml", number: 1 })).why,
    "no token",
  );
});

Deno.test("a token is sent to https addresses only, and to this very machine", () => {
  assertEquals(apiAddress("https://ghe.acme.test/api/v3/"), "https://ghe.acme.test/api/v3");
  assertEquals(apiAddress("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
  for (const url of ["http://ghe.acme.test", "ftp://x", "x", "https://u:p@x", "https://x/?a=b"]) {
    assertEquals(apiAddress(url), null);
  }
});

/** Runs `newest` down to 1, the deleted ones left out, in pages of a hundred. */
function runsOf(
  newest: number,
  deleted: ReadonlySet<number> = new Set(),
  change: Readonly<Record<string, unknown>> = {},
): (path: string) => ApiAnswer {
  const numbers = Array.from({ length: newest }, (_, i) => newest - i)
    .filter((number) => !deleted.has(number));
  return (path) => {
    const page = Number(/page=(\d+)$/.exec(path)?.[1]);
    const workflow_runs = numbers.slice((page - 1) * 100, page * 100)
      .map((run_number) => ({ run_number, status: "completed", conclusion: "success", ...change }));
    return { body: { total_count: numbers.length, workflow_runs } };
  };
}

for (
  const [what, change, answer] of [
    ["completed is over", {}, "over by server"],
    ["cancelled is over", { conclusion: "cancelled" }, "over by server"],
    ["in progress is not over", { status: "in_progress", conclusion: null }, "not_over"],
    ["waiting is not over", { status: "waiting", conclusion: null }, "not_over"],
    ["that waits for an approval is not over", { conclusion: "action_required" }, "not_over"],
    ["that ended in a way nobody knows is no answer", { conclusion: "odd" }, "unknown"],
  ] as const
) {
  Deno.test(`a run ${what}`, async () => {
    await withApi(runsOf(20, new Set(), change), async ({ server, api }) => {
      const fate = await api.run({ repository: "acme/shop", workflow: "deploy.yml", number: 12 });
      assertEquals(short(fate), answer);
      assertEquals(
        server.asked,
        ["/api/v3/repos/acme/shop/actions/workflows/deploy.yml/runs?per_page=100&page=1"],
      );
    });
  });
}

Deno.test("any run is found by its number in a few requests, however many were deleted", async () => {
  const deleted = new Set<number>();
  for (let number = 1; number < 1400; number++) if (number % 3 !== 0) deleted.add(number);
  for (const number of [1998, 1499, 1401, 900, 450, 3]) {
    await withApi(runsOf(2000, deleted), async ({ server, api }) => {
      const fate = await api.run({ repository: "acme/shop", workflow: "deploy.yml", number });
      assertEquals([number, short(fate)], [number, "over by server"]);
      assert(server.asked.length <= 6, `${server.asked.length} requests for ${number}`);
    });
  }
});

Deno.test("a run that is not listed is no answer, deleted or not there yet", async () => {
  await withApi(runsOf(300, new Set([100, 200])), async ({ api }) => {
    for (const number of [100, 200, 301, 5000]) {
      const fate = await api.run({ repository: "acme/shop", workflow: "deploy.yml", number });
      assertEquals(fate.kind, "unknown");
    }
  });
});

Deno.test("the workflow's file is that of this repository's, whatever its branch is called", () => {
  const at = (ref: string) => workflowFile(ref, "acme/shop");
  assertEquals(at("acme/shop/.github/workflows/deploy.yml@refs/heads/main"), "deploy.yml");
  assertEquals(at("Acme/Shop/.github/workflows/a b.yaml@refs/heads/x@y/z"), "a b.yaml");
  assertEquals(at("acme/other/.github/workflows/deploy.yml@refs/heads/main"), null);
  assertEquals(at("acme/shop/.github/workflows/../x.yml@main"), null);
  assertEquals(at(""), null);
});
