/**
 * Workflows run by act, a runner program of other people (github.com/nektos/act, MIT), on this machine and without Docker. It is built from Go modules
 * once, as the test cluster is.
 *
 * act is more lenient than GitHub: it sets `INPUT_*` in the steps of a composite, kills at once at a cancel and cleans nothing up at a job's
 * end. What those are about is tested with the runner beside this.
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { allProcesses, environmentOf, processStatus } from "../../../lib/host/processes.ts";
import { builtOnce, componentFolder } from "../cluster/cache.ts";
import { findGo } from "../cluster/go.ts";
import { within } from "../program.ts";
import { argumentsOf, kill } from "../sandbox.ts";
import { findNode } from "./programs.ts";

/** As in act-0.2/go.mod. */
const VERSION = "0.2.89";
const PACKAGE = "github.com/nektos/act";
const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
const MODULE = fileURLToPath(new URL("./act-0.2/", import.meta.url));

/** The program, built if need be. */
async function buildAct(): Promise<string> {
  const folder = await builtOnce(componentFolder("act", VERSION), async (into) => {
    console.error(`building act ${VERSION} from Go modules, once for this machine`);
    const module = join(into, "module");
    await cp(MODULE, module, { recursive: true });
    const go = await findGo();
    const flags = ["-trimpath", "-ldflags", "-s -w", "-o", join(into, "act")];
    await go.run(["build", ...flags, PACKAGE], module);
    await rm(module, { recursive: true });
  });
  return join(folder, "act");
}

/** How a workflow's run ended. */
export interface WorkflowEnd {
  /** 0: all jobs succeeded. */
  readonly code: number;
  readonly log: string;
}

/** A repository with one workflow, on a machine of its own. Its workflows use the action as `acme/k8s-lock@v4`. */
export class Workflow implements AsyncDisposable {
  private constructor(readonly folder: string, private readonly act: string) {}

  static async create(text: string): Promise<Workflow> {
    const act = await buildAct();
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-act-"));
    const workflows = join(folder, "repository", ".github", "workflows");
    for (const each of [workflows, join(folder, "home")]) await mkdir(each, { recursive: true });
    await writeFile(join(workflows, "deploy.yml"), text);
    const repository = join(folder, "repository");
    const author = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
    for (
      const args of [
        ["init", "--quiet", "--initial-branch=main"],
        ["remote", "add", "origin", "https://github.com/Acme/Shop.git"],
        [...author, "commit", "--quiet", "--allow-empty", "-m", "one"],
      ]
    ) {
      const { success } = await new Deno.Command("git", { args, cwd: repository }).output();
      if (!success) throw new Error(`git ${args.join(" ")} failed`);
    }
    await copyAction(join(folder, "action"));
    return new Workflow(folder, act);
  }

  /** Runs it to its end. */
  async run(secrets: Readonly<Record<string, string>>): Promise<WorkflowEnd> {
    const { folder } = this;
    const node = dirname(await findNode());
    const args = [
      ...["push", "--no-cache-server", "--concurrent-jobs", "4"],
      ...["-P", "ubuntu-latest=-self-hosted"],
      ...["--local-repository", `acme/k8s-lock@v4=${join(folder, "action")}`],
      ...Object.keys(secrets).flatMap((name) => ["--secret", name]),
    ];
    const child = spawn(this.act, args, {
      cwd: join(folder, "repository"),
      env: {
        PATH: `${node}${delimiter}${process.env["PATH"]}`,
        HOME: join(folder, "home"),
        ...secrets,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => log += text);
    }
    const closed = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 137));
    });
    try {
      return { code: await within(closed, () => `the end of act\n${log}`), log };
    } finally {
      kill(child.pid ?? 0, "SIGKILL");
    }
  }

  /** The processes of its jobs that live. */
  get left(): readonly string[] {
    return this.#processes().map(argumentsOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#processes()) kill(pid, "SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  #processes(): number[] {
    return allProcesses().filter((pid) =>
      processStatus(pid)?.zombie === false &&
      environmentOf(pid).includes(`RUNNER_TEMP=${this.folder}/`)
    );
  }
}

/** The action's files. act does not know `$/`, this repository at this commit: the full name stands there instead. */
async function copyAction(to: string): Promise<void> {
  await mkdir(to);
  for (const part of ["action", "post"]) {
    await cp(join(PROJECT, part), join(to, part), { recursive: true });
  }
  const text = await readFile(join(PROJECT, "action.yml"), "utf8");
  if (!text.includes("uses: $/post")) throw new Error("action.yml does not use $/post");
  await writeFile(
    join(to, "action.yml"),
    text.replace("uses: $/post", "uses: acme/k8s-lock/post@v4"),
  );
}
