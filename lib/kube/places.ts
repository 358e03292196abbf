/** So many at a time; whoever comes later waits. */

/** A place that is asked for. */
export interface Place {
  /** Resolves when it is free. */
  readonly taken: Promise<void>;
  /** Gives it to the next one, or asks no longer. Safe to call twice. */
  leave(): void;
}

/** Places, given in the order in which they are asked for. */
export class Places {
  #free: number;
  #waiting = new Set<() => void>();

  /** `count` of them. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Asks for one. */
  ask(): Place {
    const { promise: taken, resolve } = Promise.withResolvers<void>();
    let state: "waiting" | "in" | "gone" = "waiting";
    const enter = () => {
      state = "in";
      resolve();
    };
    if (this.#free > 0) {
      this.#free--;
      enter();
    } else {
      this.#waiting.add(enter);
    }
    return {
      taken,
      leave: () => {
        this.#waiting.delete(enter);
        if (state === "in") this.#next();
        state = "gone";
      },
    };
  }

  #next(): void {
    const [enter] = this.#waiting;
    if (enter === undefined) {
      this.#free++;
    } else {
      this.#waiting.delete(enter);
      enter();
    }
  }
}
