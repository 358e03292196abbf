/** Many seeds on all cores. What comes out does not depend on how many there are. */
import process from "node:process";
import { EMPTY_TABLE, sum, Tally } from "./fault_table.ts";
import type { FaultTable } from "./fault_table.ts";
import { ended } from "./run.ts";
import type { Run } from "./run.ts";

/** Which runs: seeds `first` to `last` of one play. */
export interface Seeds extends Omit<Run, "seed" | "cut"> {
  readonly first: number;
  readonly last: number;
}

/** How many runs ended. */
export interface Outcome {
  readonly table: FaultTable;
  /** The first seed that failed, and how. With it, later seeds may not have been run. */
  readonly failed: { readonly seed: number; readonly failure: string } | null;
}

/** A worker is given so many seeds at a time: few enough that all end about together. */
const AT_A_TIME = 50;

/** Runs them one after the other, up to the first that fails. */
export function inTurn({ first, last, ...run }: Seeds): Outcome {
  const tally = new Tally();
  for (let seed = first; seed <= last; seed++) {
    const { world, failure } = ended({ ...run, seed });
    tally.add(world.mishaps);
    if (failure !== null) return { table: tally.table, failed: { seed, failure } };
  }
  return { table: tally.table, failed: null };
}

/** Runs them on all cores. */
export async function onAllCores(seeds: Seeds): Promise<Outcome> {
  const parts: Outcome[] = [];
  let next = seeds.first;
  // Parts are handed out in order, so those before one that fails are run to their end: the first seed that fails is always found.
  const take = (): Seeds | null => {
    if (next > seeds.last || parts.some(({ failed }) => failed !== null)) return null;
    const first = next;
    next = Math.min(first + AT_A_TIME, seeds.last + 1);
    return { ...seeds, first, last: next - 1 };
  };
  const cores = Math.min(
    navigator.hardwareConcurrency,
    Math.ceil((seeds.last - seeds.first + 1) / AT_A_TIME),
  );
  await Promise.all(Array.from({ length: Math.max(1, cores) }, async () => {
    using worker = new SeedWorker();
    for (let part = take(); part !== null; part = take()) parts.push(await worker.run(part));
  }));
  const failed = parts.flatMap(({ failed }) => failed ?? []).sort((a, b) => a.seed - b.seed);
  return {
    table: parts.map(({ table }) => table).reduce(sum, EMPTY_TABLE),
    failed: failed[0] ?? null,
  };
}

/** A thread that runs seeds. */
class SeedWorker implements Disposable {
  readonly #worker = new Worker(new URL("worker.ts", import.meta.url), { type: "module" });

  run(seeds: Seeds): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Outcome>) => resolve(data);
      this.#worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      this.#worker.postMessage(seeds);
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** The seeds that somebody asks for: `first-last` or one alone. */
export function seedsIn(text: string): { first: number; last: number } {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw new Error(`no seeds in ${text}: it takes 7, or 1-1000`);
  }
  return { first: Number(first), last: Number(last) };
}

/** As {@link seedsIn}, of an environment variable that may be missing. */
export function seedsAsked(variable: string, standard: string): { first: number; last: number } {
  return seedsIn(process.env[variable] ?? standard);
}
