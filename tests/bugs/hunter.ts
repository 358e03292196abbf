/**
 * Looks for a broken promise in the project that it stands in: run in a copy that has a bug.
 *
 *     deno run -A tests/bugs/hunter.ts '{"by":"simulation","play":"chaos","seeds":100}'
 *
 * The last line that it prints is how the bug was caught, or null.
 */
import process from "node:process";
import { explore } from "../model/explore.ts";
import { opening, SCENES } from "../model/scenes.ts";
import { FAULT_KINDS } from "../model/world.ts";
import { ended } from "../sim/run.ts";
import type { Play } from "../sim/run.ts";
import type { Scenery } from "./bug.ts";
import type { Catch, Hunt } from "./catch.ts";

/** Of a bug that has not met its end by then nothing is known; the model holds that many in some GB. */
const MOST_STATES = 1_500_000;

function inSeeds(play: Play, seeds: number): Catch | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const { failure } = ended({ play, seed });
    if (failure === null) continue;
    if (/^(?:ReferenceError|SyntaxError)/.test(failure)) throw new Error(failure);
    return { by: "simulation", play, seed, seen: failure.split("\n")[0] ?? "" };
  }
  return null;
}

function inTheModel(scenery: Scenery): Catch | null {
  const { scene: name, faults, only } = scenery;
  const scene = SCENES.find((one) => one.name === name);
  if (scene === undefined) throw new Error(`there is no scene "${name}"`);
  const kinds = FAULT_KINDS.filter((kind) => only === undefined || only.includes(kind));
  const limits = { faults, states: MOST_STATES, ms: Infinity };
  const { found, states } = explore(opening({ ...scene, faults: new Set(kinds) }), limits);
  return found === null ? null : { by: "model", scenery, states, seen: found.what };
}

function look(hunt: Hunt): Catch | null {
  switch (hunt.by) {
    case "model":
      return inTheModel(hunt.scenery);
    case "unit test":
      throw new Error("unit tests run by themselves");
    case "simulation":
      return inSeeds(hunt.play, hunt.seeds);
  }
}

const [order = ""] = process.argv.slice(2);
console.log(JSON.stringify(look(JSON.parse(order))));
