/**
 * A repository as a recipe's reader has it: the page's install script with a server that has the archive, and scripts to be
 * run under the lock. Its program is this project's, over a store of the test's own.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Program, Sandbox } from "../sandbox.ts";
import type { Start } from "../sandbox.ts";
import { spawn } from "node:child_process";
import { recipeFile } from "./pages.ts";

/** What the page's install script asks for. */
const ADDRESS =
  /^https:\/\/github\.com\/OWNER\/REPO\/releases\/download\/v[\d.]+\/k8s-lock-linux-(x64|arm64)\.tar\.gz$/;

/** In place of the network: gives the archive for the one right address, with curl's options of the page. */
const CURL = `#!/bin/sh
while [ $# -gt 1 ]; do
  if [ "$1" = --output ]; then output=$2; shift; fi
  shift
done
printf '%s\\n' "$1" >>"$TEST_PROJECT/addresses"
cp "$TEST_PROJECT/archive.tar.gz" "$output"
`;

/** Says that it works; the one that does the work then does what TEST_WORK says. */
const SCRIPT = `#!/bin/sh
echo "\${0##*/}" >>"$TEST_PROJECT/story"
[ "\${0##*/}" = "$TEST_WORKER" ] || exit 0
case $TEST_WORK in
  hold) sleep 600 ;;
  fail) exit 3 ;;
esac
`;

/** A clone of that repository, in a sandbox. Disposing of it ends everything that was started in it. */
export class Project implements AsyncDisposable {
  private constructor(
    readonly sandbox: Sandbox,
    readonly folder: string,
    readonly worker: string,
  ) {}

  /**
   * @param scripts what the recipe runs, beside what is its own
   * @param worker the one of them that works under the lock
   */
  static async create(scripts: readonly string[], worker: string): Promise<Project> {
    const sandbox = await Sandbox.create();
    const folder = join(sandbox.folder, "project");
    const project = new Project(sandbox, folder, worker);
    await mkdir(join(folder, "ci"), { recursive: true });
    await mkdir(project.tools);
    await project.#script(join(project.tools, "curl"), CURL);
    for (const script of scripts) await project.#script(join(folder, script), SCRIPT);
    const install = recipeFile("README.md", "ci/install-k8s-lock.sh").text;
    const hash = await project.publish();
    await writeFile(
      join(folder, "ci", "install-k8s-lock.sh"),
      install.replaceAll(/\b0{64}\b/g, hash),
    );
    return project;
  }

  /** A folder that comes first on PATH. */
  get tools(): string {
    return join(this.sandbox.folder, "tools");
  }
  get program(): string {
    return join(this.folder, ".k8s-lock", "bin", "k8s-lock");
  }

  /** Makes the archive of a release with the program in it. Returns its SHA-256. */
  async publish(): Promise<string> {
    const line = this.sandbox.line().map((word) => `'${word}'`).join(" ");
    await this.#script(join(this.sandbox.folder, "k8s-lock"), `#!/bin/sh\nexec ${line} "$@"\n`);
    const archive = join(this.sandbox.folder, "archive.tar.gz");
    const tar = new Deno.Command("tar", {
      args: ["-czf", archive, "-C", this.sandbox.folder, "k8s-lock"],
    });
    const { success } = await tar.output();
    if (!success) throw new Error("tar failed");
    return createHash("sha256").update(await readFile(archive)).digest("hex");
  }

  /** What every process of a job has, beside the product's own variables: the store, and no state folder of the test's own. */
  environment(env: Start["env"] = {}): Record<string, string> {
    const all = this.sandbox.environment({
      K8S_LOCK_STATE_DIR: undefined,
      // So that the next in line need not wait for a minute where everything was killed.
      K8S_LOCK_TTL: "5s",
      TEST_PROJECT: this.sandbox.folder,
      TEST_WORKER: this.worker,
      ...env,
    });
    return { ...all, PATH: env?.["PATH"] ?? `${this.tools}:${all["PATH"]}` };
  }

  /** Starts a process of a job in the clone, with nothing on its standard input. It is the leader of a process group. */
  start([command = "", ...args]: readonly string[], env: Start["env"] = {}): Program {
    const program = new Program(
      spawn(command, args, { env: this.environment(env), cwd: this.folder, detached: true }),
    );
    program.child.stdin?.end();
    return program;
  }

  /** What the scripts said, in order: one line each. */
  async story(): Promise<string[]> {
    const text = await readFile(join(this.sandbox.folder, "story"), "utf8").catch(() => "");
    return text.split("\n").filter(Boolean);
  }

  /** The addresses that were asked for; throws when one is not that of a release. */
  async addresses(): Promise<string[]> {
    const text = await readFile(join(this.sandbox.folder, "addresses"), "utf8").catch(() => "");
    const all = text.split("\n").filter(Boolean);
    for (const one of all) if (!ADDRESS.test(one)) throw new Error(`asked for ${one}`);
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox[Symbol.asyncDispose]();
  }

  async #script(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: 0o755 });
  }
}
