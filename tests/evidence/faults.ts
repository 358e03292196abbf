/**
 * Every fault that the lock has to survive, and the tests that show that it does: the list behind docs/evidence.md.
 *
 * A test is named by its file under tests/ and a part of its name as it stands in that file. `deno task evidence` writes the table; a test of
 * the house fails where a row has no test, a name is not there any more, or the table is stale.
 */
import faults from "./faults.json" with { type: "json" };

/** One fault. */
export interface Fault {
  readonly number: number;
  readonly fault: string;
  readonly outcome: string;
  /** `file|a part of the test's name`. */
  readonly tests: readonly string[];
  /** Why it has no test, or not for all of it. */
  readonly missing?: string;
}

/** All of them, by number. */
export const FAULTS: readonly Fault[] = faults;
