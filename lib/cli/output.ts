/**
 * Writing to stdout and stderr without ever waiting for who reads them.
 *
 * A log that nobody reads, or that is closed, must not stop the program: it has a lock to renew. The runtimes' own streams do not
 * promise that (a full pipe blocks the whole of Deno), and setting a pipe to non-blocking would change it for the commands that share it.
 */
import { Buffer } from "node:buffer";
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import type { WriteStream } from "node:tty";
import { ThreadOutput } from "./output_thread.ts";

/** How much of a log waits for a slow reader; what comes on top of it is dropped. */
const MAX_LOG_BACKLOG = 256 * 1024;

/**
 * How much is written at once. A pipe takes up to 4,096 bytes whole or not at all (PIPE_BUF); of more it may take a part, and Deno then
 * does not say how much (2.9).
 */
const CHUNK = 4096;

/** How often a reader that was too slow is tried again, in milliseconds. */
const RETRY_MS = 10;

/** Where lines go. Nothing here throws, and a log blocks nobody; results may wait for their reader. */
export interface Output {
  /** True when a person watches. */
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 where that is not known. */
  readonly columns: number;
  /** Writes `text`, or as much of it as can be written now, and the rest later. */
  write(text: string): void;
  /**
   * Resolves when all is written or can never be, after `limitMs` in any case.
   *
   * @param limitMs `Infinity` for results, which a slow reader still wants
   */
  flush(limitMs: number): Promise<void>;
  /** The error that ended this output, if it was not its reader who closed it: a full disk. */
  readonly failure: string | null;
}

/** The process's own stdout (1) or stderr (2). */
export function openOutput(fd: 1 | 2): Output {
  // Of results nothing may be missing.
  const maxBacklog = fd === 1 ? Infinity : MAX_LOG_BACKLOG;
  const own = reopened(fd);
  // The runtime's streams are left alone where they are not needed: some change what they stand on.
  if (own !== null) return new DescriptorOutput(fd, own, maxBacklog);
  return "deno" in process.versions && !isatty(fd)
    ? new ThreadOutput(fd, maxBacklog)
    : new StreamOutput(streamOf(fd), maxBacklog);
}

function streamOf(fd: 1 | 2): WriteStream {
  return fd === 1 ? process.stdout : process.stderr;
}

/**
 * A descriptor to write to at once or not at all: of a pipe or terminal a new one that does not block (which leaves the one that others share
 * as it is; Linux only), of a file its own. Null where there is none.
 */
function reopened(fd: number): number | null {
  try {
    const what = fstatSync(fd);
    // Results may wait for their reader: nothing else is to be done then.
    if (what.isFile() || fd === 1) return fd;
    if (process.platform !== "linux" || !(what.isFIFO() || what.isCharacterDevice())) return null;
    return openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return null;
  }
}

/** Writes to a descriptor that does not block. */
class DescriptorOutput implements Output {
  readonly isTerminal: boolean;
  #standard: 1 | 2;
  #fd: number;
  #maxBacklog: number;
  #backlog: Buffer[] = [];
  #waiting = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #over = false;
  #drained: (() => void)[] = [];
  failure: string | null = null;

  constructor(standard: 1 | 2, fd: number, maxBacklog: number) {
    this.isTerminal = isatty(standard);
    this.#standard = standard;
    this.#fd = fd;
    this.#maxBacklog = maxBacklog;
  }

  get columns(): number {
    return (this.isTerminal && streamOf(this.#standard).columns) || 80;
  }

  write(text: string): void {
    if (this.#over) return;
    const bytes = Buffer.from(text);
    if (this.#waiting > 0 && this.#waiting + bytes.length > this.#maxBacklog) return;
    this.#backlog.push(bytes);
    this.#waiting += bytes.length;
    if (this.#timer === null) this.#pump();
  }

  flush(limitMs: number): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(resolve, limitMs) : null;
      this.#drained.push(() => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      });
      this.#timer?.ref();
    });
  }

  #pump(): void {
    this.#timer = null;
    while (this.#backlog[0] !== undefined) {
      const text = this.#backlog[0];
      const bytes = text.subarray(0, CHUNK);
      const written = this.#some(bytes);
      if (this.#over) return this.#end();
      this.#waiting -= written;
      if (written === text.length) this.#backlog.shift();
      else this.#backlog[0] = text.subarray(written);
      if (written < bytes.length) {
        this.#timer = setTimeout(() => this.#pump(), RETRY_MS);
        // A log that waits does not keep the program alive; a flush does.
        if (this.#drained.length === 0) this.#timer.unref();
        return;
      }
    }
    this.#end();
  }

  /** How many bytes could be written now. */
  #some(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      const code = errorCode(error);
      if (code === "EAGAIN") return 0;
      this.#over = true;
      if (code !== "EPIPE" && code !== "EIO") this.failure = code;
      return 0;
    }
  }

  #end(): void {
    this.#backlog = [];
    this.#waiting = 0;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

/** Writes to the runtime's stream, with a bound to what waits there. */
class StreamOutput implements Output {
  #stream: WriteStream;
  #maxBacklog: number;
  #waiting = 0;
  #over = false;
  #drained: (() => void)[] = [];
  failure: string | null = null;

  constructor(stream: WriteStream, maxBacklog: number) {
    this.#stream = stream;
    this.#maxBacklog = maxBacklog;
    // A closed reader is an event here, and one that nobody heard would end the process.
    stream.on("error", (error) => this.#fail(error));
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    return this.#stream.columns || 80;
  }

  write(text: string): void {
    if (this.#over) return;
    if (this.#waiting > 0 && this.#waiting + text.length > this.#maxBacklog) return;
    this.#waiting += text.length;
    try {
      this.#stream.write(text, () => {
        this.#waiting -= text.length;
        if (this.#waiting === 0) this.#end();
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  flush(limitMs: number): Promise<void> {
    if (this.#waiting === 0 || this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(resolve, limitMs) : null;
      this.#drained.push(() => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      });
    });
  }

  #fail(error: unknown): void {
    this.#over = true;
    const code = errorCode(error);
    if (code !== "EPIPE" && code !== "EIO") this.failure = code;
    this.#end();
  }

  #end(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof Error ? error.message : String(error);
}
