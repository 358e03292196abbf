/** One run with everything going wrong at random. */
import { parseRecord } from "../../lib/lock/record.ts";
import type { Expiry } from "../../lib/lock/rules.ts";
import { jobOf } from "./jobs.ts";
import { NO_FAULTS, someFaults } from "./network.ts";
import { breakLock, deleteRecord, deleteTicket, dropWaiter, touchTicket } from "./people.ts";
import type { Chance } from "./random.ts";
import { Violation } from "./referee.ts";
import { World } from "./world.ts";

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
    world.network.fate = () => null;
    world.network.down = false;
    world.jobs.well = true;
    world.finish(900_000);
  } catch (error) {
    const story = world.story.slice(-120).join("\n");
    const what = error instanceof Violation ? error.message : error;
    throw new Error(`seed ${seed}: ${what}\n${story}\nseed ${seed}: ${what}`, { cause: error });
  }
  return world;
}

function chaos(world: World): void {
  const { chance } = world;
  const faults = someFaults(chance);
  world.network.faults = chance.happens(0.1) ? NO_FAULTS : faults;
  // A record that is missing is made by whoever comes first; one with a capacity somebody made before.
  if (chance.happens(0.3)) world.makeRecord(1 + chance.below(3));
  startClients(world);
  if (chance.happens(0.5)) letPeopleAct(world);
  if (chance.happens(0.3)) takeTheStoreAway(world);
  if (chance.happens(0.2)) giveUpWhileClaiming(world);
  world.runFor(CHAOS_MS);
}

function startClients(world: World): void {
  const { chance, time } = world;
  const deaths = chance.happens(0.5);
  const sleeps = chance.happens(0.15);
  const shared = chance.happens(0.3) ? chance.between(0.2, 0.8) : 0;
  const ranks = chance.happens(0.2);
  const clocks = chance.happens(0.5) ? 0.045 : 0;
  const policies = chance.happens(0.4);
  world.jobs.well = chance.happens(0.3);
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
        mode: chance.happens(shared) ? "shared" : "exclusive",
        priority: ranks ? chance.below(2) : 0,
        expiry: policies ? policy(chance, `c${i}`) : "takeover",
      }, {
        rate: 1 + chance.between(-clocks, clocks),
        wallOffsetMs: chance.happens(0.3) ? chance.between(-86_400_000, 86_400_000) : 0,
        workMs: chance.happens(0.3) ? chance.between(5_000, 30_000) : chance.between(10, 3000),
        stubbornMs: chance.between(10, 20_000),
      });
      const some = (probability: number, within: number, act: () => void) => {
        if (chance.happens(probability)) time.after(chance.between(0, within), act);
      };
      if (deaths) some(0.4, 40_000, () => client.kill());
      if (deaths) some(0.4, 30_000, () => client.pause(chance.between(10, 30_000)));
      if (sleeps) some(0.5, 30_000, () => client.sleep(chance.between(1_000, 40_000)));
      some(0.15, 40_000, () => client.signal());
      some(0.15, 40_000, () => client.setWall(chance.between(-1e8, 1e8)));
    });
  }
}

function policy(chance: Chance, name: string): Expiry {
  if (chance.happens(0.1)) return "never";
  return chance.happens(0.7)
    ? { verify: jobOf(name, chance.happens(0.8) ? "job" : "ttl") }
    : "takeover";
}

function letPeopleAct(world: World): void {
  const { chance, time } = world;
  const acts = [
    () => deleteRecord(world),
    () => deleteTicket(world),
    () => touchTicket(world),
    () => breakLock(world, "now"),
    () => breakLock(world, "in order"),
    () => dropWaiter(world),
  ];
  for (let i = chance.below(5); i > 0; i--) {
    time.after(chance.between(0, CHAOS_MS), () => acts[chance.below(acts.length)]?.());
  }
}

function takeTheStoreAway(world: World): void {
  const { chance, time } = world;
  time.after(chance.between(0, CHAOS_MS), () => {
    world.say("store", "away");
    world.network.down = true;
    time.after(chance.between(100, 25_000), () => {
      world.say("store", "back");
      world.network.down = false;
    });
  });
}

/** Some get a signal just when they claim, and that claim has a fate of its own: it may come true after they have left. */
function giveUpWhileClaiming(world: World): void {
  const { chance, network, time } = world;
  network.fate = (request, sender) => {
    if (request.kind !== "replace" || !chance.happens(0.3)) return null;
    const held = parseRecord(request.base.text).holders.length;
    const client = world.clients.find(({ persona }) => persona.name === sender);
    if (request.next.holders.length <= held || client === undefined) return null;
    time.after(chance.between(0, 6_000), () => client.signal());
    return chance.happens(0.3)
      ? "unanswered"
      : chance.happens(0.5)
      ? { answerAfterMs: chance.between(1, 8_000) }
      : { lateMs: chance.between(1, 20_000) };
  };
}
