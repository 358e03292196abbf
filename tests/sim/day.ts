/**
 * A day of CI: many clients whose jobs come one after the other, in bursts and now and then, and between long quiet times spells in which
 * everything goes wrong.
 */
import { PEOPLES_ACTS } from "./people.ts";
import { AcquireJob, jobSuffers } from "./acquire_job.ts";
import type { Client, Persona } from "./client.ts";
import type { Config } from "../../lib/lock/driver.ts";
import { watchIdle } from "./idle.ts";
import { jobOf } from "./jobs.ts";
import { befalls, MISFORTUNES, storeAway } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import { NO_FAULTS, someFaults } from "./network.ts";
import type { Chance } from "./random.ts";
import { Backups, changeLock } from "./restored.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

const MINUTE_MS = 60_000;
/** How long a spell lasts, and the quiet after it, in minutes. */
const SPELL = { least: 1, most: 6 };
const QUIET = { least: 12, most: 40 };
/** How long a client has nothing to do between two jobs, but for bursts, in minutes. */
const IDLE = { least: 5, most: 90 };
/** Whatever the day is like, nobody waits for so long, in milliseconds: as many as there are work for less than a minute each. */
const FORGOTTEN_MS = 100 * MINUTE_MS;

/** Plays such a day, of `hours` for `clients`. */
export function day(world: World): void {
  const { hours = 24, clients = 50 } = world.size;
  world.network.keeps = false;
  const plan = world.stream("what kind of day");
  const capacity = 1 + plan.below(2);
  if (world.mishaps.allows("the lock", `made before, for ${capacity}`)) world.makeRecord(capacity);
  const today = new Day(world, new Backups(world, 5 * MINUTE_MS, 30));
  for (let i = 0; i < clients; i++) today.employ(`c${i}`);
  today.burst(1);
  today.spell(1);
  const end = hours * 60 * MINUTE_MS;
  world.runUntilCalm(end);
  world.finish(2 * FORGOTTEN_MS);
}

class Day {
  /** Begins the next job of each client that has nothing to do. */
  readonly #idle = new Map<string, () => void>();

  constructor(readonly world: World, readonly backups: Backups) {
    world.jobs.well = true;
    this.#lookAfterTheForgotten();
  }

  /** From now on `name` has one job after the other. */
  employ(name: string): void {
    const { world } = this;
    if (world.cut.without.has(name)) return;
    const chance = world.stream(name);
    let count = 0;
    const next = () => {
      let begun = false;
      const begin = () => {
        if (begun || world.isCalm) return;
        begun = true;
        this.#idle.delete(name);
        const job = new WorkDay(world, `${name}.${++count}`);
        const untilOver = () => {
          if (job.over) return next();
          world.time.after(1000, untilOver);
        };
        untilOver();
      };
      this.#idle.set(name, begin);
      world.time.after(chance.between(IDLE.least, IDLE.most) * MINUTE_MS, begin);
    };
    next();
  }

  /** Somebody pushes: many jobs come at once. */
  burst(index: number): void {
    const { world } = this;
    const chance = world.stream(`burst ${index}`);
    world.time.after(chance.between(5, 45) * MINUTE_MS, () => {
      if (world.isCalm) return;
      const some = [...this.#idle.values()];
      const most = chance.below(some.length + 1);
      for (const begin of some.slice(0, most)) world.time.after(chance.between(0, 20_000), begin);
      this.burst(index + 1);
    });
  }

  /** After a quiet time everything goes wrong for a while, and then nothing. */
  spell(index: number): void {
    const { world } = this;
    const chance = world.stream(`spell ${index}`);
    const quietMs = chance.between(QUIET.least, QUIET.most) * MINUTE_MS;
    const lastsMs = chance.between(SPELL.least, SPELL.most) * MINUTE_MS;
    let notIdle = () => {};
    // What the last spell has left under way has landed by then.
    world.time.after(Math.min(quietMs, 2 * MINUTE_MS), () => notIdle = watchIdle(world));
    world.time.after(quietMs, () => {
      notIdle();
      if (world.isCalm) return;
      world.say("all", `goes wrong for ${Math.round(lastsMs / 1000)} s`);
      world.network.faults = someFaults(chance);
      world.jobs.well = chance.happens(0.5);
      this.#misfortunes(chance, index, lastsMs);
      world.time.after(lastsMs, () => {
        world.network.faults = NO_FAULTS;
        world.jobs.well = true;
        this.spell(index + 1);
      });
    });
  }

  #misfortunes(chance: Chance, index: number, lastsMs: number): void {
    const { world, backups } = this;
    const faults = Object.keys(MISFORTUNES) as ClientFault[];
    const some = (most: number, act: (where: string, own: Chance) => void, what: string) => {
      for (let i = chance.below(most + 1); i > 0; i--) {
        const where = `${what} ${index}.${i}`;
        const at = chance.between(0, lastsMs);
        world.time.after(at, () => world.isCalm || act(where, world.stream(where)));
      }
    };
    some(30, (where, own) => {
      const there = world.atLarge.filter((one) => !one.over);
      const client = there[own.below(there.length || 1)];
      const fault = faults[own.below(faults.length)] ?? "killed";
      if (client !== undefined) befalls(client, fault, where, MISFORTUNES[fault](own));
    }, "misfortune");
    some(3, (where, own) => PEOPLES_ACTS[own.below(PEOPLES_ACTS.length)]?.(world, where), "person");
    some(1, (where, own) => storeAway(world, own.between(100, 90_000), where), "outage");
    if (index % 4 === 0) some(1, (where, own) => backups.restoreOne(own, where), "restore");
    some(1, (where, own) => changeLock(world, own, where), "change");
  }

  /** Nobody waits for ever, also while the day goes on. */
  #lookAfterTheForgotten(): void {
    const { world } = this;
    world.time.after(MINUTE_MS, () => {
      for (const { over, startedAt, state, persona } of world.atLarge) {
        const waits = !over && state.phase === "waiting";
        if (waits && world.time.now - startedAt > FORGOTTEN_MS) {
          throw new Violation(`${persona.name} is forgotten`);
        }
      }
      if (!world.isCalm) this.#lookAfterTheForgotten();
    });
  }
}

/** One job of a client. */
class WorkDay {
  readonly #of: { readonly over: boolean };

  constructor(world: World, name: string) {
    const chance = world.stream(name);
    const rate = chance.happens(0.3) ? 1 + chance.between(-0.05, 0.05) : 1;
    const isOff = rate !== 1 && world.mishap("clock rate", name, "nobody");
    const config: Partial<Config> = {
      ttlMs: chance.happens(0.3) ? 20_000 : 60_000,
      timeoutMs: chance.happens(0.1) ? chance.between(0, 10 * MINUTE_MS) : null,
      news: chance.happens(0.1) ? "poll" : "watch",
      mode: chance.happens(0.1) ? "shared" : "exclusive",
      priority: chance.happens(0.05) ? 1 : 0,
      maxHoldMs: chance.happens(0.1) ? chance.between(5_000, MINUTE_MS) : null,
      expiry: chance.happens(0.2) ? { verify: jobOf(name) } : "takeover",
    };
    const persona: Partial<Persona> = {
      rate: isOff ? rate : 1,
      wallOffsetMs: chance.happens(0.3) ? chance.between(-86_400_000, 86_400_000) : 0,
      workMs: chance.between(1_000, MINUTE_MS),
      stubbornMs: chance.between(10, 10_000),
    };
    const acquires = chance.happens(0.4);
    this.#of = acquires
      ? WorkDay.#steps(world, name, config, persona, chance)
      : world.start(name, config, persona);
  }

  /** Everything of it is over. */
  get over(): boolean {
    return this.#of.over;
  }

  static #steps(
    world: World,
    name: string,
    config: Partial<Config>,
    persona: Partial<Persona>,
    chance: Chance,
  ): AcquireJob | Client {
    const steps = 1 + chance.below(4);
    const job = new AcquireJob(world, {
      name,
      config,
      persona,
      stepsMs: Array.from({ length: steps }, () => (persona.workMs ?? 1000) / steps),
      verifies: chance.happens(0.6),
      watches: chance.happens(0.8),
    });
    // Jobs die at any time of the day, though seldom.
    if (chance.happens(0.1)) jobSuffers(world, job, chance, 5 * MINUTE_MS);
    return job;
  }
}
