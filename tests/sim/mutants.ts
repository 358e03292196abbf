/**
 * Puts bugs into the lock on purpose, one at a time, and says which test or seed notices.
 *
 * Run by hand: `deno run -A tests/sim/mutants.ts [words]` tries those whose name contains the words. Each mutant works in a
 * copy, in a temporary folder; a text that is not found exactly once is an error, so that no mutant rots unnoticed.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { MUTANTS, mutated, placeOf } from "./mutant_list.ts";
import type { Mutant } from "./mutant_list.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const SEEDS = "1-1500";

async function copyOfTheProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-mutants-"));
  for (const path of ["lib", "tests", "deno.json", "deno.lock"]) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true });
  }
  return folder;
}

function run(folder: string, paths: readonly string[], seeds: string) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["test", "-A", "--no-check", "--fail-fast", ...paths],
    {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1", K8S_LOCK_SEEDS: seeds, K8S_LOCK_V3_SEEDS: seeds },
      encoding: "utf8",
      timeout: 120_000,
    },
  );
  const output = `${stdout}\n${stderr}`;
  // A bug that is not even a program is caught by nobody's test.
  const broken = /^.*(?:ReferenceError|SyntaxError|is not defined).*$/m.exec(output);
  if (broken !== null) throw new Error(`the bug does not run: ${broken[0]}`);
  return { failed: status !== 0, output };
}

/** The first test that failed, and the seed where it was the simulation. */
function catcher(output: string): string {
  const test = /^(.*) \.\.\. FAILED/m.exec(output)?.[1] ?? "a test that did not end";
  const seed = /seed (\d+): (.*)/.exec(output);
  return seed === null ? test : `seed ${seed[1]}: ${seed[2]}`;
}

async function attempt(folder: string, mutant: Mutant): Promise<string[]> {
  const path = join(folder, placeOf(mutant, folder));
  const original = await readFile(path, "utf8");
  await writeFile(path, mutated(mutant, original));
  try {
    const tests = run(folder, ["tests/lock"], SEEDS);
    const simulation = run(folder, ["tests/sim/simulation_test.ts"], SEEDS);
    const byNumber = run(folder, ["tests/sim/v3_simulation_test.ts"], SEEDS);
    return [tests, simulation, byNumber].flatMap((one) => one.failed ? [catcher(one.output)] : []);
  } finally {
    await writeFile(path, original);
  }
}

const words = process.argv.slice(2).join(" ");
const chosen = MUTANTS.filter(({ name }) => name.includes(words));
const folder = await copyOfTheProject();
let survived = 0;
try {
  const healthy = run(folder, ["tests/lock", "tests/sim/simulation_test.ts"], "1-200");
  if (healthy.failed) throw new Error(`without a bug it fails as well:\n${healthy.output}`);
  for (const mutant of chosen) {
    const caught = await attempt(folder, mutant);
    if (caught.length === 0) survived++;
    console.log(`${caught.length === 0 ? "SURVIVES" : "caught  "} ${mutant.name}`);
    for (const by of caught) console.log(`           ${by}`);
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(`${chosen.length - survived} of ${chosen.length} were caught`);
process.exitCode = survived === 0 ? 0 : 1;
