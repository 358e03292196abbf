/** Where each bug is looked for. */
import type { Bug } from "./bug.ts";
import type { Catch, CaughtBug, Hunt } from "./catch.ts";
import { GROUPS } from "./list.ts";

/** So many seeds a bug may survive. */
export const MOST_SEEDS = 10_000;

/** Seeds move with every change of the simulation, and of the lock: so much further is looked each time, at least to `least`. */
const FURTHER = { times: 5, least: 500 };

/** A bug that the simulation catches is not also looked for among more states than this each time the gate runs. */
const FEW_STATES = 60_000;

/** Everything but unit tests that may catch `bug`, in so many seeds. */
export function hunts(bug: Bug, seeds: number): Hunt[] {
  if (bug.unitOnly !== undefined) return [];
  const plays = GROUPS.find(({ bugs }) => bugs.includes(bug))?.plays ?? [];
  return [
    ...plays.map((play): Hunt => ({ by: "simulation", play, seeds })),
    ...bug.model === undefined ? [] : [{ by: "model", scenery: bug.model } as const],
  ];
}

/** What has to catch what nothing else does: the tests of its part of the program. */
export function unitTests({ file }: Bug): Hunt {
  return { by: "unit test", files: file?.startsWith("lib/cli/") ? ["cli", "e2e"] : ["lock"] };
}

/** How the bug has to be caught each time, from how it was: by simulation and model where they see it, else by a unit test. */
export function huntsAgain({ caught, unitOnly }: CaughtBug): Hunt[] {
  const inSeeds = caught.some(({ by }) => by === "simulation");
  return caught.flatMap((one) => again(one, { inSeeds, unitOnly: unitOnly !== undefined }));
}

function again(
  one: Catch,
  { inSeeds, unitOnly }: { readonly inSeeds: boolean; readonly unitOnly: boolean },
): Hunt[] {
  switch (one.by) {
    case "unit test":
      return unitOnly ? [{ by: one.by, files: [one.file] }] : [];
    case "model":
      return inSeeds && one.states > FEW_STATES ? [] : [{ by: one.by, scenery: one.scenery }];
    case "simulation": {
      const further = Math.max(one.seed * FURTHER.times, FURTHER.least);
      return [{ by: one.by, play: one.play, seeds: Math.min(further, MOST_SEEDS) }];
    }
  }
}

/** Where nothing may be caught without a bug. Other tests look much further; this is for a tree that fails anyway. */
export const HEALTHY: readonly Hunt[] = [
  { by: "simulation", play: "chaos", seeds: 300 },
  { by: "simulation", play: "narrow", seeds: 300 },
  { by: "simulation", play: "v3", seeds: 300 },
  { by: "model", scenery: { scene: "two", faults: 0 } },
];
