/** One run with everything going wrong at random. */
import type { Config } from "../../lib/lock/driver.ts";
import type { Expiry } from "../../lib/lock/rules.ts";
import { AcquireJob, jobSuffers } from "./acquire_job.ts";
import { layAmbushes } from "./ambush.ts";
import type { Job } from "./acquire_job.ts";
import type { Client, Persona } from "./client.ts";
import { jobOf } from "./jobs.ts";
import { befalls, MISFORTUNES, storeAway } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import { NO_FAULTS, someFaults } from "./network.ts";
import { PEOPLES_ACTS } from "./people.ts";
import type { Chance } from "./random.ts";
import { played } from "./world.ts";
import type { World } from "./world.ts";

/** How long things go wrong, in milliseconds. */
const CHAOS_MS = 60_000;

/** Runs `seed` to its end. Throws when a promise was broken; `cause` is the `Violation`, or what the driver threw. */
export function simulate(seed: number): World {
  return played(chaos, seed);
}

/** Everything goes wrong at random for a while; then all is well, and nobody may be left over. */
export function chaos(world: World): void {
  const chance = world.stream("what kind of run");
  const faults = someFaults(chance);
  world.network.faults = chance.happens(0.1) ? NO_FAULTS : faults;
  // A record that is missing is made by whoever comes first; one with a capacity somebody made before.
  const capacity = 1 + chance.below(3);
  if (chance.happens(0.5) && world.mishaps.allows("the lock", `made before, for ${capacity}`)) {
    world.makeRecord(capacity);
  }
  startClients(world, chance);
  if (chance.happens(0.5)) letPeopleAct(world);
  if (chance.happens(0.3)) takeTheStoreAway(world);
  layAmbushes(world);
  world.runUntilCalm(CHAOS_MS);
  world.finish(900_000);
}

function startClients(world: World, plan: Chance): void {
  const kinds = {
    deaths: plan.happens(0.5),
    sleeps: plan.happens(0.15),
    shared: plan.happens(0.3) ? plan.between(0.2, 0.8) : 0,
    ranks: plan.happens(0.2),
    clocks: plan.happens(0.5) ? 0.05 : 0,
    policies: plan.happens(0.4),
    acquires: plan.happens(0.5) ? plan.between(0.2, 1) : 0,
  };
  world.jobs.well = plan.happens(0.3);
  const count = world.size.clients ?? 3 + plan.below(4);
  for (let i = 0; i < count; i++) {
    const name = `c${i}`;
    if (world.cut.without.has(name)) continue;
    const chance = world.stream(name);
    world.time.after(chance.between(0, CHAOS_MS / 2), () => {
      if (!world.isCalm) startClient(world, name, chance, kinds);
    });
  }
}

/** What the clients of a run are like. */
interface Kinds {
  readonly deaths: boolean;
  readonly sleeps: boolean;
  readonly shared: number;
  readonly ranks: boolean;
  /** How far the rates of the clocks are apart at most. */
  readonly clocks: number;
  readonly policies: boolean;
  readonly acquires: number;
}

function startClient(world: World, name: string, chance: Chance, kinds: Kinds): void {
  const { time, mishaps } = world;
  /** `special` with that probability, and unless it is cut; else `plain`. */
  const some = <T>(probability: number, what: string, special: T, plain: T): T =>
    chance.happens(probability) && mishaps.allows(name, what) ? special : plain;
  const timeoutMs = some(0.1, "tries once", 0, null);
  const rate = 1 + chance.between(-kinds.clocks, kinds.clocks);
  const isOff = kinds.clocks > 0 && world.mishap("clock rate", name, "nobody");
  const config: Partial<Config> = {
    timeoutMs: some(0.15, "is impatient", chance.between(0, 30_000), timeoutMs),
    news: some(0.15, "polls", "poll", "watch"),
    ttlMs: some(0.2, "has a short TTL", 6_000, 10_000),
    mode: some(kinds.shared, "reads", "shared", "exclusive"),
    priority: some(kinds.ranks ? 0.5 : 0, "goes first", 1, 0),
    expiry: some(kinds.policies ? 1 : 0, "has a policy", policy(chance, name), "takeover"),
    maxHoldMs: some(0.1, "may not hold for long", chance.between(500, 15_000), null),
  };
  const persona: Partial<Persona> = {
    rate: isOff ? rate : 1,
    wallOffsetMs: some(
      0.3,
      "has another wall clock",
      chance.between(-86_400_000, 86_400_000),
      0,
    ),
    workMs: some(0.3, "works long", chance.between(5_000, 30_000), chance.between(10, 3000)),
    stubbornMs: some(0.8, "ends slowly", chance.between(10, 20_000), 10),
  };
  const acquires = some(kinds.acquires, "acquires", true, false);
  const client = acquires
    ? startJob(world, { name, config, persona }, chance, kinds)
    : world.start(name, config, persona);
  const suffers = (probability: number, within: number, fault: ClientFault) => {
    if (!chance.happens(probability)) return;
    const misfortune = MISFORTUNES[fault](chance);
    time.after(chance.between(0, within), () => befalls(client, fault, name, misfortune));
  };
  if (kinds.deaths) suffers(0.4, 40_000, "killed");
  if (kinds.deaths) suffers(0.4, 30_000, "paused");
  if (kinds.sleeps) suffers(0.5, 30_000, "asleep");
  suffers(0.15, 40_000, "signalled");
  suffers(0.15, 40_000, "wall clock set");
}

/** A job of several steps instead of one command. @returns the process of its `acquire` */
function startJob(
  world: World,
  { name, config, persona }: Pick<Job, "name" | "config" | "persona">,
  chance: Chance,
  kinds: Kinds,
): Client {
  const steps = 1 + chance.below(3);
  const job = new AcquireJob(world, {
    name,
    config,
    persona,
    stepsMs: Array.from({ length: steps }, () => (persona.workMs ?? 1000) / steps),
    verifies: chance.happens(0.6),
    watches: chance.happens(0.6),
  });
  if (kinds.deaths) jobSuffers(world, job, chance, 40_000);
  return job.acquirer;
}

function policy(chance: Chance, name: string): Expiry {
  if (chance.happens(0.1)) return "never";
  return chance.happens(0.7)
    ? { verify: jobOf(name, chance.happens(0.8) ? "job" : "ttl") }
    : "takeover";
}

function letPeopleAct(world: World): void {
  const plan = world.stream("people");
  for (let i = plan.below(5); i > 0; i--) {
    const act = PEOPLES_ACTS[plan.below(PEOPLES_ACTS.length)];
    world.time.after(plan.between(0, CHAOS_MS), () => act?.(world, `person ${i}`));
  }
}

function takeTheStoreAway(world: World): void {
  const plan = world.stream("outage");
  const forMs = plan.between(100, 25_000);
  world.time.after(plan.between(0, CHAOS_MS), () => storeAway(world, forMs, "outage"));
}
