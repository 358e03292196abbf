/** Numbers of the page: those that stand in the code are read there, the others were counted once and say when and how. */
import { readFileSync } from "node:fs";
import counts from "./counts.json" with { type: "json" };

/** Something that a command printed. */
export interface Count {
  readonly what: string;
  readonly count: string;
  readonly command: string;
  /** The day, and where: YYYY-MM-DD. */
  readonly date: string;
}

/** All of them. */
export const COUNTS: readonly Count[] = counts;

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

function found(path: string, pattern: RegExp): string {
  const [, number] = pattern.exec(textOf(path)) ?? [];
  if (number === undefined) throw new Error(`${path} has no ${pattern} any more: tests/evidence`);
  return number;
}

/** How many runs of the simulation the gate makes. */
export function seedsInTheGate(): number {
  return Number(found("tests/sim/simulation_test.ts", /const ALL = "1-(\d+)"/));
}

/** How many runs of the simulation of both versions the gate makes. */
export function v3SeedsInTheGate(): number {
  return Number(found("tests/sim/v3_simulation_test.ts", /"K8S_LOCK_V3_SEEDS", "1-(\d+)"/));
}

/** How many wait in the crowd of the gate. */
export function crowdInTheGate(): number {
  return Number(found("tests/cluster/crowd_test.ts", /waiters: (\d+)/));
}

/** What the README of the small model says of what was explored to its end. */
export function modelTotals(): { readonly scenes: number; readonly states: number } {
  const rows = textOf("tests/model/README.md").split("## How much it is")[1]
    ?.split("\n").filter((line) => /^\| .* \| +[\d,]+ +\| +[\d,]+ +\| +\d+ +\|$/.test(line)) ?? [];
  const states = rows.map((row) => Number(row.split("|")[3]?.replaceAll(",", "").trim()));
  if (rows.length === 0) throw new Error("tests/model/README.md has no table any more");
  return { scenes: rows.length, states: states.reduce((sum, one) => sum + one, 0) };
}
