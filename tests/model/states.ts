/** All states that were found, by their keys: from which each came, by what, and where those without a fault lead. */

/** A list of 32 bit numbers that grows. */
export class Numbers {
  length = 0;
  #values = new Int32Array(1 << 12);

  push(value: number): void {
    if (this.length === this.#values.length) {
      const more = new Int32Array(this.#values.length * 2);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.length++] = value;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }
}

/** Keys of 64 bits, each with a number. */
export class KeyTable {
  size = 0;
  #mask = (1 << 14) - 1;
  #low = new Uint32Array(1 << 14);
  #high = new Uint32Array(1 << 14);
  #values = new Int32Array(1 << 14).fill(-1);

  /** The number of a key, or -1. */
  get(low: number, high: number): number {
    return this.#values[this.#place(low, high)] ?? -1;
  }

  /** @returns false when the key is there already */
  add(low: number, high: number, value: number): boolean {
    const place = this.#place(low, high);
    if (this.#values[place] !== -1) return false;
    this.#low[place] = low;
    this.#high[place] = high;
    this.#values[place] = value;
    this.size++;
    if (this.size * 2 > this.#mask) this.#grow();
    return true;
  }

  #place(low: number, high: number): number {
    let place = (low ^ Math.imul(high, 0x9e3779b1)) & this.#mask;
    while (
      this.#values[place] !== -1 && (this.#low[place] !== low || this.#high[place] !== high)
    ) place = (place + 1) & this.#mask;
    return place;
  }

  #grow(): void {
    const [low, high, values] = [this.#low, this.#high, this.#values];
    const size = values.length * 2;
    this.#mask = size - 1;
    this.#low = new Uint32Array(size);
    this.#high = new Uint32Array(size);
    this.#values = new Int32Array(size).fill(-1);
    for (let i = 0; i < values.length; i++) {
      if (values[i] === -1) continue;
      const place = this.#place(low[i]!, high[i]!);
      this.#low[place] = low[i]!;
      this.#high[place] = high[i]!;
      this.#values[place] = values[i]!;
    }
  }
}
