/** Makes a failing run smaller, for as long as it fails in the same way. */
import { ended } from "./run.ts";
import type { Run } from "./run.ts";
import { WHOLE } from "./world.ts";
import type { Cut } from "./world.ts";

/** How much may be tried. Without `ms` the same run is always shrunk to the same. */
export interface Patience {
  readonly runs: number;
  readonly ms?: number;
}

/** A failing run with what is left of it. */
export interface Shrunk {
  readonly run: Run;
  readonly failure: string;
  /** How many smaller runs were tried. */
  readonly tried: number;
}

/** The clients that come at the end of each run, to see that the lock is free, stay. */
const IS_LAST = /^last\d/;

/**
 * The smallest run that still fails as `run` does, by `failure`: with the fewest clients, then with the fewest mishaps and peculiarities,
 * then with the soonest calm.
 */
export function shrunk(run: Run, failure: string, patience: Patience): Shrunk {
  const search = new Search(run, failure, patience);
  search.dropClients();
  search.dropMishaps();
  search.dropClients();
  search.calmSooner();
  search.dropMishaps();
  return { run: { ...run, cut: search.cut }, failure: search.failure, tried: search.tried };
}

/** Two failures are of one kind when they differ in names and numbers only. */
export function kindOf(failure: string): string {
  return (failure.split("\n")[0] ?? "").replace(/\S*\d\S*/g, "…");
}

class Search {
  cut: Cut;
  tried = 0;
  readonly #kind: string;
  readonly #giveUpAt: number;

  constructor(readonly run: Run, public failure: string, readonly patience: Patience) {
    this.cut = run.cut ?? WHOLE;
    this.#kind = kindOf(failure);
    this.#giveUpAt = performance.now() + (patience.ms ?? Infinity);
  }

  /** True when it still fails so with that cut, which is then kept. */
  #keeps(cut: Cut): boolean {
    if (this.tried >= this.patience.runs || performance.now() > this.#giveUpAt) return false;
    this.tried++;
    const { failure } = ended({ ...this.run, cut });
    if (failure === null || kindOf(failure) !== this.#kind) return false;
    this.cut = cut;
    this.failure = failure;
    return true;
  }

  dropClients(): void {
    const { world } = ended({ ...this.run, cut: this.cut });
    const names = world.people().filter((name) => !IS_LAST.test(name));
    const gone = this.cut.without;
    minimized(names, (left) => {
      const without = names.filter((name) => !left.includes(name));
      return this.#keeps({ ...this.cut, without: new Set([...gone, ...without]) });
    });
  }

  dropMishaps(): void {
    const { world } = ended({ ...this.run, cut: this.cut });
    const ids = [...new Set(world.mishaps.happened.map(({ id }) => id))];
    minimized(ids, (left) => this.#keeps({ ...this.cut, only: new Set(left) }));
  }

  /** Halves the time in which things go wrong, again and again. */
  calmSooner(): void {
    const { world } = ended({ ...this.run, cut: this.cut });
    let [least, most] = [0, Math.min(this.cut.calmAt, world.time.now)];
    for (let i = 0; i < 8; i++) {
      const calmAt = Math.ceil((least + most) / 2);
      if (this.#keeps({ ...this.cut, calmAt })) most = calmAt;
      else least = calmAt;
    }
  }
}

/**
 * Delta debugging (Zeller and Hildebrandt's `ddmin`): the items without which `fails` does not come true any more. It is asked about fewer
 * and fewer of them.
 */
export function minimized<T>(items: readonly T[], fails: (left: readonly T[]) => boolean): T[] {
  let left = [...items];
  if (left.length > 0 && fails([])) return [];
  let parts = 2;
  while (left.length > 1) {
    const size = Math.ceil(left.length / parts);
    const smaller = smallerThan(left, size, parts).find((some) => fails(some));
    if (smaller !== undefined) {
      parts = smaller.length === size ? 2 : Math.max(2, parts - 1);
      left = smaller;
    } else if (parts >= left.length) break;
    else parts = Math.min(left.length, parts * 2);
  }
  return left;
}

/** Each part alone, then all but each part. */
function smallerThan<T>(items: readonly T[], size: number, parts: number): T[][] {
  const cuts = Array.from({ length: parts }, (_, i) => [i * size, (i + 1) * size] as const)
    .filter(([from]) => from < items.length);
  const alone = cuts.map(([from, to]) => items.slice(from, to));
  const without = cuts.map(([from, to]) => [...items.slice(0, from), ...items.slice(to)]);
  return parts === 2 ? alone : [...alone, ...without];
}
