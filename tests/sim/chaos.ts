/** One run with everything going wrong at random. */
import type { Faults } from "./network.ts";
import { NO_FAULTS } from "./network.ts";
import { Violation, World } from "./world.ts";

/** How long things go wrong, in milliseconds. */
const CHAOS_MS = 60_000;

/**
 * Runs `seed` to its end.
 *
 * Throws when a promise was broken, with the seed and the last part of the story.
 */
export function simulate(seed: number): World {
  const world = new World(seed);
  try {
    chaos(world);
    world.network.faults = NO_FAULTS;
    world.network.down = false;
    world.finish(900_000);
  } catch (error) {
    const story = world.story.slice(-120).join("\n");
    const what = error instanceof Violation ? error.message : error;
    throw new Error(`seed ${seed}: ${what}\n${story}\nseed ${seed}: ${what}`, { cause: error });
  }
  return world;
}

function chaos(world: World): void {
  const { chance, time } = world;
  // Each run has its own mixture: some faults alone, some together, some runs with none.
  const often = () => chance.happens(0.5) ? 0 : chance.between(0, 0.15);
  const faults: Faults = {
    lost: often(),
    unanswered: often(),
    late: often(),
    twice: often(),
    throttled: often(),
    failed: often(),
    watchBroken: often(),
    watchSilent: often(),
    eventLate: often(),
  };
  world.network.faults = chance.happens(0.1) ? NO_FAULTS : faults;
  const deaths = chance.happens(0.5);
  const people = chance.happens(0.5);
  const clocks = chance.happens(0.5) ? 0.045 : 0;
  const count = 3 + chance.below(4);
  for (let i = 0; i < count; i++) {
    time.after(chance.between(0, CHAOS_MS / 2), () => {
      const client = world.start(`c${i}`, {
        timeoutMs: chance.happens(0.15)
          ? chance.between(0, 30_000)
          : chance.happens(0.1)
          ? 0
          : null,
        news: chance.happens(0.15) ? "poll" : "watch",
        ttlMs: chance.happens(0.2) ? 6_000 : 10_000,
      }, {
        rate: 1 + chance.between(-clocks, clocks),
        wallOffsetMs: chance.happens(0.3) ? chance.between(-86_400_000, 86_400_000) : 0,
        workMs: chance.happens(0.3) ? chance.between(5_000, 30_000) : chance.between(10, 3000),
        stubbornMs: chance.between(10, 20_000),
      });
      if (deaths && chance.happens(0.4)) {
        time.after(chance.between(0, 40_000), () => client.kill());
      }
      if (deaths && chance.happens(0.4)) {
        time.after(chance.between(0, 30_000), () => client.pause(chance.between(10, 30_000)));
      }
      if (chance.happens(0.15)) time.after(chance.between(0, 40_000), () => client.signal());
      if (chance.happens(0.15)) {
        time.after(chance.between(0, 40_000), () => client.setWall(chance.between(-1e8, 1e8)));
      }
    });
  }
  if (people) {
    const acts = [
      () => world.deleteRecord(),
      () => world.deleteTicket(),
      () => world.touchTicket(),
      () => world.breakLock("now"),
      () => world.breakLock("in order"),
      () => world.dropWaiter(),
    ];
    for (let i = chance.below(5); i > 0; i--) {
      time.after(chance.between(0, CHAOS_MS), () => acts[chance.below(acts.length)]?.());
    }
  }
  if (chance.happens(0.3)) {
    time.after(chance.between(0, CHAOS_MS), () => {
      world.say("store", "away");
      world.network.down = true;
      time.after(chance.between(100, 25_000), () => {
        world.say("store", "back");
        world.network.down = false;
      });
    });
  }
  world.runFor(CHAOS_MS);
}
