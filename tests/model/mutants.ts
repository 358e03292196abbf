/**
 * Puts the simulation's deliberate bugs into the lock, one at a time, and lets the small model look for them.
 *
 * Run by hand: `deno run -A tests/model/mutants.ts [words]` tries those whose name contains the words, each in a copy in a temporary
 * folder.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { MUTANTS, placeOf } from "../sim/mutant_list.ts";
import type { Mutant } from "../sim/mutant_list.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** Scenes that show what only they can show come last. */
const SCENES = ["two", "one waits 4 s", "one tries once", "a reader and a writer", "room for two"];

/** What the model says of the copy in `folder`: how a promise was broken, and after how many states; null when it was not. */
function broken(folder: string): string | null {
  for (const scene of SCENES) {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["run", "-A", "--no-check", "tests/model/main.ts", "--scene", scene, "--faults", "1"],
      { cwd: folder, env: { ...process.env, NO_COLOR: "1" }, encoding: "utf8" },
    );
    if (status === 0) continue;
    const what = /BROKEN.*/.exec(stdout)?.[0];
    if (what === undefined) throw new Error(`it does not run: ${stderr.slice(0, 500)}`);
    const states = /^ {2}(\d+) states, /m.exec(stdout)?.[1] ?? "?";
    return `${scene} | ${states} states | ${what}`;
  }
  return null;
}

async function attempt(folder: string, mutant: Mutant): Promise<boolean> {
  const path = join(folder, placeOf(mutant, folder));
  const original = await readFile(path, "utf8");
  await writeFile(path, original.replace(mutant.from, () => mutant.to));
  const what = broken(folder);
  await writeFile(path, original);
  console.log(`${what === null ? "not found" : "found    "} ${mutant.name}`);
  if (what !== null) console.log(`            ${what}`);
  return what !== null;
}

const words = process.argv.slice(2).join(" ");
const folder = await mkdtemp(join(tmpdir(), "k8s-lock-model-"));
try {
  for (const path of ["lib", "tests", "deno.json", "deno.lock"]) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true });
  }
  let found = 0;
  const chosen = MUTANTS.filter(({ name }) => name.includes(words));
  for (const mutant of chosen) if (await attempt(folder, mutant)) found++;
  console.log(`${found} of ${chosen.length} were found`);
} finally {
  await rm(folder, { recursive: true });
}
