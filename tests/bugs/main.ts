/**
 * Puts deliberate bugs into copies of the lock, one at a time, and shows what catches each.
 *
 *     deno task bugs [words]             as the gate does: each has to be caught as it was recorded, or nearly
 *     deno task bugs --record [words]    looks everywhere, and writes tests/evidence/bugs.json anew
 *
 * With words: those bugs alone whose name contains them. Exit 1 when one survives.
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Bug } from "./bug.ts";
import { told } from "./catch.ts";
import type { Catch, CaughtBug, Hunt } from "./catch.ts";
import { compileErrors, Copy } from "./copy.ts";
import { HEALTHY, hunts, huntsAgain, MOST_SEEDS, unitTests } from "./hunts.ts";
import { BUGS } from "./list.ts";
import { record, recorded } from "./record.ts";

/** What came of one bug. */
interface Outcome {
  readonly bug: Bug;
  readonly caught: readonly Catch[];
  /** Hunts that had to catch it, and did not. */
  readonly missed: readonly Hunt[];
  /** What was changed cannot run, or does not end: that shows nothing. */
  readonly error: unknown;
}

const { values, positionals } = parseArgs({
  options: {
    record: { type: "boolean", default: false },
    seeds: { type: "string", default: `${MOST_SEEDS}` },
    strangers: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const words = positionals.join(" ");
const chosen = BUGS.filter(({ name, stranger }) =>
  name.includes(words) && (stranger === true || !values.strangers)
);
const before = new Map(recorded().map((one) => [one.name, one]));

/** Looks for one bug in every way that is known to see it. */
async function attempt(copy: Copy, bug: Bug): Promise<Outcome> {
  const caught: Catch[] = [];
  const missed: Hunt[] = [];
  let error: unknown = null;
  const look = async (hunt: Hunt) => {
    const found = await copy.look(hunt);
    if (found === null) missed.push(hunt);
    else caught.push(found);
  };
  try {
    await copy.with(bug, async () => {
      for (const hunt of huntsFor(bug)) await look(hunt);
      if (values.record && caught.length === 0) await look(unitTests(bug));
    });
  } catch (thrown) {
    error = thrown;
  }
  return { bug, caught, missed, error };
}

function huntsFor(bug: Bug): Hunt[] {
  if (values.record) return hunts(bug, Number(values.seeds));
  const known = before.get(bug.name);
  if (known === undefined) throw new Error("it is not recorded: deno task bugs --record");
  return huntsAgain(known);
}

/** True when the bug is caught as it has to be: unit tests alone will do only where it is said why. */
function isCaught({ bug, caught, missed, error }: Outcome): boolean {
  const enough = caught.some(({ by }) => by !== "unit test" || bug.unitOnly !== undefined);
  return enough && (missed.length === 0 || values.record) && error === null;
}

/** Without a bug nothing is caught: else it would be something else that is seen. */
async function checkTheHealthy(): Promise<void> {
  const copy = new Copy();
  try {
    for (const hunt of HEALTHY) {
      const found = await copy.look(hunt);
      if (found !== null) throw new Error(`without a bug it fails as well: ${told(found)}`);
    }
  } finally {
    copy.remove();
  }
}

function say(outcome: Outcome): void {
  const { bug, caught, missed, error } = outcome;
  console.log(`${isCaught(outcome) ? "caught  " : "SURVIVES"} ${bug.name} [breaks: ${bug.breaks}]`);
  for (const one of caught) console.log(`           ${told(one)}`);
  for (const hunt of missed) console.log(`           not by ${JSON.stringify(hunt)}`);
  if (error !== null) console.log(`           ${error}`);
}

function toRecord({ bug, caught }: Outcome): CaughtBug {
  const { name, breaks, unitOnly, survived } = bug;
  return {
    name,
    breaks,
    stranger: bug.stranger ?? false,
    ...(survived === undefined ? {} : { survived }),
    ...(unitOnly === undefined ? {} : { unitOnly }),
    caught,
  };
}

const began = performance.now();
const errors = await compileErrors(chosen);
if (errors !== "") throw new Error(`a bug that is no program is caught by anything:\n${errors}`);
await checkTheHealthy();
const left = [...chosen];
const outcomes: Outcome[] = [];
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, async () => {
  const copy = new Copy();
  try {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const outcome = await attempt(copy, bug);
      outcomes.push(outcome);
      say(outcome);
    }
  } finally {
    copy.remove();
  }
}));
if (values.record) record(outcomes.map(toRecord));
const survivors = outcomes.filter((one) => !isCaught(one));
const seconds = Math.round((performance.now() - began) / 1000);
console.log(`${outcomes.length - survivors.length} of ${outcomes.length} are caught, ${seconds} s`);
if (survivors.length > 0) {
  console.log(`SURVIVE: ${survivors.map(({ bug }) => bug.name).join("; ")}`);
  process.exitCode = 1;
}
