/**
 * A small runner for one job of GitHub Actions, with the ways of the real one that matter to a lock, read in the source of actions/runner
 * 2.336: a composite step gets no `INPUT_*`; at a cancel only the step's first process is told (SIGINT, after 7.5 s SIGTERM, after 2.5 s more
 * it is killed); the conditions of the composite's other steps are asked again then; a nested action's post step runs at the job's end with
 * its saved state and with whatever environment the job has by then; at last everything that carries the job's tracking id is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { allProcesses, environmentOf, processStatus } from "../../../lib/host/processes.ts";
import { within } from "../program.ts";
import { argumentsOf, eventually, kill } from "../sandbox.ts";
import { expand, isMet } from "./expressions.ts";
import { denoFolder, findNode } from "./programs.ts";

const ACTION = fileURLToPath(new URL("../../../", import.meta.url));

/** What the runner sends at a cancel, and how long it waits after each, in milliseconds. */
const CANCEL = [["SIGINT", 7500], ["SIGTERM", 2500]] as const;

/** A renewer that was told to stop looks for that once a second. */
const ALONE_MS = 10_000;

interface ActionStep {
  readonly name: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface ActionFile {
  readonly inputs?: Readonly<Record<string, { readonly default?: string }>>;
  readonly outputs?: Readonly<Record<string, { readonly value?: string }>>;
  readonly runs: {
    readonly using: string;
    readonly steps?: readonly ActionStep[];
    readonly main?: string;
    readonly post?: string;
  };
}

type Outputs = Readonly<Record<string, string>>;

/** How a step of the job ended. */
export interface StepEnd {
  readonly result: "success" | "failure" | "cancelled";
  readonly outputs: Outputs;
  /** What it and all in it wrote, workflow commands included. */
  readonly log: string;
}

interface Post {
  readonly script: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly state: Outputs;
}

/** How a job's environment differs from the usual. */
export interface JobOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A program that starts the steps' processes, in the place of the runner's own process for the job. */
  readonly by?: readonly string[];
}

/** One job on a machine of its own, as far as a process can tell. */
export class JobRunner implements AsyncDisposable {
  readonly #trackingId = `github_${randomUUID()}`;
  readonly #posts: Post[] = [];
  /** What the job's steps have put into the environment of the later ones. */
  readonly #exported: Record<string, string> = {};
  readonly #paths: string[] = [];
  #log = "";
  readonly #listeners = new Set<() => void>();
  #current: { readonly child: ChildProcess; readonly ended: Promise<number> } | null = null;
  #cancelled = false;
  #failed = false;
  #summary = "";
  readonly #killed: string[] = [];

  private constructor(
    readonly folder: string,
    readonly node: string,
    readonly env: Readonly<Record<string, string>>,
    readonly by: readonly string[],
  ) {}

  static async start({ env = {}, by = [] }: JobOptions = {}): Promise<JobRunner> {
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-job-"));
    for (const name of ["_temp", "home", "work"]) await mkdir(join(folder, name));
    return new JobRunner(folder, await findNode(), env, by);
  }

  /** The runner's folder for what a job needs no longer than it lasts. */
  get temp(): string {
    return join(this.folder, "_temp");
  }

  /** The Markdown of the job's summary so far. */
  get summary(): string {
    return this.#summary;
  }

  /** Resolves once the job has written this. */
  async says(what: string): Promise<void> {
    const said = Promise.withResolvers<void>();
    const look = () => this.#log.includes(what) && said.resolve();
    this.#listeners.add(look);
    look();
    await within(said.promise, () => `${what} in\n${this.#log}`)
      .finally(() => this.#listeners.delete(look));
  }

  /** Uses the action. */
  async use(inputs: Readonly<Record<string, string>>): Promise<StepEnd> {
    const action = readAction(join(ACTION, "action.yml"));
    const known = action.inputs ?? {};
    for (const name of Object.keys(inputs)) {
      if (!(name in known)) throw new Error(`the action has no input ${name}`);
    }
    const from = this.#log.length;
    const given = Object.fromEntries(
      Object.entries(known).map(([name, input]) => [name, inputs[name] ?? input.default ?? ""]),
    );
    const outputs = new Map<string, Outputs>();
    let result: StepEnd["result"] = "success";
    const scope = () => ({
      look: (path: string) => lookUp(path, given, outputs),
      status: result,
      cancelled: this.#cancelled,
    });
    for (const step of action.runs.steps ?? []) {
      if (!isMet(step.if, scope())) continue;
      this.#write(`##[group]${step.name}\n`);
      const env = Object.fromEntries(
        Object.entries(step.env ?? {}).map(([name, value]) => [name, expand(`${value}`, scope())]),
      );
      const end = step.uses === undefined
        ? await this.#script(step.run ?? "", { ...env, GITHUB_ACTION_PATH: ACTION })
        : await this.#nested(step.uses, step.with ?? {});
      outputs.set(step.id ?? step.name, end.outputs);
      if (end.code === 0 && !end.cancelled) continue;
      if (result === "success") result = end.cancelled ? "cancelled" : "failure";
    }
    const got = Object.entries(action.outputs ?? {}).map(([name, { value = "" }]) =>
      [name, expand(value, scope())] as const
    );
    return { result, outputs: Object.fromEntries(got), log: this.#log.slice(from) };
  }

  /** A `run:` step of the job. */
  async run(script: string): Promise<StepEnd> {
    const from = this.#log.length;
    const { code, cancelled, outputs } = await this.#script(script, {});
    const result = cancelled ? "cancelled" : code === 0 ? "success" : "failure";
    return { result, outputs, log: this.#log.slice(from) };
  }

  /** What somebody does who presses Cancel: ends the step under way as the runner does. Returns when its first process is gone. */
  async cancel(): Promise<void> {
    this.#cancelled = true;
    const current = this.#current;
    if (current === null) return;
    for (const [signal, patienceMs] of CANCEL) {
      signalTo(current.child, signal);
      if (await isOver(current.ended, patienceMs)) return;
    }
    signalTo(current.child, "SIGKILL");
    await current.ended;
  }

  /** The job's end: the post steps, the last one first, then the death of all that is left. */
  async end(): Promise<{ readonly result: "success" | "failure"; readonly log: string }> {
    const from = this.#log.length;
    let result: "success" | "failure" = "success";
    for (const { script, inputs, state } of this.#posts.splice(0).reverse()) {
      const saved = Object.fromEntries(
        Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]),
      );
      // A job that was cancelled runs its post steps all the same, and nobody signals them.
      const { code } = await this.#process(this.node, [script], {
        ...saved,
        // Evaluated again, with what `job` is by now.
        ...this.#inputs(inputs),
      });
      if (code !== 0) result = "failure";
    }
    const alone = eventually("", () => this.left.length === 0).then(() => true);
    await isOver(alone, ALONE_MS);
    this.#killed.push(...this.left);
    await this.#killLeft();
    return { result, log: this.#log.slice(from) };
  }

  /** Those that did not end by themselves after the post steps: on another runner they might live on. */
  get killed(): readonly string[] {
    return this.#killed;
  }

  /** The processes of the job that live, by what they were started with. */
  get left(): readonly string[] {
    return this.#processes().map(argumentsOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#killLeft();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #nested(
    uses: string,
    inputs: Readonly<Record<string, string>>,
  ): Promise<ProcessEnd> {
    const folder = join(ACTION, uses.replace(/^\$\//, ""));
    const { runs } = readAction(join(folder, "action.yml"));
    const state: Record<string, string> = {};
    // Registered when the main begins, whatever becomes of that.
    if (runs.post !== undefined) {
      this.#posts.push({ script: join(folder, runs.post), inputs, state });
    }
    const end = await this.#process(
      this.node,
      [join(folder, runs.main ?? "")],
      this.#inputs(inputs),
    );
    Object.assign(state, end.state);
    return end;
  }

  #inputs(inputs: Readonly<Record<string, string>>): Record<string, string> {
    const status = this.#cancelled ? "cancelled" : this.#failed ? "failure" : "success";
    const scope = {
      look: (path: string) => path === "job.status" ? status : lookUp(path, {}, new Map()),
      status: "success",
      cancelled: false,
    } as const;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, value]) =>
        [`INPUT_${name.toUpperCase()}`, expand(value, scope)] as const
      ),
    );
  }

  async #script(text: string, env: Readonly<Record<string, string>>): Promise<ProcessEnd> {
    const file = join(this.temp, `${randomUUID()}.sh`);
    writeFileSync(file, text);
    const bash = ["--noprofile", "--norc", "-e", "-o", "pipefail", file];
    return await this.#process("bash", bash, env);
  }

  async #process(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<ProcessEnd> {
    const files = Object.fromEntries(
      ["OUTPUT", "ENV", "PATH", "STATE", "STEP_SUMMARY"].map((name) => {
        const path = join(this.temp, `${name.toLowerCase()}_${randomUUID()}`);
        writeFileSync(path, "");
        return [`GITHUB_${name}`, path];
      }),
    );
    const [program = "", ...rest] = [...this.by, command, ...args];
    const child = spawn(program, rest, {
      cwd: join(this.folder, "work"),
      env: { ...this.#environment(), ...env, ...files },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const cancelledBefore = this.#cancelled;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#write(text));
    }
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const ended = new Promise<number>((resolve) => {
      child.once("error", () => resolve(127));
      child.once("exit", (code) => resolve(code ?? 137));
    });
    this.#current = { child, ended };
    const code = await within(ended, () => `the end of ${command} ${args.join(" ")}\n${this.#log}`);
    this.#current = null;
    // A step whose output somebody else keeps open is not waited for longer.
    await isOver(closed, 5000);
    const read = (name: string) => readFileSync(files[`GITHUB_${name}`] ?? "", "utf8");
    Object.assign(this.#exported, pairs(read("ENV")));
    this.#paths.unshift(...read("PATH").split("\n").filter((line) => line !== ""));
    this.#summary += read("STEP_SUMMARY");
    const cancelled = this.#cancelled && !cancelledBefore;
    this.#failed ||= code !== 0;
    return { code, cancelled, outputs: pairs(read("OUTPUT")), state: pairs(read("STATE")) };
  }

  #environment(): Record<string, string> {
    const { PATH = "", ...exported } = this.#exported;
    return {
      HOME: join(this.folder, "home"),
      DENO_DIR: denoFolder(),
      DENO_NO_UPDATE_CHECK: "1",
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_REPOSITORY: "acme/shop",
      GITHUB_WORKFLOW: "Deploy",
      GITHUB_JOB: "deploy",
      GITHUB_RUN_ID: "1001",
      GITHUB_RUN_NUMBER: "42",
      GITHUB_RUN_ATTEMPT: "1",
      GITHUB_ACTOR: "octocat",
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_EVENT_NAME: "push",
      RUNNER_NAME: this.#trackingId,
      RUNNER_OS: "Linux",
      RUNNER_TEMP: this.temp,
      RUNNER_TRACKING_ID: this.#trackingId,
      ...this.env,
      ...exported,
      PATH: [...this.#paths, PATH || (process.env["PATH"] ?? "")].join(delimiter),
    };
  }

  #write(text: string): void {
    this.#log += text;
    for (const listener of [...this.#listeners]) listener();
  }

  #processes(): number[] {
    return allProcesses().filter((pid) =>
      pid !== process.pid && processStatus(pid)?.zombie === false &&
      environmentOf(pid).includes(`RUNNER_TRACKING_ID=${this.#trackingId}`)
    );
  }

  async #killLeft(): Promise<void> {
    await eventually("the end of the job's processes", () => {
      const left = this.#processes();
      for (const pid of left) kill(pid, "SIGKILL");
      return left.length === 0;
    });
  }
}

interface ProcessEnd {
  readonly code: number;
  readonly cancelled: boolean;
  readonly outputs: Outputs;
  readonly state: Outputs;
}

/** The pairs of a file that steps write: `name=value`, or `name<<END` with lines up to `END`. */
function pairs(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lines = text.split("\n");
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name, end] = /^([^=<]+)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && end !== undefined) {
      const at = lines.indexOf(end);
      if (at < 0) throw new Error(`no ${end} after ${name}`);
      found[name] = lines.splice(0, at + 1).slice(0, -1).join("\n");
    } else if (line.includes("=")) {
      found[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    }
  }
  return found;
}

function lookUp(
  path: string,
  inputs: Readonly<Record<string, string>>,
  steps: ReadonlyMap<string, Outputs>,
): string {
  const [root, ...names] = path.split(".");
  if (root === "inputs" && names.length === 1) {
    const value = inputs[names[0] ?? ""];
    if (value === undefined) throw new Error(`the action declares no ${path}`);
    return value;
  }
  if (root === "steps" && names[1] === "outputs") {
    return steps.get(names[0] ?? "")?.[names[2] ?? ""] ?? "";
  }
  if (path === "job.check_run_id") return "";
  throw new Error(`nothing is known of ${path}`);
}

function readAction(file: string): ActionFile {
  return load(readFileSync(file, "utf8")) as ActionFile;
}

function signalTo(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) kill(child.pid ?? 0, signal);
}

async function isOver(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  return await Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}
