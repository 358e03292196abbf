/** Runs of the simulation: each can be made again exactly, from what it is called by, whole or cut. */
import { chaos } from "./chaos.ts";
import { day } from "./day.ts";
import { narrow } from "./narrow.ts";
import { Violation } from "./referee.ts";
import { restored } from "./restored.ts";
import { v3 } from "./v3_chaos.ts";
import { WHOLE, World } from "./world.ts";
import type { Cut, Size } from "./world.ts";

/** What can be played in a world, to its end. */
export const PLAYS = { chaos, day, narrow, restored, v3 } satisfies Readonly<
  Record<string, (world: World) => void>
>;

/** The name of one. */
export type Play = keyof typeof PLAYS;

/** Which run. */
export interface Run {
  readonly play: Play;
  readonly seed: number;
  readonly size?: Size;
  readonly cut?: Cut;
}

/** How a run ended. */
export interface Ending {
  readonly world: World;
  /** What was violated, or what the driver threw; null when all went well. */
  readonly failure: string | null;
}

/** Makes a run, with its story or (faster) without. */
export function ended(run: Run, story: "told" | "untold" = "untold"): Ending {
  const { play, seed, size = {}, cut = WHOLE } = run;
  const world = new World(seed, { size, cut, story: story === "told" });
  try {
    PLAYS[play](world);
    return { world, failure: null };
  } catch (error) {
    if (error instanceof Violation) return { world, failure: error.message };
    return { world, failure: error instanceof Error ? `${error.stack}` : `${error}` };
  }
}
