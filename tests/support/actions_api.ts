/** A stand-in for GitHub's Actions API on loopback, which answers as a test says. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

/** What it answers; `silent` accepts the request and says nothing. */
export type ApiAnswer =
  | {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body: unknown;
  }
  | "silent";

/** A running stand-in. */
export interface ActionsApiServer extends AsyncDisposable {
  /** What `GITHUB_API_URL` is to be. */
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** The `authorization` headers that came. */
  readonly tokens: Set<string>;
  /** Says what is answered from now on. */
  answer: (path: string) => ApiAnswer;
  /** Resolves with the next path that is asked for. */
  nextAsked(): Promise<string>;
}

/** Starts one. */
export async function actionsApiServer(
  answer: (path: string) => ApiAnswer,
): Promise<ActionsApiServer> {
  const asked: string[] = [];
  const tokens = new Set<string>();
  let waiting: ((path: string) => void)[] = [];
  const server = http.createServer((request, response) => {
    const path = request.url ?? "";
    request.resume();
    response.on("error", () => {});
    asked.push(path);
    tokens.add(request.headers.authorization ?? "none");
    for (const tell of waiting.splice(0)) tell(path);
    const given = api.answer(path);
    if (given === "silent") return;
    const text = typeof given.body === "string" ? given.body : JSON.stringify(given.body);
    response.writeHead(given.status ?? 200, {
      "content-type": "application/json",
      ...given.headers,
    });
    response.end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const api: ActionsApiServer = {
    url: `http://127.0.0.1:${port}/api/v3`,
    asked,
    tokens,
    answer,
    nextAsked: () => new Promise((resolve) => waiting = [...waiting, resolve]),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return api;
}

/** A job as the API tells it: of run 7, attempt 1, check run 100, finished by its runner unless said otherwise. */
export function apiJob(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const id = typeof change["id"] === "number" ? change["id"] : 100;
  return {
    id,
    run_id: 7,
    run_attempt: 1,
    check_run_url: `https://api.github.com/repos/acme/shop/check-runs/${id}`,
    name: "deploy (eu)",
    runner_name: "runner-1",
    status: "completed",
    conclusion: "success",
    steps: [
      { name: "Set up job", status: "completed", conclusion: "success", number: 1 },
      { name: "Run ./deploy.sh", status: "completed", conclusion: "success", number: 2 },
      { name: "Complete job", status: "completed", conclusion: "success", number: 5 },
    ],
    ...change,
  };
}

/** A job that goes on. */
export function runningJob(
  change: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return apiJob({
    status: "in_progress",
    conclusion: null,
    steps: [
      { name: "Set up job", status: "completed", conclusion: "success", number: 1 },
      { name: "Run ./deploy.sh", status: "in_progress", conclusion: null, number: 2 },
    ],
    ...change,
  });
}

/** A job whose runner was lost: the server ended it, its steps stand as they stood. */
export function abandonedJob(
  change: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return runningJob({ status: "completed", conclusion: "failure", ...change });
}

/** Answers the two questions about jobs from a list of them; anything else with 404. */
export function jobsOf(...jobs: readonly Readonly<Record<string, unknown>>[]) {
  return (path: string): ApiAnswer => {
    const id = /\/repos\/acme\/shop\/actions\/jobs\/(\d+)$/.exec(path)?.[1];
    const one = jobs.find((job) => String(job["id"]) === id);
    if (one !== undefined) return { body: one };
    const list = /\/repos\/acme\/shop\/actions\/runs\/7\/attempts\/(\d+)\/jobs\?/.exec(path);
    if (list !== null) return { body: { total_count: jobs.length, jobs } };
    return { status: 404, body: { message: "Not Found" } };
  };
}

/** The variables of a job of GitHub, run 7, whose check run is 100. Its lock is everybody's. */
export function jobOn(server: ActionsApiServer): Record<string, string> {
  return {
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_RUN_ID: "7",
    GITHUB_RUN_NUMBER: "42",
    GITHUB_RUN_ATTEMPT: "1",
    GITHUB_JOB: "deploy",
    GITHUB_API_URL: server.url,
    RUNNER_NAME: "runner-1",
    K8S_LOCK_SCOPE: "global",
    K8S_LOCK_CHECK_RUN_ID: "100",
  };
}
