/**
 * Five local jobs that take turns, one of which is killed in the middle: `deno task demo`. Nothing but Deno is needed; everything
 * that it starts and writes is gone afterwards.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";

const JOBS = ["red", "green", "yellow", "blue", "magenta"] as const;
/** The shortest there is: so long the killed job's place stays closed. */
const TTL = "5s";
/** The job that is killed while it holds. */
const KILLED = "green";

const folder = mkdtempSync(join(tmpdir(), "k8s-lock-demo-"));
const main = join(import.meta.dirname ?? ".", "..", "main.ts");
const began = performance.now();

function say(job: (typeof JOBS)[number], text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
  console.log(`${seconds} s  ${styleText(job, job.padEnd(8))} ${text}`);
}

/** The work of a job: says that it is there, for a second. */
const WORK = `
console.log("WORKING");
setTimeout(() => console.log("DONE"), Number(Deno.args[0]));
`;

/** Resolves when the job is over; rejects when it failed, but for the one that is killed. */
function start(job: (typeof JOBS)[number]): Promise<void> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "-q", main, "run", "demo", "--local"],
      ...["--local-path", join(folder, "locks.db"), "--ttl", TTL],
      ...["--holder", `job ${job}`, "--log-format", "json", "--"],
      ...[Deno.execPath(), "eval", WORK, "--", job === KILLED ? "60000" : "1000"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  const out = lines(process.stdout, (line) => {
    if (line === "WORKING") say(job, styleText("bold", "█████ has the lock and works"));
    if (line === "WORKING" && job === KILLED) {
      setTimeout(() => {
        say(job, styleText("bold", "✗ is killed with SIGKILL in the middle of its work"));
        process.kill("SIGKILL");
      }, 500);
    }
    if (line === "DONE") say(job, "      is done and gives it back");
  });
  const said: string[] = [];
  const err = lines(process.stderr, (line) => {
    const message = messageOf(line);
    said.push(message);
    if (/^waiting for/.test(message)) say(job, styleText("dim", message));
    if (/was silent for/.test(message)) say(job, message);
  });
  return Promise.all([out, err, process.status]).then(([, , { success }]) => {
    if (!success && job !== KILLED) throw new Error(`job ${job} failed:\n${said.join("\n")}`);
  });
}

function messageOf(line: string): string {
  try {
    return JSON.parse(line).message ?? "";
  } catch {
    return line;
  }
}

async function lines(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of stream) {
    const all = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = all.pop() ?? "";
    all.forEach(take);
  }
}

console.log(`
Five jobs want the lock "demo" of this machine at once. One at a time has it, in the order in which they came.
The job "${KILLED}" is killed while it works: when it was silent for its TTL of ${TTL}, the next one goes on.
`);
try {
  const jobs: Promise<void>[] = [];
  for (const job of JOBS) {
    jobs.push(start(job));
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  await Promise.all(jobs);
  console.log(`
All five are through, and nobody freed anything by hand. Try it yourself:
  deno run -A main.ts run deploy --local -- sleep 10     (in two terminals)
`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
