/** Faults that wait for a moment: they strike whoever comes to a certain step of the protocol, just then. */
import type { Client } from "./client.ts";
import { befalls, MISFORTUNES, storeAway } from "./misfortunes.ts";
import type { ClientFault } from "./misfortunes.ts";
import { FATES } from "./network.ts";
import type { Fate, RequestFault, Sent } from "./network.ts";
import { breakLock, ON_A_TICKET, PEOPLES_ACTS } from "./people.ts";
import type { Chance } from "./random.ts";
import { STEPS } from "./steps.ts";
import type { Step } from "./steps.ts";
import type { World } from "./world.ts";

/** The steps that are waited for, each with how often. What is rare, and what decides who holds, is waited for more often. */
const WEIGHTS: Readonly<Partial<Record<Step, number>>> = {
  read: 1,
  list: 1,
  "create record": 2,
  "create ticket": 1,
  settle: 4,
  claim: 4,
  "call the roll": 4,
  "answer the roll": 3,
  "close the roll": 4,
  renew: 1,
  release: 1,
  remove: 4,
  cancel: 1,
  "clear away": 1,
};
const WHERE = STEPS.flatMap((step) => Array<Step>(WEIGHTS[step] ?? 0).fill(step));

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
  for (let i = plan.below(10); i > 0; i--) {
    const step = WHERE[plan.below(WHERE.length)] ?? "claim";
    const spares = plan.happens(0.6) ? 0 : plan.below(4);
    ambushes.push({ name: `ambush ${i}`, step, spares });
  }
  const givesUp = plan.happens(0.2);
  const seizes = plan.happens(0.8);
  world.network.fate = (_request, _sender, sent) => {
    if (seizes) seize(world, sent);
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

/** At these it is seldom held at the same time. */
const WHILE_IT_IS_FREE: ReadonlySet<Step> = new Set([
  "settle",
  "call the roll",
  "answer the roll",
  "close the roll",
]);

/** Two things that seldom come together do: something happens at once, as it will not soon be possible again. */
function seize(world: World, { name, sender, step }: Sent): void {
  const where = `${name} of all moments`;
  const chance = world.stream(where);
  const seized = chance.happens(0.3);
  const afterMs = chance.between(0, 4);
  if (!seized) return;
  const isHeld = (world.referee.known?.holders.length ?? 0) > 0;
  if (isHeld && WHILE_IT_IS_FREE.has(step)) {
    const how = chance.happens(0.5) ? "now" : "in order";
    world.time.after(afterMs, () => breakLock(world, how, undefined, where));
  }
  if (step === "create record") {
    const act = ON_A_TICKET[chance.below(ON_A_TICKET.length)];
    world.time.after(afterMs, () => act?.(world, where));
  }
  // Both are over soon, and seldom begun: an outage hardly ever finds them by itself.
  if ((step === "close the roll" || step === "remove") && chance.happens(0.2)) {
    storeAway(world, chance.between(100, 15_000), where);
  }
  // Most have stopped to watch when they give back; not those who wanted to leave, and found that their claim had come true.
  const client = world.clients.find(({ persona }) => persona.name === sender);
  if (step !== "release" || client === undefined || !client.watches) return;
  const fault = (["watch broken", "watch silent", "event late"] as const)[chance.below(3)];
  if (fault === undefined) return;
  const misfortune = MISFORTUNES[fault](chance);
  world.time.after(afterMs, () => befalls(client, fault, where, misfortune));
}

/** Something happens to the client, to the store or by a person, at once or a little later, and the request has a fate as well; or either. */
function strike(world: World, { name }: Ambush, sent: Sent): Fate | null {
  const chance = world.stream(name);
  const client = world.clients.find(({ persona }) => persona.name === sent.sender);
  if (client === undefined) return null;
  const kind = chance.below(3);
  const delayMs = chance.happens(0.7) ? chance.between(0, 5) : chance.between(0, 6_000);
  const act = anAct(world, chance);
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

function anAct(world: World, chance: Chance): (client: Client, where: string) => void {
  const forMs = chance.between(100, 15_000);
  const kind = chance.next();
  if (kind < 0.1) return (_client, where) => storeAway(world, forMs, where);
  if (kind < 0.5) {
    const act = PEOPLES_ACTS[chance.below(PEOPLES_ACTS.length)];
    return (_client, where) => act?.(world, where);
  }
  const fault = CLIENT_FAULTS[chance.below(CLIENT_FAULTS.length)] ?? "signalled";
  const misfortune = MISFORTUNES[fault](chance);
  return (client, where) => befalls(client, fault, where, misfortune);
}
