/** Faults that wait for a moment: they strike whoever comes to a certain step of the protocol, just then. */
import { MISFORTUNES, storeAway } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import type { Fate, Sent } from "./network.ts";
import { PEOPLES_ACTS } from "./people.ts";
import type { Chance } from "./random.ts";
import { STEPS } from "./steps.ts";
import type { Step } from "./steps.ts";
import type { Client } from "./client.ts";
import type { World } from "./world.ts";

/** One of them. */
interface Ambush {
  readonly name: string;
  readonly step: Step;
  /** How many requests of that step still pass. */
  spares: number;
}

const CLIENT_FAULTS = Object.keys(MISFORTUNES) as ClientFault[];

/** Makes some of the faults of this run wait for their moment. */
export function layAmbushes(world: World): void {
  const plan = world.stream("ambushes");
  const ambushes: Ambush[] = [];
  for (let i = plan.below(5); i > 0; i--) {
    // Many wait for a claim, whose end matters most.
    const step = plan.happens(0.3) ? "claim" : STEPS[plan.below(STEPS.length)] ?? "claim";
    ambushes.push({ name: `ambush ${i}`, step, spares: plan.below(4) });
  }
  world.network.fate = (_request, _sender, sent) => {
    for (const ambush of ambushes) {
      if (ambush.step !== sent.step || ambush.spares-- !== 0) continue;
      return strike(world, ambush, sent);
    }
    return null;
  };
}

/** Something happens to the client, to the store or by a person, at once or a little later; the request may have a fate as well. */
function strike(
  world: World,
  { name }: Ambush,
  { sender, step, name: request }: Sent,
): Fate | null {
  const chance = world.stream(name);
  const client = world.clients.find(({ persona }) => persona.name === sender);
  if (client === undefined) return null;
  const delayMs = chance.happens(0.7) ? chance.between(0, 8) : chance.between(0, 6_000);
  const act = anAct(world, chance);
  world.time.after(delayMs, () => act(client, name));
  if (chance.happens(0.5)) return null;
  const kind = chance.below(3);
  if (kind === 0) return world.mishap("unanswered", request, step) ? "unanswered" : null;
  const slowMs = chance.between(1, 8_000);
  if (kind === 1) return world.mishap("slow", request, step) ? { answerAfterMs: slowMs } : null;
  const lateMs = chance.between(1, 20_000);
  return world.mishap("late", request, step) ? { lateMs } : null;
}

function anAct(world: World, chance: Chance): (client: Client, where: string) => void {
  const kind = chance.below(8);
  if (kind < 5) {
    const fault = CLIENT_FAULTS[kind] ?? "signalled";
    const misfortune = MISFORTUNES[fault](chance);
    return (client, where) => {
      if (!client.over && world.mishap(fault, where, client)) misfortune(client);
    };
  }
  const forMs = chance.between(100, 15_000);
  if (kind === 5) return (_client, where) => storeAway(world, forMs, where);
  const act = PEOPLES_ACTS[chance.below(PEOPLES_ACTS.length)];
  return (_client, where) => act?.(world, where);
}
