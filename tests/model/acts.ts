/** What can happen next in a state, and the state after it. */
import type { Effect } from "../../lib/lock/driver.ts";
import { faultsIn, go } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { isAwaited, Turn } from "./turn.ts";
import { carried, NO_ANSWER, partsLeft } from "./wire.ts";
import { isOver, lifelineAt } from "./world.ts";
import type { World } from "./world.ts";

/** Something that happens. `who` is a client, `at` a place on the wire. */
export type Act =
  | { readonly kind: "begin" | "tick" | "news" | "told" | "resume"; readonly who: number }
  | { readonly kind: "lifeline"; readonly who: number }
  /** `due`: it does not go on for longer. */
  | { readonly kind: "work ends"; readonly who: number; readonly due: boolean }
  /** A request is carried out and answered; of two parts, the one named. */
  | { readonly kind: "carry"; readonly at: number; readonly part: "read" | "list" | null }
  | { readonly kind: "deliver" | "timeout"; readonly at: number }
  /** Nothing else is left to happen at this moment. */
  | { readonly kind: "later"; readonly now: number }
  | Fault;

/** What can happen without a fault, and with one. Both in an order that follows from the state. */
export interface Choices {
  readonly free: readonly Act[];
  readonly faults: readonly Fault[];
}

/** Everything that can happen next. */
export function choices(world: World, withFaults: boolean): Choices {
  const done = !withFaults || world.actors.every(isOver);
  const faults = done ? [] : faultsIn(world);
  const late = world.now >= world.scene.arriveByMs && world.fresh
    ? world.actors.findIndex(({ state }) => state === null)
    : -1;
  if (late >= 0) return { free: [{ kind: "begin", who: late }], faults };
  const alone = world.actors.findIndex((_, who) => isAlone(world, who));
  const free = world.actors.flatMap((_, who) =>
    actsOf(world, who).filter((act) => alone < 0 || who === alone || (world.fresh && isWork(act)))
  );
  const urgent = free.some((act) => !isWork(act));
  if (world.fresh) free.push(...entrances(world));
  if (alone >= 0) return { free, faults };
  const onWire = wireActs(world, free);
  if (!urgent && !onWire) {
    const next = nextMoment(world);
    if (next !== null) free.push({ kind: "later", now: next });
  }
  return { free, faults };
}

/**
 * True for a client that has something to do which nobody else has to do with, and which nobody else can get in the way of: nothing of
 * it is on the wire. Whether that happens before or after what others do is all one, so it happens first.
 */
function isAlone(world: World, who: number): boolean {
  const actor = world.actors[who];
  if (actor === undefined || !actsOf(world, who).some((act) => !isWork(act))) return false;
  return !world.wire.some(({ kind, owner, id }) =>
    owner === who && (kind === "event" || isAwaited(actor, id))
  );
}

/** Work that may end, but need not. */
function isWork(act: Act): boolean {
  return act.kind === "work ends" && !act.due;
}

/** What one client does by itself. */
function actsOf(world: World, who: number): Act[] {
  const acts: Act[] = [];
  const actor = world.actors[who];
  const part = world.scene.parts[who];
  if (actor === undefined || part === undefined) return acts;
  const { state, life, work, untold, watch } = actor;
  if (work !== null) {
    // At the beginning of a moment, or where it has only just begun: in between nothing comes of it that did not come of that.
    const may = life === "alive" && (world.fresh || work.since === world.now);
    const due = world.now >= work.since + part.workMs;
    if (world.now >= lifelineAt(part, actor)) acts.push({ kind: "lifeline", who });
    else if (due || may) acts.push({ kind: "work ends", who, due });
  }
  if (state === null || life !== "alive") return acts;
  if (untold) acts.push({ kind: "told", who });
  if (state.wakeAt !== null && state.wakeAt <= world.now * part.rate) {
    acts.push({ kind: "tick", who });
  }
  if ((watch?.news.length ?? 0) > 0) acts.push({ kind: "news", who });
  return acts;
}

/** Who may begin, or go on after a pause. What it asks for then may take its time, so it does that at the beginning of a moment. */
function entrances(world: World): Act[] {
  return world.actors.flatMap(({ state, life }, who): Act[] => {
    if (state === null) return [{ kind: "begin", who }];
    return life === "paused" ? [{ kind: "resume", who }] : [];
  });
}

/** @returns true when one of them comes before time goes on */
function wireActs(world: World, free: Act[]): boolean {
  let urgent = false;
  world.wire.forEach((message, at) => {
    const owner = world.actors[message.owner];
    const hears = owner?.life === "alive";
    if (message.kind === "request") {
      const parts = partsLeft(message);
      for (const part of parts) free.push({ kind: "carry", at, part });
      if (message.pace === "fast") urgent = true;
    } else if (hears) free.push({ kind: "deliver", at });
    if (message.kind === "event" || !hears || message.until > world.now) return;
    if (!isAwaited(owner, message.id)) return;
    free.push({ kind: "timeout", at });
    urgent = true;
  });
  return urgent;
}

/** When something happens by itself, on the grid; null when nothing ever does. */
function nextMoment(world: World): number | null {
  const { scene, now, actors, wire } = world;
  let next = Infinity;
  actors.forEach((actor, who) => {
    const part = scene.parts[who];
    if (part === undefined) return;
    if (actor.work !== null) {
      next = Math.min(next, actor.work.since + part.workMs, lifelineAt(part, actor));
    }
    if (actor.life === "alive") {
      next = Math.min(next, (actor.state?.wakeAt ?? Infinity) / part.rate);
    }
  });
  for (const message of wire) {
    const owner = actors[message.owner];
    if (message.kind === "event" || owner?.life !== "alive") continue;
    if (isAwaited(owner, message.id)) next = Math.min(next, message.until);
  }
  if (next === Infinity) {
    // Somebody may still begin, or go on: that needs a moment of its own.
    return world.fresh || entrances(world).length === 0 ? null : now + scene.gridMs;
  }
  return Math.max(now + scene.gridMs, Math.ceil(next / scene.gridMs) * scene.gridMs);
}

/** The state after `act`. Throws a Violation when that breaks a promise. */
export function after(
  world: World,
  act: Act,
  told?: (who: number, effect: Effect) => void,
): World {
  const turn = new Turn(world, told);
  // Any number of them may begin, end or go on at the beginning of a moment.
  turn.fresh &&= ["begin", "resume", "work ends", "fault"].includes(act.kind);
  switch (act.kind) {
    case "begin":
      turn.begin(act.who);
      break;
    case "tick":
      turn.step(act.who, { kind: "tick" });
      break;
    case "news":
      news(turn, act.who);
      break;
    case "told":
      turn.change(act.who, { untold: false });
      turn.step(act.who, { kind: "work_ended" });
      break;
    case "resume":
      turn.change(act.who, { life: "alive" });
      break;
    case "work ends":
    case "lifeline":
      turn.endWork(act.who);
      break;
    case "carry":
      carry(turn, act.at, act.part);
      break;
    case "deliver":
      deliver(turn, act.at);
      break;
    case "timeout":
      timeout(turn, act.at);
      break;
    case "later":
      turn.now = act.now;
      turn.fresh = true;
      break;
    case "fault":
      go(turn, act);
  }
  return turn.world();
}

function news(turn: Turn, who: number): void {
  const { watch } = turn.actor(who);
  const [record, ...others] = watch?.news ?? [];
  if (watch === null || record === undefined) return;
  turn.change(who, { watch: { ...watch, news: others } });
  turn.step(who, { kind: "watched", id: watch.id, record });
}

function deliver(turn: Turn, at: number): void {
  const [message] = turn.wire.splice(at, 1);
  if (message?.kind === "event") {
    turn.step(message.owner, { kind: "watched", id: message.id, record: message.record });
  } else if (message?.kind === "answer") {
    turn.step(message.owner, { kind: "answer", id: message.id, answer: message.answer });
  }
}

/** No answer in time. A write may be carried out later. */
function timeout(turn: Turn, at: number): void {
  const message = turn.wire[at];
  if (message === undefined || message.kind === "event") return;
  const answer = { failure: NO_ANSWER };
  turn.step(message.owner, { kind: "answer", id: message.id, answer });
}

function carry(turn: Turn, at: number, part: "read" | "list" | null): void {
  const message = turn.wire[at];
  if (message?.kind !== "request") return;
  const answer = carried(turn, message, part);
  if (answer === null) return;
  turn.wire = turn.wire.filter((one) => one !== message);
  const { owner, id, until } = message;
  const actor = turn.actor(owner);
  if (!isAwaited(actor, id)) return;
  if (actor.life === "alive") turn.step(owner, { kind: "answer", id, answer });
  else turn.wire.push({ kind: "answer", owner, id, answer, until });
}
