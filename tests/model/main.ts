/**
 * Explores the small model: `deno task model [--scene WORDS] [--faults N] [--states N] [--minutes N]`.
 *
 * Exit 1 when a promise was broken; the shortest way there is printed.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { explore } from "./explore.ts";
import type { Layer } from "./explore.ts";
import { opening, SCENES } from "./scenes.ts";
import { story } from "./story.ts";

const { values } = parseArgs({
  options: {
    scene: { type: "string", default: "two" },
    faults: { type: "string", default: "1" },
    states: { type: "string", default: "50000000" },
    minutes: { type: "string", default: "10" },
  },
});

function tell({ faults, states, transitions, depth, complete }: Layer): void {
  const how = complete ? "all" : "not all";
  console.log(
    `  ${faults} faults: ${states} states, ${transitions} transitions, depth ${depth} (${how})`,
  );
}

for (const scene of SCENES) {
  if (values.scene !== "all" && scene.name !== values.scene) continue;
  console.log(scene.name);
  const start = opening(scene);
  const limits = {
    faults: Number(values.faults),
    states: Number(values.states),
    ms: Number(values.minutes) * 60_000,
  };
  const { found, states, transitions, ends, left, ms } = explore(start, limits, tell);
  console.log(
    `  ${states} states, ${transitions} transitions, ${ends} ends, ${left} stores left behind, ${
      (ms / 1000).toFixed(1)
    } s`,
  );
  if (found === null) continue;
  process.exitCode = 1;
  console.log(`${story(start, found.path)}\n  BROKEN (${found.faults} faults): ${found.what}`);
}
