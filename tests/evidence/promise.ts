/** What a promise of docs/protocol.md is, and what its evidence can be. */
import type { CheckName } from "./checks.ts";

/** A test: `file|a part of its name as it stands in that file`, the file as a path under tests/. */
export type TestName = `${string}.ts|${string}`;

/** One promise. */
export interface Promised {
  /** In one line. */
  readonly what: string;
  /** Of each sentence and each row of a table in docs/protocol.md that is kept by it: a part that stands in no other. */
  readonly says: readonly string[];
  /** What is looked at in each run of the simulation, in each state of the model. */
  readonly checks?: readonly CheckName[];
  readonly tests: readonly TestName[];
}

/** The promises that a reader looks for together. */
export interface Chapter {
  readonly title: string;
  readonly promises: readonly Promised[];
}
