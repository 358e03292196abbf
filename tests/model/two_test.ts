import { assertEquals, assertGreater } from "@std/assert";
import { audit } from "./audit.ts";
import { testScene } from "./gate.ts";
import { opening, SCENES } from "./scenes.ts";
import { describe } from "./story.ts";

testScene("two", 1);
testScene("two that poll", 1, "pause");
testScene("one clock is faster", 1, "pause");
testScene("three", 0);

Deno.test("states of one key lead to states of the same keys", () => {
  for (const scene of SCENES) {
    // Which of two that are alike goes first is all one, but not the same.
    const { compared, difference } = audit(opening({ ...scene, alike: false }), 4_000, 3);
    const what = difference === null ? null : describe(difference.other, difference.act);
    assertEquals(what, null, scene.name);
    assertGreater(compared, 100, scene.name);
  }
});
