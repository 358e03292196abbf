/** When all clients are over: what is left behind, and whether those who come later put it in order and get on. */
import { after, choices } from "./acts.ts";
import type { Act } from "./acts.ts";
import { Keys } from "./key.ts";
import { KeyTable } from "./states.ts";
import { isOver, recordIn, Violation } from "./world.ts";
import type { Actor, Scene, World } from "./world.ts";

/** One that has not begun. */
export const NOBODY_YET: Actor = {
  state: null,
  life: "alive",
  work: null,
  untold: false,
  watch: null,
  stood: [],
  sawHeld: [],
};

/** More than any latecomer needs to be over. */
const MOST_ACTS = 400;

/** Looks at the ends of runs. Each store that is left behind is looked at once. */
export class Afterwards {
  readonly #keys = new Keys();
  readonly #seen = new KeyTable();

  /** How many different stores were left behind. */
  get stores(): number {
    return this.#seen.size;
  }

  /** What is left although nothing went wrong and all held, or null. */
  isBare({ store, actors }: World): string | null {
    // A turn may be named just after its waiter has gone: whoever comes next takes it off.
    if (actors.some(({ state }) => state?.result?.kind !== "released")) return null;
    if (store.tickets.length > 0) return "a ticket stays behind";
    const record = store.record === null ? null : recordIn(store.record.text);
    if (record === null) return "there is no record";
    if (record.holders.length > 0) return "a holder stays behind";
    return record.turn.length > 0 ? "a turn stays behind" : null;
  }

  /** Lets latecomers come, one after the other and without faults. What is wrong then, or null. */
  check(world: World): string | null {
    const { capacity } = world.store.record === null
      ? { capacity: 1 }
      : recordIn(world.store.record.text);
    // Where several may hold, one of them may pass by what the dead left: who has to wait looks after it.
    let then = this.#alone(world, capacity + 1);
    this.#keys.of(then);
    if (!this.#seen.add(this.#keys.low, this.#keys.high, 0)) return null;
    try {
      for (let acts = 0;; acts++) {
        if (then.actors.every(isOver)) break;
        const act = firstOf(choices(then, false).free);
        if (act === undefined || acts > MOST_ACTS) return "a latecomer waits for ever";
        then = after(then, act);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return `with a latecomer ${error.message}`;
    }
    const lost = then.actors.some(({ state }) => state?.result?.kind !== "released");
    return lost ? "a latecomer does not get the lock" : this.isBare(then);
  }

  /** The store, with only latecomers in front of it. */
  #alone(world: World, count: number): World {
    const first = world.scene.parts[0];
    if (first === undefined) return world;
    const config = { ...first.config, mode: "exclusive" as const, timeoutMs: null };
    const scene: Scene = {
      ...world.scene,
      alike: false,
      arriveByMs: Infinity,
      parts: Array.from({ length: count }, (_, i) => ({
        name: `latecomer ${i + 1}`,
        workMs: count > 2 ? 8_000 : 1_000,
        lifeline: true,
        rate: 1,
        config: { ...config, grantPrefix: `Z${i}`, holder: `latecomer ${i + 1}` },
      })),
    };
    const past = { ...world.past, begun: [], brokenNow: [], dropped: [] };
    return {
      ...world,
      scene,
      past,
      wire: [],
      fresh: true,
      actors: scene.parts.map(() => NOBODY_YET),
    };
  }
}

/** What happens first when the network is as fast as it can be, and work takes its time. */
function firstOf(free: readonly Act[]): Act | undefined {
  const idle = (act: Act) => act.kind === "work ends" && free.length > 1;
  return free.find((act) => !idle(act));
}
