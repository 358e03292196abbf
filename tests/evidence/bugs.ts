/** The deliberate bugs and what caught them, as `deno task bugs --record` wrote it down. */
import { existsSync, readFileSync } from "node:fs";

/** One of them. */
export interface RecordedBug {
  readonly name: string;
  readonly breaks: string;
  /** Thought up by somebody who had not seen the tests. */
  readonly stranger: boolean;
  /** What was added because nothing caught it at first. */
  readonly survived?: string;
  readonly caught: readonly RecordedCatch[];
}

/** How it was caught: after so many seeds or states, or by a unit test. */
export interface RecordedCatch {
  readonly by: string;
  readonly play?: string;
  readonly seed?: number;
  readonly states?: number;
  readonly file?: string;
  readonly seen: string;
}

const FILE = new URL("bugs.json", import.meta.url);

/** All that are recorded. */
export function recordedBugs(): readonly RecordedBug[] {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : [];
}
