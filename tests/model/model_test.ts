import { assertEquals } from "@std/assert";
import { audit } from "./audit.ts";
import { explore } from "./explore.ts";
import { opening, SCENES } from "./scenes.ts";
import { describe, story } from "./story.ts";

/** How many faults each scene is explored with here, all of them at any moment; more by hand: `deno task model`. */
const FAULTS = 1;

for (const scene of SCENES) {
  if (scene.parts.length > 2) continue;
  Deno.test(`in every state that is reached with ${FAULTS} fault, all promises hold and everybody gets on: ${scene.name}`, () => {
    const start = opening(scene);
    const { found, layers, transitions } = explore(start, {
      faults: FAULTS,
      states: Infinity,
      ms: Infinity,
    });
    for (const { faults, states, depth } of layers) {
      console.log(`${scene.name}: ${states} states with ${faults} faults, depth ${depth}`);
    }
    console.log(`${scene.name}: ${transitions} transitions`);
    if (found !== null) throw new Error(`${story(start, found.path)}\n${found.what}`);
    assertEquals(layers.map(({ complete }) => complete), [true, true]);
  });
}

Deno.test("states of one key lead to states of the same keys", () => {
  for (const scene of SCENES) {
    // Which of two that are alike goes first is all one, but not the same.
    const { compared, difference } = audit(opening({ ...scene, alike: false }), 4_000, 3);
    const what = difference === null ? null : describe(difference.other, difference.act);
    assertEquals(what, null, scene.name);
    if (compared < 100) throw new Error(`${scene.name}: only ${compared} states were compared`);
  }
});
