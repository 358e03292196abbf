/** Processes that live as long as the soak, on a lock of their own: whose memory must not grow. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Program, within } from "../support/program.ts";
import { once } from "node:events";

/** What one process took, in MiB: the median of the first quarter of the time, and of the last. */
export interface Memory {
  readonly who: string;
  readonly first: number;
  readonly last: number;
}

/** From when on it is steady: what is loaded late is loaded by then, in milliseconds. */
const SETTLED_MS = 20_000;

/** A holder and two waiters of the lock `calm`, and the renewer of an `acquire` of `calm-too`. */
export class CalmLock implements AsyncDisposable {
  readonly violations: string[] = [];
  readonly #samples = new Map<string, { readonly atMs: number; readonly mib: number }[]>();
  readonly #startedAt = performance.now();
  readonly #sampler: ReturnType<typeof setInterval>;

  private constructor(
    readonly folder: string,
    readonly env: Record<string, string>,
    readonly programs: ReadonlyMap<string, Program>,
    readonly renewer: number,
  ) {
    const pids = new Map([...programs].map(([who, { pid }]) => [who, pid]));
    pids.set("the renewer of an acquire", renewer);
    this.#sampler = setInterval(() => {
      for (const [who, pid] of pids) this.#sample(who, pid);
    }, 1000);
  }

  static async begin(folder: string, kubeconfig: string): Promise<CalmLock> {
    await mkdir(join(folder, "state"), { recursive: true, mode: 0o700 });
    const env = {
      HOME: folder,
      K8S_LOCK_STATE_DIR: join(folder, "state"),
      KUBECONFIG: kubeconfig,
      // What nobody needs any more is collected when this is full. With all of the machine's memory to fill V8 lets it lie for an hour, and
      // that looks like a leak: some 28 kB for each connection that is cut.
      DENO_V8_FLAGS: "--max-old-space-size=96",
    };
    const ttl = ["--ttl", "2m"];
    const acquired = await new Program(["acquire", "calm-too", ...ttl, "-o", "json"], { env })
      .closed;
    if (acquired.code !== 0) throw new Error(`no calm lock: ${acquired.stderr}`);
    const work = ["sh", "-c", 'while [ ! -e "$1" ]; do sleep 1; done', "sh", join(folder, "gate")];
    const programs = new Map<string, Program>();
    for (const who of ["a holder", "a waiter", "another waiter"]) {
      const program = new Program(["run", "calm", "-v", ...ttl, "--", ...work], { env });
      programs.set(who, program);
      // In this order.
      await program.line(programs.size === 1 ? "holds calm" : "waiting for calm");
    }
    return new CalmLock(folder, env, programs, await renewerIn(folder));
  }

  /** All of them take their turns and end; resolves with what they took. */
  async end(): Promise<Memory[]> {
    clearInterval(this.#sampler);
    await writeFile(join(this.folder, "gate"), "");
    for (const [who, program] of this.programs) {
      const { code, stderr } = await within(program.closed, () => `the end of ${who}`, 300_000);
      if (code !== 0) this.violations.push(`${who} of the calm lock ended with ${code}: ${stderr}`);
    }
    const released = await new Program(["release", "calm-too"], { env: this.env }).closed;
    if (released.code !== 0) this.violations.push(`the calm acquire was lost: ${released.stderr}`);
    return [...this.#samples].map(([who, samples]) => {
      const end = samples.at(-1)?.atMs ?? 0;
      const quarter = (end - SETTLED_MS) / 4;
      const between = (from: number, to: number) =>
        median(samples.filter(({ atMs }) => atMs >= from && atMs <= to).map(({ mib }) => mib));
      return {
        who,
        first: between(SETTLED_MS, SETTLED_MS + quarter),
        last: between(end - quarter, end),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sampler);
    await Promise.all([...this.programs.values()].map((one) => one[Symbol.asyncDispose]()));
  }

  #sample(who: string, pid: number): void {
    const mib = memoryOf(pid);
    if (mib === null) return;
    const samples = this.#samples.get(who) ?? [];
    samples.push({ atMs: performance.now() - this.#startedAt, mib });
    this.#samples.set(who, samples);
  }
}

/** What is resident and its own, in MiB. */
function memoryOf(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? NaN) / 1024;
  } catch {
    return null;
  }
}

async function renewerIn(folder: string): Promise<number> {
  const find = spawn("find", [join(folder, "state"), "-name", "*.json"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let found = "";
  find.stdout.setEncoding("utf8").on("data", (text: string) => found += text);
  await once(find, "close");
  const state = JSON.parse(await readFile(found.trim(), "utf8")) as {
    readonly renewer_pid: number;
  };
  return state.renewer_pid;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}
