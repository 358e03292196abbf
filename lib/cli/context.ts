/** What a command gets besides its options: everything that reaches outside, so that tests can stand in for it. */
import type { Ci, Env } from "../ci/detect.ts";
import type { Logger } from "./log.ts";

export interface Context {
  readonly env: Env;
  readonly ci: Ci;
  /** To stderr. */
  readonly log: Logger;
  /** Writes one line of results; `line` is made harmless by who made it. Never throws. */
  readonly stdout: (line: string) => void;
  readonly stdinIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** The wall clock, for people only. */
  readonly wall: () => Date;
  /** A clock that never jumps, in milliseconds. */
  readonly monotonicMs: () => number;
  readonly version: string;
}
