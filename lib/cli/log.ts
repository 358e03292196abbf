/** What the program says while it works, on stderr: for people, for a CI, for programs. */
import { styleText } from "node:util";
import { workflowCommand } from "../ci/github.ts";
import type { Output } from "./output.ts";
import { neutral } from "./text.ts";

/** From what is always said to what is said only on request. */
export type Level = "error" | "warning" | "info" | "debug";

/** `text` for people; `json` one object a line; `github` with the commands that its log understands. */
export type LogFormat = "text" | "json" | "github";

/** More about an event, for programs: fields of the line in the format `json`. */
export type Fields = Readonly<Record<string, string | number | boolean | null>>;

/** Longest line. A pipe takes up to 4,096 bytes whole or not at all, so that lines of several processes do not mix. */
const MAX_LINE = 2000;

const LEVELS: readonly Level[] = ["error", "warning", "info", "debug"];

/** How a {@link Logger} speaks. */
export interface LogOptions {
  /** Only `text` has colours and a line that is written over. */
  readonly format: LogFormat;
  /** The least important level that is said: `warning` with `-q`, `info`, `debug` with `-v`. */
  readonly level: Level;
  /** Colours, at a terminal without NO_COLOR. */
  readonly colour: "on" | "off";
}

/**
 * Writes lines to `output`. Messages are made harmless here (control characters, line breaks, workflow commands), whatever their
 * texts came from. Never throws and never waits.
 */
export class Logger {
  #output: Output;
  #options: LogOptions;
  #wall: () => Date;
  /** The line that is shown below the log, at a terminal. */
  #status = "";

  /** `wall` is for the times in `json`. */
  constructor(output: Output, options: LogOptions, wall: () => Date = () => new Date()) {
    this.#output = output;
    this.#options = options;
    this.#wall = wall;
  }

  /** Why the program fails: always said. */
  error(message: string, fields?: Fields): void {
    this.#say("error", message, fields);
  }

  /** What somebody should look at: said with `-q` as well. */
  warn(message: string, fields?: Fields): void {
    this.#say("warning", message, fields);
  }

  /** What goes on: not said with `-q`. */
  info(message: string, fields?: Fields): void {
    this.#say("info", message, fields);
  }

  /** Details: said with `-v` only. */
  debug(message: string, fields?: Fields): void {
    this.#say("debug", message, fields);
  }

  /** True when lines of that level are written. */
  says(level: Level): boolean {
    return LEVELS.indexOf(level) <= LEVELS.indexOf(this.#options.level);
  }

  /** True where one line can be written over again and again. */
  get updates(): boolean {
    return this.#output.isTerminal && this.#options.format === "text";
  }

  /** Shows `text` as the last line of the terminal until another is shown; "" takes it away. Only where {@link updates}. */
  showStatus(text: string): void {
    if (!this.updates || !this.says("info")) return;
    const line = neutral(text, Math.max(20, this.#output.columns - 1));
    if (line === this.#status) return;
    this.#output.write(`${ERASE}${line}`);
    this.#status = line;
  }

  /** See {@link Output.flush}. */
  flush(limitMs: number): Promise<void> {
    this.showStatus("");
    return this.#output.flush(limitMs);
  }

  #say(level: Level, message: string, fields: Fields = {}): void {
    if (!this.says(level)) return;
    const line = this.#line(level, neutral(message, MAX_LINE), fields);
    if (this.#status === "") this.#output.write(`${line}\n`);
    else this.#output.write(`${ERASE}${line}\n${this.#status}`);
  }

  #line(level: Level, message: string, fields: Fields): string {
    switch (this.#options.format) {
      case "json":
        return JSON.stringify({
          time: this.#wall().toISOString(),
          level,
          message,
          ...Object.fromEntries(
            Object.entries(fields).map(([name, value]) => [
              name,
              typeof value === "string" ? neutral(value) : value,
            ]),
          ),
        });
      case "github":
        if (level === "info") return `k8s-lock: ${message}`;
        return level === "debug"
          ? workflowCommand("debug", message)
          : workflowCommand(level, message, { title: "k8s-lock" });
      case "text":
        return `${this.#paint("dim", "k8s-lock:")} ${this.#mark(level)}${message}`;
    }
  }

  #mark(level: Level): string {
    switch (level) {
      case "error":
        return `${this.#paint("red", "error:")} `;
      case "warning":
        return `${this.#paint("yellow", "warning:")} `;
      case "debug":
        return `${this.#paint("dim", "debug:")} `;
      case "info":
        return "";
    }
  }

  #paint(colour: "dim" | "red" | "yellow", text: string): string {
    // Whether there are colours was decided already, by the environment and the terminal that we were given.
    return this.#options.colour === "on"
      ? styleText(colour, text, { validateStream: false })
      : text;
  }
}

/** Back to the line's begin, and the line erased. */
const ERASE = "\r\u001b[2K";

/** A wait that goes on is said again after this long, in milliseconds. */
const REPEAT_MS = 60_000;

/**
 * One thing that goes on, told so that neither a person nor a log is flooded: at a terminal one line that is written over; in a log a
 * line when something changes, else at most one a minute.
 */
export class StatusLine {
  #log: Logger;
  #monotonicMs: () => number;
  #key: string | null = null;
  #saidAt = 0;

  /** `monotonicMs` is a clock that never jumps. */
  constructor(log: Logger, monotonicMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Shows the line; in a log only where `key` is another one or a minute has gone by.
   *
   * @param text the line as it stands now, its ages and guesses included
   * @param key what counts as a change: who holds, one's place; not what only gets older
   */
  update(text: string, key: string): void {
    if (this.#log.updates) return this.#log.showStatus(text);
    const now = this.#monotonicMs();
    if (this.#key === key && now - this.#saidAt < REPEAT_MS) return;
    this.#key = key;
    this.#saidAt = now;
    this.#log.info(text);
  }

  /** Takes the line away. */
  end(): void {
    this.#key = null;
    this.#log.showStatus("");
  }
}
