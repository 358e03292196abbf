/**
 * Whether keys tell apart what has to be told apart: two states of one key must lead, by whatever may happen next, to states of the
 * same keys. That is what the exploration relies on when it goes on from only one of them.
 */
import { after, choices } from "./acts.ts";
import type { Act } from "./acts.ts";
import { Keys } from "./key.ts";
import { Violation } from "./world.ts";
import type { World } from "./world.ts";

/** Two states of one key that lead to different ones. */
export interface Difference {
  readonly one: World;
  readonly other: World;
  readonly act: Act;
}

/** What was compared. */
export interface Audit {
  readonly states: number;
  /** How often a state of a known key was compared with the first one of that key. */
  readonly compared: number;
  readonly difference: Difference | null;
}

/** Walks through `states` states, those with fewer faults first, and compares each that is met again. */
export function audit(start: World, states: number, every: number): Audit {
  const keys = new Keys();
  const first = new Map<string, World>();
  const keyOf = (world: World): string => {
    keys.of(world);
    return `${keys.high}:${keys.low}`;
  };
  let compared = 0;
  let met = 0;
  const difference = (one: World, other: World): Difference | null => {
    compared++;
    const known = new Set(successors(one).map(({ then }) => keyOf(then)));
    const found = successors(other).find(({ then }) => !known.has(keyOf(then)));
    return found === undefined ? null : { one, other, act: found.act };
  };
  let layer: World[] = [start];
  first.set(keyOf(start), start);
  while (layer.length > 0 && first.size < states) {
    const faulty: World[] = [];
    for (const world of layer) {
      for (const { act, then } of successors(world)) {
        const key = keyOf(then);
        const before = first.get(key);
        if (before === undefined) {
          if (first.size >= states) continue;
          first.set(key, then);
          (act.kind === "fault" ? faulty : layer).push(then);
        } else if (before !== then && ++met % every === 0) {
          const found = difference(before, then);
          if (found !== null) return { states: first.size, compared, difference: found };
        }
      }
    }
    layer = faulty;
  }
  return { states: first.size, compared, difference: null };
}

function successors(world: World): { act: Act; then: World }[] {
  const { free, faults } = choices(world, true);
  return [...free, ...faults].flatMap((act) => {
    try {
      return [{ act, then: after(world, act) }];
    } catch (error) {
      if (error instanceof Violation) return [];
      throw error;
    }
  });
}
