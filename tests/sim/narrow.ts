/**
 * Runs of few clients that come as near to two at work at once as the network and the clocks allow: claims, renewals and reads get lost
 * or late on their way again and again, and just then a holder is cut off, stopped or asleep.
 */
import type { Client } from "./client.ts";
import { befalls, MISFORTUNES } from "./misfortunes.ts";
import type { Fate, Sent } from "./network.ts";
import { deleteRecord } from "./people.ts";
import type { Chance } from "./random.ts";
import type { Step } from "./steps.ts";
import type { World } from "./world.ts";

/** How long things go wrong, in milliseconds. */
const NARROW_MS = 90_000;

/** How often what goes wrong with a request of that step, as probabilities. */
type Odds = Readonly<Partial<Record<Step, number>>>;

/** A request arrives up to a TTL late, or its answer does or does not come. */
const FATES = ["late", "slow", "unanswered", "failed, applied"] as const;

/** Plays one such run. */
export function narrow(world: World): void {
  const plan = world.stream("what kind of run");
  const clocks = plan.happens(0.6) ? 0.045 : 0;
  const count = world.size.clients ?? 2 + plan.below(3);
  const odds: Odds = {
    claim: plan.between(0, 0.8),
    renew: plan.between(0, 0.4),
    read: plan.between(0, 0.5),
    remove: plan.between(0, 0.4),
  };
  const cutOff = new Set<string>();
  const afterClaim = plan.between(0, 0.8);
  world.network.fate = (_request, sender, sent) => {
    if (sent.step === "claim") befallsClaimant(world, sent, cutOff, afterClaim);
    if (cutOff.has(sender)) return world.mishap("lost", sent.name, sent.step) ? "lost" : null;
    return aFate(world, sent, odds);
  };
  for (let i = 0; i < count; i++) begin(world, `c${i}`, clocks);
  if (plan.happens(0.3)) {
    world.time.after(plan.between(5_000, NARROW_MS), () => deleteRecord(world));
  }
  world.runUntilCalm(NARROW_MS);
  world.finish(900_000);
}

function begin(world: World, name: string, clocks: number): void {
  if (world.cut.without.has(name)) return;
  const chance = world.stream(name);
  const rate = 1 + (chance.happens(0.5) ? clocks : -clocks);
  world.time.after(chance.between(0, 10_000), () => {
    if (world.isCalm) return;
    world.start(name, {
      ttlMs: chance.happens(0.3) ? 6_000 : 10_000,
      news: chance.happens(0.3) ? "poll" : "watch",
    }, {
      rate: clocks > 0 && world.mishap("clock rate", name, "nobody") ? rate : 1,
      workMs: chance.between(10_000, 60_000),
      // It does not heed TERM: only the deadline and the lifeline end it.
      stubbornMs: 100_000,
    });
  });
}

/** Whoever claims may hear nothing from then on, or not run, for long enough that others hold. */
function befallsClaimant(
  world: World,
  { name, sender }: Sent,
  cutOff: Set<string>,
  probability: number,
): void {
  const where = `${name} and then`;
  const chance = world.stream(where);
  const client = world.clients.find(({ persona }) => persona.name === sender);
  if (client === undefined || !chance.happens(probability)) return;
  const delayMs = chance.happens(0.5) ? chance.between(0, 10) : chance.between(0, 15_000);
  const act = anAct(world, chance, cutOff);
  world.time.after(delayMs, () => act(client, where));
}

function anAct(
  world: World,
  chance: Chance,
  cutOff: Set<string>,
): (client: Client, where: string) => void {
  const forMs = chance.between(3_000, 25_000);
  const kind = chance.next();
  if (kind < 0.5) {
    return ({ persona: { name } }) => {
      cutOff.add(name);
      world.time.after(forMs, () => cutOff.delete(name));
    };
  }
  const fault = kind < 0.8 ? "paused" : "asleep";
  const misfortune = MISFORTUNES[fault](chance);
  return (client, where) => befalls(client, fault, where, misfortune);
}

function aFate(world: World, { name, step }: Sent, odds: Odds): Fate | null {
  const chance = world.stream(name);
  if (!chance.happens(odds[step] ?? 0)) return null;
  const fault = FATES[chance.below(FATES.length)] ?? "late";
  const ms = chance.between(1, 9_000);
  if (!world.mishap(fault, name, step)) return null;
  switch (fault) {
    case "late":
      return { lateMs: ms };
    case "slow":
      return { answerAfterMs: ms };
    case "unanswered":
      return fault;
    default:
      return "failed_applied";
  }
}
