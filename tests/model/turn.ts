/** One act while it happens: a state in the making, with what the program around the step does with its effects. */
import type { Answer, Effect, Happening, Request } from "../../lib/lock/driver.ts";
import { begin, step } from "../../lib/lock/step.ts";
import type { StoredRecord } from "../../lib/lock/store.ts";
import { judgeWork, judgeWrite } from "./referee.ts";
import { execute, revisionOf } from "./store.ts";
import type { Plain, Store } from "./store.ts";
import { recordIn } from "./world.ts";
import type { Actor, Message, Part, Past, Scene, World } from "./world.ts";

/** What the wall clocks say at the beginning. */
export const WALL_MS = 1_700_000_000_000;

/** Every random number begins here: the first is 0.4999983, so that random waits are as long as they are on average. */
const RANDOM = 84100;

/** A request that changes nothing: nobody cares whether it is carried out when nobody waits. */
export function isRead(request: Request): boolean {
  return ["read", "look", "survey", "list", "read_ticket"].includes(request.kind);
}

/** True while the sender of a message waits for what it asked. */
export function isAwaited(actor: Actor | undefined, id: number): boolean {
  if (actor?.state == null || actor.life === "dead") return false;
  return actor.state.flight?.id === id || actor.state.clearing?.id === id;
}

/** A state that is being made from another. */
export class Turn {
  now: number;
  store: Store;
  past: Past;
  readonly scene: Scene;
  readonly actors: Actor[];
  wire: Message[];
  fresh: boolean;

  constructor(world: World, readonly told: (who: number, effect: Effect) => void = () => {}) {
    this.now = world.now;
    this.store = world.store;
    this.past = world.past;
    this.scene = world.scene;
    this.actors = [...world.actors];
    this.wire = [...world.wire];
    this.fresh = world.fresh;
  }

  actor(who: number): Actor {
    const actor = this.actors[who];
    if (actor === undefined) throw new Error(`there is no client ${who}`);
    return actor;
  }

  change(who: number, some: Partial<Actor>): void {
    this.actors[who] = { ...this.actor(who), ...some };
  }

  #part(who: number): Part {
    const part = this.scene.parts[who];
    if (part === undefined) throw new Error(`there is no client ${who}`);
    return part;
  }

  begin(who: number): void {
    const { config, rate } = this.#part(who);
    const now = this.now * rate;
    const state = { ...begin(config, now, WALL_MS + now), random: RANDOM };
    this.change(who, { state });
    this.step(who, { kind: "tick" });
  }

  /** Something happens to a client. */
  step(who: number, what: Happening): void {
    const { state } = this.actor(who);
    if (state === null) return;
    const now = this.now * this.#part(who).rate;
    const after = step(state, { now, wall: WALL_MS + now, what });
    this.change(who, { state: { ...after.state, random: RANDOM } });
    this.#noteHeld(who, state.known?.stored ?? null);
    for (const effect of after.effects) this.#carryOut(who, effect);
  }

  #noteHeld(who: number, before: StoredRecord | null): void {
    const { state, sawHeld } = this.actor(who);
    const stored = state?.known?.stored ?? null;
    if (stored === null || stored === before || sawHeld.includes(stored.uid)) return;
    if (recordIn(stored.text).holders.length === 0) return;
    this.change(who, { sawHeld: [...sawHeld, stored.uid] });
  }

  #carryOut(who: number, effect: Effect): void {
    this.told(who, effect);
    switch (effect.kind) {
      case "request": {
        const { id, request, timeoutMs } = effect;
        const until = this.now + timeoutMs / this.#part(who).rate;
        this.wire.push({
          kind: "request",
          owner: who,
          id,
          request,
          until,
          part: null,
          pace: "fast",
        });
        return;
      }
      case "watch":
        return this.change(who, {
          watch: { id: effect.id, news: changesSince(this.store, effect.from) },
        });
      case "unwatch":
        return this.change(who, { watch: null });
      case "start_work":
        return this.#startWork(who);
      case "stop_work":
        if (effect.how === "kill") this.endWork(who);
        return;
      default:
        return;
    }
  }

  #startWork(who: number): void {
    const { state } = this.actor(who);
    if (state?.hold == null) return;
    const { token, uid, slot } = state.hold;
    const { mode } = state.config;
    const work = { grant: state.grant, token, uid, slot, mode, since: this.now };
    this.past = judgeWork(this, who, work);
    this.change(who, { work });
  }

  /** All of its work is reaped. */
  endWork(who: number): void {
    const { work, life } = this.actor(who);
    if (work !== null) this.change(who, { work: null, untold: life !== "dead" });
  }

  /** The store carries out a request. @returns its answer */
  execute(request: Plain): Answer {
    const before = this.store.record;
    const { store, answer } = execute(this.store, request);
    this.write(store, before);
    return answer;
  }

  /** The store becomes another: the referee looks at its record, and watches report it. */
  write(store: Store, before: StoredRecord | null = this.store.record): void {
    this.store = store;
    if (store.record === before) return;
    this.past = judgeWrite(this, before, store.record);
    this.actors.forEach(({ watch, life }, who) => {
      if (watch === null || life === "dead") return;
      this.change(who, { watch: { ...watch, news: [...watch.news, store.record] } });
    });
  }

  /** The state that has been made, without what cannot have an effect any more. */
  world(): World {
    this.actors.forEach((actor, who) => {
      const news = actor.watch?.news.filter((one) => isNews(actor, one));
      if (news !== undefined && news.length < (actor.watch?.news.length ?? 0)) {
        this.change(who, { watch: actor.watch === null ? null : { ...actor.watch, news } });
      }
    });
    const { scene, now, store, actors, past, fresh } = this;
    const wire = this.wire.flatMap((message) => this.#kept(message));
    return { scene, now, store, actors, wire, past, fresh };
  }

  #kept(message: Message): Message[] {
    const owner = this.actors[message.owner];
    if (message.kind === "event") {
      const watch = owner?.state?.watch;
      const hears = owner?.life !== "dead" && watch?.open && watch.id === message.id;
      return hears ? [message] : [];
    }
    const awaited = isAwaited(owner, message.id);
    if (message.kind === "answer") return awaited ? [message] : [];
    if (awaited) return [message];
    if (isRead(message.request)) return [];
    if (message.pace === "fast" && owner?.life !== "dead") return [message];
    if (isInVain(this.store, message.request)) return [];
    return [message.pace === "orphan" ? message : { ...message, pace: "orphan", until: 0 }];
  }
}

/** True when nothing can come of a write any more: what it was sent against will never stand again. */
function isInVain(store: Store, request: Request): boolean {
  switch (request.kind) {
    case "replace":
      return store.record?.uid !== request.base.uid ||
        store.record.revision !== request.base.revision;
    case "patch_ticket":
      return !store.tickets.some(({ uid, revision }) =>
        uid === request.base.uid && revision === request.base.revision
      );
    case "delete_tickets":
      return !request.tickets.some(({ uid }) => store.tickets.some((one) => one.uid === uid));
    default:
      return false;
  }
}

/** False for an event that tells no more than its client knows already from an answer. */
function isNews({ state }: Actor, record: StoredRecord | null): boolean {
  const known = state?.known?.stored;
  if (record === null || known == null || known.uid !== record.uid) return true;
  return revisionOf(record) > revisionOf(known);
}

function changesSince(store: Store, from: string): (StoredRecord | null)[] {
  const { record, deletedAt } = store;
  const news: (StoredRecord | null)[] = [];
  if (from !== "" && deletedAt > Number(from)) news.push(null);
  if (record !== null && (from === "" || revisionOf(record) > Number(from))) news.push(record);
  return news;
}
