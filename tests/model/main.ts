/**
 * Explores the small model.
 *
 *     deno task model [--scene NAME|all] [--clients N] [--faults N] [--only KIND]... [--without KIND]... [--states N] [--minutes N]
 *
 * Without a scene: the one in which so many clients (2) differ in nothing. `--minutes` and `--states` are limits for each scene, for those
 * that are not explored to their end.
 *
 * Exit 1 when a promise was broken; the shortest way there is printed.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { explore } from "./explore.ts";
import type { Layer } from "./explore.ts";
import { opening, SCENES } from "./scenes.ts";
import { story } from "./story.ts";
import { FAULT_KINDS } from "./world.ts";
import type { Scene } from "./world.ts";

const { values } = parseArgs({
  options: {
    scene: { type: "string" },
    clients: { type: "string", default: "2" },
    only: { type: "string", multiple: true, default: [...FAULT_KINDS] },
    without: { type: "string", multiple: true, default: [] },
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

/** The scenes that were asked for. */
function chosen(): readonly Scene[] {
  if (values.scene === "all") return SCENES;
  const found = values.scene === undefined
    ? SCENES.find(({ parts, alike }) => alike && parts.length === Number(values.clients))
    : SCENES.find(({ name }) => name === values.scene);
  if (found !== undefined) return [found];
  throw new Error(`there are these scenes: ${SCENES.map(({ name }) => name).join(", ")}`);
}

for (const scene of chosen()) {
  console.log(scene.name);
  const faults = new Set(
    FAULT_KINDS.filter((kind) => values.only.includes(kind) && !values.without.includes(kind)),
  );
  const start = opening({ ...scene, faults });
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
