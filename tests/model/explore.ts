/**
 * Explores all states of a scene, those with fewer faults first.
 *
 * First everything that can happen without a fault, then everything with one, and so on: a state that was met with fewer faults is not
 * explored again with more, as whatever follows then can follow now. Within a number of faults the shortest way to each state comes
 * first, so what breaks a promise is told by a way that is as short as any with so few faults.
 */
import { after, choices } from "./acts.ts";
import type { Act } from "./acts.ts";
import { Keys } from "./key.ts";
import { KeyTable, Numbers } from "./states.ts";
import { Afterwards } from "./afterwards.ts";
import { isOver, Violation } from "./world.ts";
import type { World } from "./world.ts";

/** How far to go. */
export interface Limits {
  /** So many faults a run at most. */
  readonly faults: number;
  /** So many states at most. */
  readonly states: number;
  /** So long at most, in milliseconds. */
  readonly ms: number;
}

/** What was explored with one number of faults. */
export interface Layer {
  readonly faults: number;
  /** States that are reached with so many faults, and not with fewer. */
  readonly states: number;
  readonly transitions: number;
  /** Acts from the beginning to the farthest of them. */
  readonly depth: number;
  /** False when a limit came first. */
  readonly complete: boolean;
}

/** A promise that is broken, and how. */
export interface Found {
  readonly what: string;
  readonly faults: number;
  readonly path: readonly Act[];
}

/** What came of an exploration. */
export interface Exploration {
  readonly layers: readonly Layer[];
  readonly states: number;
  readonly transitions: number;
  /** States in which all clients were over. */
  readonly ends: number;
  /** Different stores that were left behind, and that latecomers had to put in order. */
  readonly left: number;
  readonly ms: number;
  readonly found: Found | null;
}

interface Reached {
  readonly world: World;
  readonly index: number;
}

/** Explores everything that follows from `start`. */
export function explore(
  start: World,
  limits: Limits,
  progress: (layer: Layer) => void = () => {},
): Exploration {
  return new Explorer(start, limits, progress).run();
}

class Explorer {
  readonly #keys = new Keys();
  readonly #table = new KeyTable();
  /** By state: the one that it came from, and by which of that one's acts. */
  readonly #parents = new Numbers();
  readonly #acts = new Numbers();
  /** Steps without a fault, from state to state. */
  readonly #from = new Numbers();
  readonly #to = new Numbers();
  readonly #afterwards = new Afterwards();
  readonly #layers: Layer[] = [];
  readonly #began = performance.now();
  #transitions = 0;
  #ends = 0;
  #found: Found | null = null;

  constructor(
    readonly start: World,
    readonly limits: Limits,
    readonly progress: (layer: Layer) => void,
  ) {}

  run(): Exploration {
    let before: Reached[][] | null = null;
    for (let faults = 0; faults <= this.limits.faults && this.#found === null; faults++) {
      before = this.#layer(faults, before);
      if (before === null) break;
    }
    if (this.#found === null && before !== null) this.#checkEnds();
    return {
      layers: this.#layers,
      states: this.#table.size,
      transitions: this.#transitions,
      ends: this.#ends,
      left: this.#afterwards.stores,
      ms: performance.now() - this.#began,
      found: this.#found,
    };
  }

  /**
   * Everything with just so many faults.
   *
   * @param before the states with one fewer, by their distance from the beginning; null for the first time
   * @returns those with so many, or null when a limit or a broken promise came first
   */
  #layer(faults: number, before: Reached[][] | null): Reached[][] | null {
    const states = this.#table.size;
    const transitions = this.#transitions;
    const last = faults === this.limits.faults;
    const kept: Reached[][] = [];
    let queue = before === null ? this.#first() : [];
    let depth = 0;
    for (let level = 0; queue.length > 0 || level < (before?.length ?? 0); level++) {
      const reached: Reached[] = [];
      for (const state of queue) {
        if (this.#mustStop()) break;
        this.#goOn(state, faults, reached);
      }
      for (const state of before?.[level] ?? []) {
        if (this.#mustStop()) break;
        this.#goWrong(state, faults, reached);
      }
      if (queue.length > 0) depth = level;
      // What has been expanded by all that it may is not needed any more.
      if (before !== null) before[level] = [];
      kept.push(last ? [] : queue);
      queue = reached;
    }
    const complete = !this.#mustStop();
    const layer = {
      faults,
      states: this.#table.size - states,
      transitions: this.#transitions - transitions,
      depth,
      complete,
    };
    this.#layers.push(layer);
    this.progress(layer);
    return complete ? kept : null;
  }

  #first(): Reached[] {
    this.#keys.of(this.start);
    const index = this.#add(this.#keys.low, this.#keys.high, -1, -1);
    return [{ world: this.start, index }];
  }

  #mustStop(): boolean {
    return this.#found !== null || this.#isOverLimit();
  }

  #isOverLimit(): boolean {
    if (this.#table.size >= this.limits.states) return true;
    return performance.now() - this.#began > this.limits.ms;
  }

  /** @returns the number of a state that is new, or -1 */
  #add(low: number, high: number, from: number, act: number): number {
    const index = this.#table.size;
    if (!this.#table.add(low, high, index)) return -1;
    this.#parents.push(from);
    this.#acts.push(act);
    return index;
  }

  /** Lets everything happen that is no fault. */
  #goOn({ world, index }: Reached, faults: number, reached: Reached[]): void {
    const { free } = choices(world, false);
    for (const [number, act] of free.entries()) {
      const then = this.#try(world, index, act, faults);
      if (then === null) return;
      const { low, high } = this.#keys;
      const added = this.#add(low, high, index, number);
      this.#from.push(index);
      this.#to.push(added >= 0 ? added : this.#table.get(low, high));
      if (added >= 0) reached.push({ world: then, index: added });
    }
    if (world.actors.every(isOver)) this.#end(world, index, faults);
    else if (free.length === 0) this.#fail("somebody waits for ever", index, null, faults);
  }

  /** Lets one more thing go wrong. */
  #goWrong({ world, index }: Reached, faults: number, reached: Reached[]): void {
    const { free, faults: acts } = choices(world, true);
    for (const [at, act] of acts.entries()) {
      const then = this.#try(world, index, act, faults);
      if (then === null) return;
      const added = this.#add(this.#keys.low, this.#keys.high, index, free.length + at);
      if (added >= 0) reached.push({ world: then, index: added });
    }
  }

  /** The state after `act`, its key made; null when that breaks a promise. */
  #try(world: World, index: number, act: Act, faults: number): World | null {
    this.#transitions++;
    try {
      const then = after(world, act);
      this.#keys.of(then);
      return then;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fail(error.message, index, act, faults);
      return null;
    }
  }

  #end(world: World, index: number, faults: number): void {
    this.#ends++;
    const bare = faults > 0 ? null : this.#afterwards.isBare(world);
    const wrong = bare ?? this.#afterwards.check(world);
    if (wrong !== null) this.#fail(wrong, index, null, faults);
  }

  #fail(what: string, index: number, act: Act | null, faults: number): void {
    if (this.#found !== null) return;
    const path = [...this.#pathTo(index), ...act === null ? [] : [act]];
    this.#found = { what, faults, path };
  }

  #pathTo(index: number): Act[] {
    const numbers: number[] = [];
    for (let at = index; this.#parents.at(at) >= 0; at = this.#parents.at(at)) {
      numbers.push(this.#acts.at(at));
    }
    const path: Act[] = [];
    let world = this.start;
    for (const number of numbers.reverse()) {
      const { free, faults } = choices(world, true);
      const act = [...free, ...faults][number];
      if (act === undefined) throw new Error("a way does not lead where it led");
      path.push(act);
      world = after(world, act);
    }
    return path;
  }

  /**
   * From every state, whatever happens but a fault, all clients are over at last: the steps without a fault go in no circle. (That
   * none of them ends where somebody still waits was seen when that state was explored.)
   */
  #checkEnds(): void {
    const count = this.#table.size;
    const into = new Int32Array(count);
    const first = new Int32Array(count + 1);
    for (let i = 0; i < this.#from.length; i++) {
      const from = this.#from.at(i);
      const to = this.#to.at(i);
      into[to] = into[to]! + 1;
      first[from + 1] = first[from + 1]! + 1;
    }
    for (let i = 0; i < count; i++) first[i + 1] = first[i + 1]! + first[i]!;
    const place = first.slice();
    const edges = new Int32Array(first[count]!);
    for (let i = 0; i < this.#from.length; i++) {
      const from = this.#from.at(i);
      const to = this.#to.at(i);
      edges[place[from]!] = to;
      place[from] = place[from]! + 1;
    }
    const ready: number[] = [];
    for (let i = 0; i < count; i++) if (into[i] === 0) ready.push(i);
    let done = 0;
    for (let state = ready.pop(); state !== undefined; state = ready.pop()) {
      done++;
      for (let i = first[state]!; i < first[state + 1]!; i++) {
        const to = edges[i]!;
        into[to] = into[to]! - 1;
        if (into[to] === 0) ready.push(to);
      }
    }
    if (done < count) this.#failCircle(into, first, edges);
  }

  /** One of the states left is in a circle: whoever goes back from one of them for long enough comes to it. */
  #failCircle(into: Int32Array, first: Int32Array, edges: Int32Array): void {
    const before = new Int32Array(into.length).fill(-1);
    for (let from = 0; from < into.length; from++) {
      if (into[from] === 0) continue;
      for (let i = first[from]!; i < first[from + 1]!; i++) before[edges[i]!] = from;
    }
    let state = into.findIndex((left) => left > 0);
    for (let i = 0; i < into.length; i++) state = before[state]!;
    const round: number[] = [];
    for (let at = state; round.length === 0 || at !== state; at = before[at]!) round.push(at);
    let world = this.#worldAt(state);
    const path = this.#pathTo(state);
    for (const then of round.reverse()) {
      const act = choices(world, false).free.find((one) =>
        this.#numberOf(after(world, one)) === then
      );
      if (act === undefined) break;
      path.push(act);
      world = after(world, act);
    }
    const faults = path.filter(({ kind }) => kind === "fault").length;
    const what = `the last ${round.length} of these acts can go on for ever`;
    this.#found = { what, faults, path };
  }

  #numberOf(world: World): number {
    this.#keys.of(world);
    return this.#table.get(this.#keys.low, this.#keys.high);
  }

  #worldAt(index: number): World {
    return this.#pathTo(index).reduce((world, act) => after(world, act), this.start);
  }
}
