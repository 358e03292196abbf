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
import { MUTANTS, mutated, placeOf } from "../sim/mutant_list.ts";
import { EXPIRY } from "../sim/expiry_mutants.ts";
import { BY_NUMBER } from "../sim/number_mutants.ts";
import type { FaultKind } from "./world.ts";
import type { Mutant } from "../sim/mutant_list.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** Where a bug is looked for, how many faults a run may have, and which: all of them where none is named. */
type Hunt = readonly [scene: string, faults: number, ...only: FaultKind[]];

const USUAL: Hunt = ["two", 1];

/** Bugs that need others than two writers who wait as long as it takes, or more than one fault. */
const HUNTS: Readonly<Record<string, Hunt>> = {
  "a later one that fits overtakes": ["two readers and a writer", 0],
  "a claim past the queue does not look at the queue": ["three", 0],
  "a turn that stands is not left": ["three, one goes before", 0],
  "a writer fits beside readers": ["a reader and a writer", 1],
  "one that tries once tries for ever where it does not fit": ["one tries once", 1],
  "work is killed when the TTL ends": ["one clock is faster", 1, "pause"],
  "the deadline counts from the receipt of an answer": [
    "one clock is faster",
    2,
    "slow answer",
    "pause",
  ],
  "a renewal found by reading counts from now": ["one clock is faster", 2, "unanswered", "pause"],
  "a claim found by reading counts from now": ["two", 2, "slow answer", "pause"],
  "a claim sent again counts from its last sending": ["two", 2, "slow", "pause"],
  "one that gives up does not bar its claim": ["two", 2, "late", "signal"],
  "a leaver keeps what it came to hold": ["two", 2, "unanswered", "signal"],
};

/** What the model says of the copy in `folder`: how a promise was broken, and after how many states; null when it was not. */
function broken(folder: string, name: string): string | null {
  const [scene, faults, ...only] = HUNTS[name] ?? USUAL;
  const kinds = only.flatMap((kind) => ["--only", kind]);
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      "run",
      "-A",
      "--no-check",
      "tests/model/main.ts",
      "--scene",
      scene,
      "--faults",
      `${faults}`,
      ...kinds,
    ],
    { cwd: folder, env: { ...process.env, NO_COLOR: "1" }, encoding: "utf8" },
  );
  if (status === 0) return null;
  const what = /BROKEN \((\d+) faults\): (.*)/.exec(stdout);
  // What cannot run is caught by any test, and shows nothing.
  if (what === null) {
    console.log(`does not run: ${/Error: .*/.exec(stderr)?.[0] ?? stderr}`);
    return null;
  }
  const states = /^ {2}(\d+) states, /m.exec(stdout)?.[1] ?? "?";
  return `| ${scene} | ${what[1]} | ${states} | ${what[2]} |`;
}

async function attempt(folder: string, mutant: Mutant): Promise<boolean> {
  const path = join(folder, placeOf(mutant, folder));
  const original = await readFile(path, "utf8");
  await writeFile(path, mutated(mutant, original));
  const what = broken(folder, mutant.name);
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
  const chosen = MUTANTS.filter((mutant) =>
    mutant.name.includes(words) && !BY_NUMBER.includes(mutant) && !EXPIRY.includes(mutant)
  );
  for (const mutant of chosen) if (await attempt(folder, mutant)) found++;
  console.log(`${found} of ${chosen.length} were found`);
} finally {
  await rm(folder, { recursive: true });
}
