/** By what a bug is caught. */
import type { Play } from "../sim/run.ts";
import type { Scenery } from "./bug.ts";

/** Where a bug is looked for. */
export type Hunt =
  /** Seeds from 1 on. */
  | { readonly by: "simulation"; readonly play: Play; readonly seeds: number }
  | { readonly by: "model"; readonly scenery: Scenery }
  /** Files under tests/. */
  | { readonly by: "unit test"; readonly files: readonly string[] };

/** How a bug was caught. */
export type Catch =
  | {
    readonly by: "simulation";
    readonly play: Play;
    /** The first seed at which a promise is broken. */
    readonly seed: number;
    /** What was seen. */
    readonly seen: string;
  }
  | {
    readonly by: "model";
    readonly scenery: Scenery;
    /** How many states had been met by then. */
    readonly states: number;
    readonly seen: string;
  }
  | {
    readonly by: "unit test";
    /** Under tests/. */
    readonly file: string;
    /** Its name. */
    readonly seen: string;
  };

/** A bug as it stands in tests/evidence/bugs.json. */
export interface CaughtBug {
  readonly name: string;
  readonly breaks: string;
  /** True for one thought up from docs/protocol.md and the code by somebody who had not seen the tests. */
  readonly stranger: boolean;
  /** What was added because nothing caught it at first. */
  readonly survived?: string;
  readonly unitOnly?: string;
  /** At most one of a kind. */
  readonly caught: readonly Catch[];
}

/** A catch in a few words, after how much looking it came. */
export function told(one: Catch): string {
  switch (one.by) {
    case "model": {
      const { scene, faults, only } = one.scenery;
      const which = faults === 0 ? "no fault" : `${faults} of ${only?.join(", ") ?? "any fault"}`;
      return `model "${scene}", ${which}, ${one.states} states: ${one.seen}`;
    }
    case "unit test":
      return `unit test ${one.file}: ${one.seen}`;
    case "simulation":
      return `simulation "${one.play}", seed ${one.seed}: ${one.seen}`;
  }
}
