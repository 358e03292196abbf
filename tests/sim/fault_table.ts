/** How many simulated runs met each fault at each step of the protocol. */
import { FAULTS } from "./mishaps.ts";
import type { Fault, Mishaps } from "./mishaps.ts";
import { STEPS } from "./steps.ts";
import type { Step } from "./steps.ts";

/** By fault and step, a number of runs. What was never met is not in it. */
export interface FaultTable {
  readonly runs: number;
  readonly met: Readonly<Partial<Record<Fault, Readonly<Partial<Record<Step, number>>>>>>;
}

/** No run yet. */
export const EMPTY_TABLE: FaultTable = { runs: 0, met: {} };

/** A pair that there cannot be, and why. */
export interface Impossible {
  readonly fault: Fault;
  readonly steps: readonly Step[];
  readonly why: string;
}

/** Its list, the release itself, and the deletion of the tickets that it found to be of no use. */
const WITH_A_STALE_LIST: readonly Step[] = ["list", "release", "clear away"];

/** All pairs that there cannot be. */
export const IMPOSSIBLE: readonly Impossible[] = [
  {
    fault: "overtaken",
    steps: ["read", "list", "watch"],
    why: "what changes nothing is in nobody's way",
  },
  {
    fault: "stale list",
    steps: STEPS.filter((step) => !WITH_A_STALE_LIST.includes(step)),
    why: "only a release goes by a list that need not be of this very moment",
  },
];

/** Why that fault never meets that step; null when it may. */
export function whyNever(fault: Fault, step: Step): string | null {
  return IMPOSSIBLE.find((one) => one.fault === fault && one.steps.includes(step))?.why ?? null;
}

/** How many of the runs met that fault at that step. */
export function runsThatMet({ met }: FaultTable, fault: Fault, step: Step): number {
  return met[fault]?.[step] ?? 0;
}

/** Counts run by run. */
export class Tally {
  #runs = 0;
  readonly #met = new Map<Fault, Map<Step, number>>();

  /** Counts one run. */
  add({ met }: Mishaps): void {
    this.#runs++;
    for (const [fault, steps] of met) {
      const row = this.#met.get(fault) ?? new Map<Step, number>();
      this.#met.set(fault, row);
      for (const step of steps) row.set(step, (row.get(step) ?? 0) + 1);
    }
  }

  /** All that was counted. */
  get table(): FaultTable {
    const rows = [...this.#met].map(([fault, row]) => [fault, Object.fromEntries(row)] as const);
    return { runs: this.#runs, met: Object.fromEntries(rows) };
  }
}

/** The table of the runs of both. */
export function sum(a: FaultTable, b: FaultTable): FaultTable {
  const met: Partial<Record<Fault, Partial<Record<Step, number>>>> = {};
  for (const fault of FAULTS) {
    const row: Partial<Record<Step, number>> = {};
    for (const step of STEPS) {
      const runs = runsThatMet(a, fault, step) + runsThatMet(b, fault, step);
      if (runs > 0) row[step] = runs;
    }
    met[fault] = row;
  }
  return { runs: a.runs + b.runs, met };
}

/** The pairs that are not as they must be: never met although they can be, or met although they cannot. */
export function wrongPairs(table: FaultTable): string[] {
  return FAULTS.flatMap((fault) =>
    STEPS.filter((step) =>
      (whyNever(fault, step) === null) === (runsThatMet(table, fault, step) === 0)
    ).map((step) => `${fault} × ${step}: ${runsThatMet(table, fault, step)}`)
  );
}

/** The table in Markdown, with the reasons of what there cannot be. */
export function markdown(table: FaultTable): string {
  const notes = [...new Set(IMPOSSIBLE.map(({ why }) => why))];
  const cell = (fault: Fault, step: Step) => {
    const why = whyNever(fault, step);
    const runs = runsThatMet(table, fault, step).toLocaleString("en");
    return why === null ? runs : `— (${notes.indexOf(why) + 1})`;
  };
  const rows = [
    ["fault", ...STEPS],
    ["---", ...STEPS.map(() => "--:")],
    ...FAULTS.map((fault) => [fault, ...STEPS.map((step) => cell(fault, step))]),
  ];
  const wide = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    `| ${
      row.map((text, i) => i === 0 ? text.padEnd(wide[i] ?? 0) : text.padStart(wide[i] ?? 0)).join(
        " | ",
      )
    } |`
  );
  const reasons = notes.map((why, i) => `${i + 1}. —: ${why}.`);
  return [...lines, "", ...reasons].join("\n");
}
