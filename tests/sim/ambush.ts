/** Faults that wait for a moment: they strike whoever comes to a certain step of the protocol, just then. */
import type { Client } from "./client.ts";
import { befalls, MISFORTUNES, storeAway } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import { FATES } from "./network.ts";
import type { Fate, RequestFault, Sent } from "./network.ts";
import { actsAtHand, PEOPLES_ACTS } from "./people.ts";
import type { Chance } from "./random.ts";
import type { Step } from "./steps.ts";
import type { World } from "./world.ts";

/** The steps that are waited for. What is rare, and what decides who holds, stands here more often. */
const WHERE: readonly Step[] = [
  "claim",
  "claim",
  "claim",
  "settle",
  "settle",
  "call the roll",
  "call the roll",
  "answer the roll",
  "answer the roll",
  "close the roll",
  "close the roll",
  "remove",
  "remove",
  "cancel",
  "release",
  "create record",
  "create ticket",
  "renew",
  "clear away",
  "list",
  "read",
];

/** At these nobody comes by for long: a person who comes at all does what can be done just then. */
const RARE: ReadonlySet<Step> = new Set([
  "create record",
  "settle",
  "call the roll",
  "answer the roll",
  "close the roll",
  "remove",
]);

/** One of them. */
interface Ambush {
  readonly name: string;
  readonly step: Step;
  /** How many requests of that step still pass. */
  spares: number;
}

/** Makes some of the faults of this run wait for their moment. */
export function layAmbushes(world: World): void {
  const plan = world.stream("ambushes");
  const ambushes: Ambush[] = [];
  for (let i = plan.below(8); i > 0; i--) {
    const step = WHERE[plan.below(WHERE.length)] ?? "claim";
    const spares = plan.happens(0.6) ? 0 : plan.below(4);
    ambushes.push({ name: `ambush ${i}`, step, spares });
  }
  const givesUp = plan.happens(0.2);
  world.network.fate = (_request, _sender, sent) => {
    if (sent.step === "release") spoilWatch(world, sent);
    if (givesUp && sent.step === "claim") return givenUp(world, sent);
    for (const ambush of ambushes) {
      if (ambush.step === sent.step && ambush.spares-- === 0) return strike(world, ambush, sent);
    }
    return null;
  };
}

/** Some get a signal just when they claim, and that claim has a fate of its own: it may come true after they have left. */
function givenUp(world: World, { name, sender, step }: Sent): Fate | null {
  const where = `${name} given up`;
  const chance = world.stream(where);
  const client = world.clients.find(({ persona }) => persona.name === sender);
  if (client === undefined || !chance.happens(0.3)) return null;
  world.time.after(
    chance.between(0, 6_000),
    () => befalls(client, "signalled", where, (client) => client.signal()),
  );
  const fault = (["unanswered", "slow", "late"] as const)[chance.below(3)] ?? "late";
  return world.mishap(fault, name, step) ? FATES[fault](chance) : null;
}

/** Most have stopped to watch when they give back; not those who wanted to leave, and found that their claim had come true. */
function spoilWatch(world: World, { name, sender }: Sent): void {
  const client = world.clients.find(({ persona }) => persona.name === sender);
  if (client === undefined || !client.watches) return;
  const where = `${name} while it watches`;
  const chance = world.stream(where);
  const fault = (["watch broken", "watch silent", "event late"] as const)[chance.below(6)];
  if (fault === undefined) return;
  const misfortune = MISFORTUNES[fault](chance);
  world.time.after(chance.between(0, 3), () => befalls(client, fault, where, misfortune));
}

/** Something happens to the client, to the store or by a person, at once or a little later, and the request has a fate as well; or either. */
function strike(world: World, { name }: Ambush, sent: Sent): Fate | null {
  const chance = world.stream(name);
  const client = world.clients.find(({ persona }) => persona.name === sent.sender);
  if (client === undefined) return null;
  const kind = chance.below(3);
  const delayMs = chance.happens(0.7) ? chance.between(0, 5) : chance.between(0, 6_000);
  const act = anAct(world, sent.step, chance);
  if (kind > 0) world.time.after(delayMs, () => act(client, name));
  return kind < 2 ? aFate(world, sent, chance) : null;
}

const REQUEST_FAULTS = Object.keys(FATES) as RequestFault[];

function aFate(world: World, { name, step }: Sent, chance: Chance): Fate | null {
  const fault = REQUEST_FAULTS[chance.below(REQUEST_FAULTS.length)];
  if (fault === undefined || !world.mishap(fault, name, step)) return null;
  return FATES[fault](chance);
}

const CLIENT_FAULTS = Object.keys(MISFORTUNES) as ClientFault[];

function anAct(world: World, step: Step, chance: Chance): (client: Client, where: string) => void {
  const atHand = actsAtHand(world);
  if (chance.happens(RARE.has(step) ? 0.7 : 0.4) && atHand.length > 0) {
    const act = atHand[chance.below(atHand.length)];
    return (_client, where) => act?.(world, where);
  }
  const kind = chance.below(CLIENT_FAULTS.length + PEOPLES_ACTS.length + 1);
  const fault = CLIENT_FAULTS[kind];
  if (fault !== undefined) {
    const misfortune = MISFORTUNES[fault](chance);
    return (client, where) => befalls(client, fault, where, misfortune);
  }
  const act = PEOPLES_ACTS[kind - CLIENT_FAULTS.length];
  if (act !== undefined) return (_client, where) => act(world, where);
  const forMs = chance.between(100, 15_000);
  return (_client, where) => storeAway(world, forMs, where);
}
