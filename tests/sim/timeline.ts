/** Simulated time: what is to happen, in the order of its time, and among equals in the order it was planned. */
export class Timeline {
  /** True time, in milliseconds. */
  now = 0;
  #planned = 0;
  readonly #heap: { at: number; order: number; act: () => void }[] = [];

  /** Plans `act` for `delay` milliseconds from now. */
  after(delay: number, act: () => void): void {
    this.#push({ at: this.now + Math.max(0, delay), order: this.#planned++, act });
  }

  /** Lets the next thing happen. @returns false when nothing is planned */
  advance(): boolean {
    const next = this.#pop();
    if (next === undefined) return false;
    this.now = next.at;
    next.act();
    return true;
  }

  #push(item: { at: number; order: number; act: () => void }): void {
    const heap = this.#heap;
    heap.push(item);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(heap[index], heap[parent])) break;
      [heap[index], heap[parent]] = [heap[parent]!, heap[index]!];
      index = parent;
    }
  }

  #pop(): { at: number; order: number; act: () => void } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && before(heap[child], heap[least])) least = child;
      }
      if (least === index) return first;
      [heap[index], heap[least]] = [heap[least]!, heap[index]!];
      index = least;
    }
  }
}

function before(
  a: { at: number; order: number } | undefined,
  b: { at: number; order: number } | undefined,
): boolean {
  if (a === undefined || b === undefined) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
