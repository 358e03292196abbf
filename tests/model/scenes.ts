/** What is explored: small casts with short times. */
import type { Config } from "../../lib/lock/driver.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import { CONFIG, IDENTITY } from "../sim/world.ts";
import { NOBODY_YET } from "./afterwards.ts";
import { EMPTY_STORE, execute } from "./store.ts";
import { FAULT_KINDS } from "./world.ts";
import type { Part, Scene, World } from "./world.ts";

/**
 * All that the lock counts in is on the grid of a second: renewals come after 1 s, the warning after 3 s, TERM after 4 s, KILL and the
 * lifeline after 5 s, and others may hold after 6 s.
 */
const TIMES: Partial<Config> = { ttlMs: 6_000, requestTimeoutMs: 3_000 };

function part(name: string, some: Partial<Config> = {}, workMs = 7_000): Part {
  const config = { ...CONFIG, ...TIMES, holder: name, grantPrefix: name, ...some };
  return { name, config, workMs, lifeline: true, rate: 1 };
}

function scene(name: string, parts: readonly Part[], some: Partial<Scene> = {}): Scene {
  return {
    name,
    parts,
    alike: false,
    arriveByMs: 2_000,
    faults: new Set(FAULT_KINDS),
    gridMs: 1000,
    capacity: null,
    ...some,
  };
}

/** All scenes, the first being the one that matters most. */
export const SCENES: readonly Scene[] = [
  scene("two", [part("A"), part("B")], { alike: true }),
  scene("two that poll", [part("A", { news: "poll" }), part("B", { news: "poll" })], {
    alike: true,
  }),
  scene("one tries once", [part("A"), part("B", { timeoutMs: 0 })]),
  scene("one waits 4 s", [part("A"), part("B", { timeoutMs: 4_000 })]),
  scene("a reader and a writer", [part("A", { mode: "shared" }), part("B")]),
  scene("room for two", [part("A"), part("B")], { capacity: 2, alike: true }),
  scene("one goes before", [part("A"), part("B", { priority: 1 })]),
  // 9.4 %, a number that binary fractions have: others hold after 5.5 s of true time on this grid, and its own work ends after 5 s.
  scene("one clock is faster", [part("A"), { ...part("B"), rate: 35 / 32 }], { gridMs: 500 }),
  scene("three", [part("A"), part("B"), part("C")], { alike: true }),
  scene("two readers and a writer", [
    part("A", { mode: "shared" }),
    part("B"),
    part("C", { mode: "shared" }),
  ]),
  scene("three, one goes before", [part("A"), part("B"), part("C", { priority: 1 })]),
];

/** How a scene begins. */
export function opening(scene: Scene): World {
  const { capacity, parts } = scene;
  const store = capacity === null ? EMPTY_STORE : execute(EMPTY_STORE, {
    kind: "create_record",
    record: { ...emptyRecord(IDENTITY), capacity },
  }).store;
  return {
    scene,
    now: 0,
    store,
    actors: parts.map(() => NOBODY_YET),
    wire: [],
    fresh: true,
    past: { lastToken: 0, held: [], begun: [], brokenNow: [], dropped: [] },
  };
}
