/** A failing run, as small as it can be made, as a story that somebody can read. */
import { sentence, told } from "./story.ts";
import type { Mishap } from "./mishaps.ts";
import { ended } from "./run.ts";
import type { Run } from "./run.ts";
import { shrunk } from "./shrink.ts";
import type { Patience } from "./shrink.ts";
import { WHOLE } from "./world.ts";

/** What a test spends on it, and what somebody who looks for a bug does: long runs are made small only so far. */
export const PATIENCE = {
  test: { runs: 600, ms: 20_000 },
  search: { runs: 4000, ms: 600_000 },
} as const;

/** The story of a run that failed by `failure`, shrunk before. The first line names the seed. */
export function report(run: Run, failure: string, patience: Patience): string {
  const small = shrunk(run, failure, patience);
  const { world } = ended(small.run, "told");
  const { happened } = world.mishaps;
  const clients = world.people();
  const lines = [
    `seed ${run.seed}: ${small.failure}`,
    "",
    `Enough for that: clients ${clients.length} (${clients.join(", ")}), mishaps ` +
    `${wrong(happened).length} (${small.tried} smaller runs were tried).`,
    ...peculiarities(happened),
    ...wrong(happened).map((mishap) => `  - ${sentence(mishap)}`),
    "",
    "What happened:",
    ...told(world.lines),
    `  => ${small.failure}`,
    "",
    `Again: ${command(small.run)}`,
  ];
  return lines.join("\n");
}

function wrong(happened: readonly Mishap[]): Mishap[] {
  return happened.filter(({ fault }) => fault !== null);
}

/** What makes clients other than the plainest there are: one line for each who is. */
function peculiarities(happened: readonly Mishap[]): string[] {
  const by = new Map<string, string[]>();
  for (const { id, where, fault } of happened) {
    if (fault !== null) continue;
    by.set(where, [...by.get(where) ?? [], id.slice(where.length + 2)]);
  }
  return [...by].map(([where, what]) => `  - ${where}: ${what.join(", ")}`);
}

/** The command line that makes `run` again. */
export function command({ play, seed, size = {}, cut = WHOLE }: Run): string {
  const words = ["deno task simulate", `--seed ${seed}`];
  if (play !== "chaos") words.push(`--play ${play}`);
  if (size.hours !== undefined) words.push(`--hours ${size.hours}`);
  if (size.clients !== undefined) words.push(`--clients ${size.clients}`);
  if (cut.without.size > 0) words.push(`--without "${[...cut.without].join("; ")}"`);
  if (cut.only !== null) words.push(`--only "${[...cut.only].join("; ")}"`);
  if (cut.calmAt !== Infinity) words.push(`--calm-at ${cut.calmAt / 1000}`);
  return words.join(" ");
}
