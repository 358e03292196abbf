/**
 * Looks for mistakes in what GitHub and shells run: `deno task lint:actions`.
 *
 * actionlint over the workflows, zizmor over workflows and actions (by what it can tell without asking anybody), shellcheck over
 * every shell script, also in the workflows' steps; the files to copy from docs/recipes included. Of each exactly one version, installed into the user's cache folder the
 * first time: actionlint from Go modules, the others from PyPI by their hashes.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { builtOnce, componentFolder } from "../../tests/support/cluster/cache.ts";
import { findGo } from "../../tests/support/cluster/go.ts";
import { PROJECT } from "../bundle.ts";
import { writeRecipes } from "./recipes.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint";

/** A key of the folder of what these files pin. */
async function keyOf(...files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}

async function actionlint(): Promise<string> {
  const files = ["go.mod", "go.sum"].map((name) => join(HERE, "actionlint", name));
  const folder = await builtOnce(
    componentFolder("actionlint", await keyOf(...files)),
    async (into) => {
      console.error("building actionlint from Go modules, once for this machine");
      const module = join(into, "module");
      await mkdir(module);
      for (const file of files) await cp(file, join(module, file.slice(file.lastIndexOf("/") + 1)));
      const go = await findGo();
      await go.run(["build", "-trimpath", "-o", join(into, "actionlint"), ACTIONLINT], module);
    },
  );
  return join(folder, "actionlint");
}

async function pythonTools(): Promise<{ readonly zizmor: string; readonly shellcheck: string }> {
  const requirements = join(HERE, "requirements.txt");
  const folder = await builtOnce(
    componentFolder("lint", await keyOf(requirements)),
    async (into) => {
      console.error("installing zizmor and shellcheck from PyPI, once for this machine");
      const options = [
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action",
        "ignore",
        "--no-deps",
        "--require-hashes",
      ];
      const only = ["--only-binary", ":all:", "--target", into, "-r", requirements];
      if (await run("python3", ["-m", "pip", "install", ...options, ...only]) !== 0) {
        throw new Error("zizmor and shellcheck could not be installed by python3 -m pip");
      }
    },
  );
  const bin = join(folder, "bin");
  return { zizmor: join(bin, "zizmor"), shellcheck: join(bin, "shellcheck") };
}

async function run(command: string, args: readonly string[]): Promise<number> {
  const child = new Deno.Command(command, {
    args: [...args],
    cwd: PROJECT,
    // Said by an older pip with a new option, it would be an error.
    env: { PIP_ROOT_USER_ACTION: "ignore" },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.output()).code;
}

/** The project's files as git knows them, those that are new included. */
async function files(): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: PROJECT,
  }).output();
  return new TextDecoder().decode(stdout).split("\0").filter(Boolean);
}

async function isShell(file: string): Promise<boolean> {
  if (file.endsWith(".sh")) return true;
  if (/\.\w+$/.test(file)) return false;
  const text = await readFile(join(PROJECT, file), "utf8").catch(() => "");
  return /^#!.*\b(ba|da)?sh\b/.test(text);
}

async function main(): Promise<number> {
  const copies = await mkdtemp(join(tmpdir(), "k8s-lock-recipes-"));
  try {
    return await lintAll(await writeRecipes(copies));
  } finally {
    await rm(copies, { recursive: true });
  }
}

async function lintAll(recipes: Awaited<ReturnType<typeof writeRecipes>>): Promise<number> {
  const all = await files();
  const shell = (await Promise.all(all.map(async (file) => await isShell(file) ? [file] : [])))
    .flat();
  const workflows = all.filter((file) => /^\.github\/workflows\/[^/]+\.ya?ml$/.test(file));
  const actions = all.filter((file) => /(^|\/)action\.ya?ml$/.test(file));
  if (shell.length === 0 || workflows.length === 0 || actions.length === 0) {
    throw new Error("there is nothing to look at: is this a clone?");
  }
  const [lint, { zizmor, shellcheck }] = [await actionlint(), await pythonTools()];
  const runs: readonly (readonly [string, readonly string[]])[] = [
    [lint, ["-shellcheck", shellcheck, "-pyflakes", "", ...workflows]],
    [lint, [
      "-shellcheck",
      shellcheck,
      "-pyflakes",
      "",
      // GitHub has it since May 2026; actionlint does not know it yet.
      "-ignore",
      'unexpected key "queue" for "concurrency" section',
      ...recipes.workflows,
    ]],
    [zizmor, [
      "--offline",
      "--no-progress",
      "--quiet",
      "--persona",
      "pedantic",
      ...workflows,
      ...actions,
    ]],
    [shellcheck, [...shell, ...recipes.shell]],
  ];
  let failed = 0;
  for (const [command, args] of runs) {
    const code = await run(command, args);
    console.error(
      `${command.slice(command.lastIndexOf("/") + 1)}: ${code === 0 ? "clean" : `exit ${code}`}`,
    );
    if (code !== 0) failed = 1;
  }
  return failed;
}

if (import.meta.main) process.exitCode = await main();
