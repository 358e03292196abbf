/** What a command gets besides its options: everything that reaches outside, so that tests can stand in for it. */
import type { Ci, Env } from "../ci/detect.ts";
import type { Logger } from "./log.ts";

/** What a command gets besides its options. */
export interface Context {
  /** The process's; a command under `run` gets it with more. */
  readonly env: Env;
  /** As `env` tells it. */
  readonly ci: Ci;
  /** To stderr. */
  readonly log: Logger;
  /** Writes one line of results; `line` is made harmless by who made it. Never throws. */
  readonly stdout: (line: string) => void;
  /** Whether somebody can be asked. */
  readonly stdinIsTerminal: boolean;
  /** Whether somebody can see the question. */
  readonly stderrIsTerminal: boolean;
  /** The wall clock, for people only. */
  readonly wall: () => Date;
  /** A clock that never jumps, in milliseconds. */
  readonly monotonicMs: () => number;
  /** Of this program, as `--version` prints it. */
  readonly version: string;
}
