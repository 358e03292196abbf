import { assert, assertEquals } from "@std/assert";
import { command } from "./report.ts";
import { ended } from "./run.ts";
import type { Play } from "./run.ts";
import { kindOf, minimized } from "./shrink.ts";
import { WHOLE } from "./world.ts";

const SOME_SEEDS = Array.from({ length: 30 }, (_, i) => i + 1);
const PLAYS: readonly Play[] = ["chaos", "v3"];

Deno.test("a seed replays exactly", () => {
  for (const play of PLAYS) {
    for (const seed of SOME_SEEDS) {
      assertEquals(
        ended({ play, seed }, "told").world.lines,
        ended({ play, seed }, "told").world.lines,
      );
    }
  }
});

Deno.test("a run in which nothing but its own mishaps may happen is the same run", () => {
  for (const play of PLAYS) {
    for (const seed of SOME_SEEDS) {
      const whole = ended({ play, seed }, "told").world;
      const ids = whole.mishaps.happened.map(({ id }) => id);
      assertEquals(new Set(ids).size, ids.length, `two mishaps of seed ${seed} have one name`);
      const again = ended({ play, seed, cut: { ...WHOLE, only: new Set(ids) } }, "told").world;
      assertEquals(again.lines, whole.lines);
    }
  }
});

Deno.test("a run without its mishaps is one in which nothing goes wrong, and the same clients come when they came", () => {
  // Who renews for a job, or gives back, comes when its acquire has got so far.
  const came = (lines: readonly { readonly who: string; readonly what: string }[]) =>
    lines.filter(({ who, what }) => what === "comes" && /^c\d+$/.test(who)).slice(0, 3);
  for (const seed of SOME_SEEDS) {
    const whole = ended({ play: "chaos", seed }, "told").world;
    const calm = ended({ play: "chaos", seed, cut: { ...WHOLE, only: new Set() } }, "told").world;
    assertEquals(calm.mishaps.happened, []);
    assertEquals(came(calm.lines), came(whole.lines));
  }
});

Deno.test("a client that is left out never comes, and the others come when they came", () => {
  for (const seed of SOME_SEEDS) {
    const without = new Set(["c1"]);
    const names = (cut: typeof WHOLE) => {
      const { lines } = ended({ play: "chaos", seed, cut }, "told").world;
      return lines.filter(({ who, what }) => what === "comes" && /^c\d+$/.test(who))
        .map(({ at, who }) => `${at} ${who}`);
    };
    const others = names(WHOLE).filter((name) => !name.endsWith("c1"));
    assertEquals(names({ ...WHOLE, without }), others);
  }
});

Deno.test("of forty items exactly the three that make it fail are left", () => {
  const items = Array.from({ length: 40 }, (_, i) => i);
  let asked = 0;
  const fails = (left: readonly number[]) => {
    asked++;
    return [3, 17, 18].every((one) => left.includes(one));
  };
  assertEquals(minimized(items, fails), [3, 17, 18]);
  assert(asked < 200, `${asked} subsets were tried`);
  assertEquals(minimized(items, () => true), []);
  assertEquals(minimized(items, (left) => left.length === 40), items);
});

Deno.test("failures that differ in names and numbers only are of one kind", () => {
  assertEquals(kindOf("c1 works while c0 does"), kindOf("c2 works while c3 does"));
  assert(kindOf("c1 works while c0 does") !== kindOf("c10-1 overtakes c20-1"));
});

Deno.test("the command line of a cut run says all that it takes to make it again", () => {
  const only = new Set(["c1 claim 1: failed, applied", "person 2: record deleted"]);
  const cut = { only, without: new Set(["c0", "c2"]), calmAt: 12_345 };
  assertEquals(
    command({ play: "v3", seed: 7, size: { hours: 24, clients: 50 }, cut }),
    'deno task simulate --seed 7 --play v3 --hours 24 --clients 50 --without "c0; c2" ' +
      '--only "c1 claim 1: failed, applied; person 2: record deleted" --calm-at 12.345',
  );
});
