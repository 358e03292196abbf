/** What came of a soak, as a table. */
import type { Fate } from "./job.ts";
import type { Result } from "./soak.ts";

/** Lines for a terminal. */
export function summary(result: Result): string {
  const { reports } = result;
  const waits = reports.flatMap(({ waitedMs }) => waitedMs ?? []).sort((one, other) => one - other);
  const at = (part: number) =>
    `${((waits[Math.floor(waits.length * part)] ?? 0) / 1000).toFixed(1)} s`;
  const rows: [string, string][] = [
    ["jobs", String(reports.length)],
    ["holds", String(result.holds)],
    ["lines in the journal", String(result.journalLines)],
    ["states of the record", String(result.records)],
    [
      "wait: half, 9 in 10, longest",
      `${at(0.5)}, ${at(0.9)}, ${(result.longestWaitMs / 1000).toFixed(1)} s`,
    ],
    ["jobs with a wall clock that jumps", String(result.jumpingClocks)],
    ["overlaps of an acquire's steps, told", String(result.toldOverlaps)],
    ...result.memory.map(({ who, first, last }): [string, string] => [
      `memory of ${who}: first quarter, last`,
      `${first.toFixed(1)} MiB, ${last.toFixed(1)} MiB`,
    ]),
    ["violations", String(result.violations.length)],
  ];
  const fates = [...new Set(reports.map(({ fate }) => fate))].sort();
  return [
    table("what", rows),
    table("fate: how many, and how they ended", fates.map((fate) => [fate, endings(fate, result)])),
    table(
      "fault: how often",
      [...result.hazards].sort().map(([name, times]) => [name, String(times)]),
    ),
  ].join("\n");
}

function endings(fate: Fate, { reports }: Result): string {
  const of = reports.filter((report) => report.fate === fate);
  const counts = new Map<string, number>();
  for (const { end } of of) counts.set(end, (counts.get(end) ?? 0) + 1);
  const ends = [...counts].sort(([, one], [, other]) => other - one)
    .map(([end, times]) => `${end} × ${times}`);
  return `${of.length}: ${ends.join(", ")}`;
}

function table(head: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(head.length, ...rows.map(([name]) => name.length));
  return [head, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""].join("\n");
}
