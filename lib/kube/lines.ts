/** Lines out of a stream of bytes. */

/** Collects bytes and gives back whole lines, however they were cut up on the way. */
export class LineReader {
  #parts: Uint8Array[] = [];
  #size = 0;
  #maxBytes: number;

  /** Of lines of at most `maxBytes`; a longer one makes {@link push} throw a RangeError. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that end in `chunk`, without their newlines. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    // A byte 0x0a is a newline wherever it stands: it is never part of a longer UTF-8 character. So lines are cut as
    // bytes and decoded whole.
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, at));
      lines.push(this.#take());
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** Whether a line has begun and not ended. */
  get inside(): boolean {
    return this.#size > 0;
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) throw new RangeError("the line is too long");
    if (part.length > 0) this.#parts.push(part);
  }

  #take(): string {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    // All at once: piece by piece Deno's decoder drops a byte order mark that begins any of them.
    const line = new TextDecoder().decode(bytes);
    this.#parts = [];
    this.#size = 0;
    return line;
  }
}
