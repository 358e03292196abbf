/** One run of jobs of both versions on one record in version 3's form, with everything going wrong at random. */
import type { Client } from "./client.ts";
import { befalls, MISFORTUNES } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import { NO_FAULTS, OBJECT, someFaults } from "./network.ts";
import { deleteTicket, touchTicket } from "./people.ts";
import type { Chance } from "./random.ts";
import { Violation } from "./referee.ts";
import { V3Client } from "./v3_client.ts";
import { played } from "./world.ts";
import type { World } from "./world.ts";
import { parseRecord } from "../../lib/lock/record.ts";
import { joined } from "../../lib/lock/v3_form.ts";

const CHAOS_MS = 120_000;

/** The jobs of one run of a workflow. */
interface Run {
  readonly number: number;
  readonly ours: Client[];
  readonly theirs: V3Client[];
  /** All its jobs have begun. */
  begun: boolean;
}

/** What a run of the simulation is like. */
export interface Weather {
  /** `calm`: nothing goes wrong, but for runs that never come. */
  readonly weather: "calm" | "stormy";
}

/** Runs `seed` to its end. Throws when a promise was broken; `cause` is the `Violation`, or what the driver threw. */
export function simulateV3(seed: number): World {
  return played(v3, seed);
}

/** Runs of both versions come one after the other while everything goes wrong; then all is well, and no number may be lost. */
export function v3(world: World): void {
  const weather = world.seed % 4 === 0 ? "calm" : "stormy";
  const runs = begin(world, weather);
  world.runUntilCalm(CHAOS_MS);
  end(world, runs, weather);
}

function begin(world: World, weather: Weather["weather"]): Run[] {
  const { time } = world;
  const chance = world.stream("what kind of run");
  const faults = someFaults(chance);
  if (weather === "stormy") world.network.faults = chance.happens(0.2) ? NO_FAULTS : faults;
  const first = 1 + chance.below(50);
  world.core.createRecord(OBJECT, joined(undefined, `${first}`));
  const runs: Run[] = [];
  let questions = 0;
  world.fateOf = (number) => {
    const question = `question ${++questions}`;
    const isIll = world.stream(question).happens(0.2);
    if (isIll && world.mishaps.allows(question, "unknown")) return "unknown";
    const run = runs[number - first];
    if (run === undefined || !run.begun) return number < first ? "over" : "not_over";
    const over = run.ours.every((one) => one.over) &&
      run.theirs.every((one) => one.state === "over");
    return over ? "over" : "not_over";
  };
  world.referee.strangers = (client) => {
    for (const { number, theirs } of runs) {
      if (number === client.persona.config.orderKey) continue;
      for (const { state } of theirs) {
        if (state === "works" || state === "ends") {
          throw new Violation(`${client.persona.name} works while v3-${number} does`);
        }
      }
    }
  };
  const dangers = weather === "stormy" && chance.happens(0.6);
  const theirShare = chance.happens(0.3) ? 0 : chance.between(0.2, 0.7);
  const count = 3 + chance.below(5);
  for (let i = 0; i < count; i++) {
    const run: Run = { number: first + i, ours: [], theirs: [], begun: false };
    runs.push(run);
    const own = world.stream(`run ${i}`);
    const startsAt = own.between(0, 10_000) + i * own.between(0, 8_000);
    const isMissing = own.happens(0.15);
    time.after(startsAt, () => {
      run.begun = true;
      if (!isMissing && !world.isCalm) startRun(world, run, own, { theirShare, dangers });
    });
  }
  if (weather === "stormy" && chance.happens(0.3)) {
    for (let i = 0; i < 3; i++) {
      const act = chance.happens(0.5) ? deleteTicket : touchTicket;
      time.after(chance.between(0, CHAOS_MS / 2), () => act(world, `person ${i}`));
    }
  }
  return runs;
}

function startRun(
  world: World,
  run: Run,
  chance: Chance,
  { theirShare, dangers }: { readonly theirShare: number; readonly dangers: boolean },
): void {
  const { time, mishaps } = world;
  const some = (probability: number, act: () => void) => {
    if (dangers && chance.happens(probability)) time.after(chance.between(0, 40_000), act);
  };
  if (chance.happens(theirShare)) {
    const name = `v3-${run.number}`;
    if (world.cut.without.has(name)) return;
    const workMs = chance.between(100, 5_000);
    const one = new V3Client(world, run.number, workMs, chance.happens(0.5));
    run.theirs.push(one);
    some(0.3, () => {
      if (one.state !== "over" && world.mishap("killed", name, "nobody")) one.kill();
    });
    return;
  }
  const legs = chance.happens(0.3) ? 2 + chance.below(2) : 1;
  for (let leg = 0; leg < legs; leg++) {
    const name = `r${run.number}-${leg}`;
    if (world.cut.without.has(name)) continue;
    const own = world.stream(name);
    const timeoutMs = own.between(0, 40_000);
    const isImpatient = dangers && own.happens(0.2) && mishaps.allows(name, "is impatient");
    const client = world.start(name, {
      order: own.happens(0.5) ? null : "sequential",
      orderKey: run.number,
      news: own.happens(0.15) && mishaps.allows(name, "polls") ? "poll" : "watch",
      timeoutMs: isImpatient ? timeoutMs : null,
    }, {
      workMs: own.between(10, 6_000),
      stubbornMs: own.between(10, 5_000),
    });
    run.ours.push(client);
    const suffers = (probability: number, fault: ClientFault) => {
      const misfortune = MISFORTUNES[fault](own);
      if (!dangers || !own.happens(probability)) return;
      time.after(own.between(0, 40_000), () => befalls(client, fault, name, misfortune));
    };
    suffers(0.25, "killed");
    suffers(0.25, "paused");
    suffers(0.15, "signalled");
  }
}

function end(world: World, runs: readonly Run[], weather: Weather["weather"]): void {
  const isOver = () => world.clients.every((client) => client.over);
  world.run(isOver, 1_200_000, "somebody waits for ever");
  for (const { theirs } of runs) for (const one of theirs) if (one.state === "waits") one.kill();
  world.run(
    () => runs.every(({ theirs }) => theirs.every(({ state }) => state === "over")),
    60_000,
    "version 3 does not end",
  );
  if (weather === "calm") {
    for (const client of world.clients) {
      const { result } = client.state;
      const run = runs.find(({ ours }) => ours.includes(client));
      // One that comes when all others of its run are done is told so.
      const isLate = result?.kind === "passed" && (run?.ours.length ?? 0) > 1;
      if (result?.kind !== "released" && !isLate) {
        throw new Violation(`${client.persona.name} lost its number: ${result?.kind}`);
      }
    }
  }
  world.runFor(45_000);
  // One of a later run gets it in the end, whatever is left of those before.
  const before = runs.at(-1)?.number ?? 0;
  const next = Math.max(before, world.record()?.next_build ?? 0) + 3;
  for (const number of [next, next + 1]) {
    world.start(`last${number}`, { order: null, orderKey: number }, { workMs: 100 });
    world.fateOf = (asked) => asked < number ? "over" : "not_over";
    world.run(isOver, 600_000, "the last ones wait for ever");
    const kind = world.clients.at(-1)?.state.result?.kind;
    if (kind !== "released") throw new Violation(`the last one does not hold: ${kind}`);
  }
  world.runFor(1000);
  const left = world.core.listTickets(OBJECT);
  if (left.length > 0) throw new Violation(`tickets stay behind: ${left.map((t) => t.grant)}`);
  const stored = world.core.readRecord(OBJECT);
  const record = stored === null ? null : parseRecord(stored.text);
  if (record?.next_build !== next + 2) throw new Violation(`the number is ${record?.next_build}`);
  if (record.holders.length > 0 || record.turn.length > 0) {
    throw new Violation("a holder or a turn stays behind");
  }
}
