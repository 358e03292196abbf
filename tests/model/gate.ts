/** How far the scenes are explored whenever the tests run: each to its end. */
import { assertEquals } from "@std/assert";
import { explore } from "./explore.ts";
import { opening, SCENES } from "./scenes.ts";
import { story } from "./story.ts";
import { FAULT_KINDS } from "./world.ts";
import type { FaultKind } from "./world.ts";

/** Registers a test that explores a scene with all runs of so many faults at most, of every kind but those named last. */
export function testScene(name: string, faults: number, ...without: readonly FaultKind[]): void {
  const scene = SCENES.find((one) => one.name === name);
  if (scene === undefined) throw new Error(`there is no scene "${name}"`);
  const kinds = FAULT_KINDS.filter((kind) => !without.includes(kind));
  const which = faults === 0
    ? "without a fault"
    : `with ${faults} fault of any kind${
      without.length === 0 ? "" : ` but ${without}`
    } at any moment`;
  Deno.test(`in every state of "${name}" ${which}, all promises hold and everybody gets on`, () => {
    const start = opening({ ...scene, faults: new Set(kinds) });
    const limits = { faults, states: Infinity, ms: Infinity };
    const { found, layers, states, transitions, ms } = explore(start, limits);
    if (found !== null) throw new Error(`${story(start, found.path)}\n${found.what}`);
    assertEquals(layers.filter(({ complete }) => complete).length, faults + 1);
    const depth = Math.max(...layers.map((layer) => layer.depth));
    const seconds = (ms / 1000).toFixed(1);
    console.log(`${states} states, ${transitions} transitions, depth ${depth}, ${seconds} s`);
  });
}
