/** Writing from a thread of its own: where a write may block and nothing else can prevent that. */
import process from "node:process";
import type { Worker } from "node:worker_threads";
import type { Output } from "./output.ts";

/** Writes each text that it gets, and tells how long it was and whether that went well. */
const WRITER = `
const { parentPort } = require("node:worker_threads");
const { writeSync } = require("node:fs");
parentPort.on("message", ({ fd, text }) => {
  let failure = null;
  try {
    for (let rest = Buffer.from(text); rest.length > 0;) rest = rest.subarray(writeSync(fd, rest));
  } catch (error) {
    if (error.code !== "EAGAIN") failure = String(error.code);
  }
  parentPort.postMessage({ length: text.length, failure });
});
`;

/**
 * Writes to a descriptor that may block, such as a socket or a pipe of a system other than Linux. For Deno only: Node's exit waits for its threads.
 */
export class ThreadOutput implements Output {
  readonly isTerminal = false;
  readonly columns = 80;
  failure: string | null = null;
  #fd: number;
  #maxBacklog: number;
  #worker: Worker | null = null;
  #waiting = 0;
  #over = false;
  #drained: (() => void)[] = [];

  /** At most `maxBacklog` characters wait for a slow reader; what comes on top is dropped. */
  constructor(fd: number, maxBacklog: number) {
    this.#fd = fd;
    this.#maxBacklog = maxBacklog;
  }

  write(text: string): void {
    if (this.#over || (this.#waiting > 0 && this.#waiting + text.length > this.#maxBacklog)) return;
    this.#waiting += text.length;
    this.#writer().postMessage({ fd: this.#fd, text });
  }

  flush(limitMs: number): Promise<void> {
    if (this.#waiting === 0 || this.#over) return Promise.resolve();
    this.#worker?.ref();
    return new Promise((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(resolve, limitMs) : null;
      this.#drained.push(() => {
        if (timer !== null) clearTimeout(timer);
        this.#worker?.unref();
        resolve();
      });
    });
  }

  #writer(): Worker {
    if (this.#worker !== null) return this.#worker;
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const worker = new Worker(WRITER, { eval: true });
    worker.unref();
    worker.on("message", ({ length, failure }: { length: number; failure: string | null }) => {
      this.#waiting -= length;
      if (failure !== null) this.#end(failure);
      else if (this.#waiting === 0) this.#release();
    });
    worker.on("error", (error: Error) => this.#end(error.message));
    this.#worker = worker;
    return worker;
  }

  #end(failure: string): void {
    this.#over = true;
    if (failure !== "EPIPE" && failure !== "EIO") this.failure = failure;
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
