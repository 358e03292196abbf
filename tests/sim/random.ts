/**
 * The stream of chance called `name` in the run of `seed`. What is drawn from one moves no other: a client left out, or a mishap that
 * does not happen, changes as little else as possible.
 */
export function stream(seed: number, name: string): Chance {
  // FNV-1a: small, and good enough to keep streams apart.
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return new Chance(hash);
}

/** A seeded source of chance: the same seed gives the same run. */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed * 2654435761) | 0;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** In [least, most). */
  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** True with that probability. */
  happens(probability: number): boolean {
    return this.next() < probability;
  }
}
