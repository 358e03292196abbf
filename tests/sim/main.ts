/**
 * Runs the simulation.
 *
 *     deno task simulate --seed 17                  one run, with its story
 *     deno task simulate --seeds 1-50000            many, on all cores, up to the first that fails
 *
 * Options: see `--help`. What fails is made smaller, told as a story, and ends with the command line that makes it again.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { markdown, wrongPairs } from "./fault_table.ts";
import type { FaultTable } from "./fault_table.ts";
import { onAllCores, seedsIn } from "./many.ts";
import { PATIENCE, report } from "./report.ts";
import { ended, PLAYS } from "./run.ts";
import type { Play, Run } from "./run.ts";
import { seconds } from "./story.ts";

const HELP = `deno task simulate [options]

  --seeds A-B      run these, up to the first that fails (1-1000)
  --seed N         run this one, and tell what happens
  --play NAME      what is played: ${Object.keys(PLAYS).join(", ")} (chaos)
  --hours H        for how long things go wrong, in simulated hours, where the play can be long
  --clients N      how many come, where the play leaves that open
  --table          print how many runs met each fault at each step of the protocol
  --json           print that as JSON, and all else on standard error
  --no-shrink      tell a failing run as it is

of one run, as a story prints them:
  --without "c1; c2"   these clients do not come
  --only "ID; ID"      nothing but this goes wrong
  --calm-at SECONDS    nothing goes wrong after that
`;

const OPTIONS = {
  options: {
    seeds: { type: "string", default: "1-1000" },
    seed: { type: "string" },
    play: { type: "string", default: "chaos" },
    hours: { type: "string" },
    clients: { type: "string" },
    table: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
    without: { type: "string" },
    only: { type: "string" },
    "calm-at": { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
} as const;
type Values = ReturnType<typeof parseArgs<typeof OPTIONS>>["values"];

function isPlay(name: string): name is Play {
  return Object.hasOwn(PLAYS, name);
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0)) throw new Error(`--${option} takes a number, not "${text}"`);
  return value;
}

function ids(text: string): Set<string> {
  return new Set(text.split(";").map((id) => id.trim()).filter((id) => id !== ""));
}

/** Which run, but for its seed. */
function asked(values: Values): Omit<Run, "seed"> {
  const { play, hours, clients, without, only } = values;
  if (!isPlay(play)) throw new Error(`--play takes ${Object.keys(PLAYS).join(" or ")}`);
  const calmAt = values["calm-at"];
  return {
    play,
    size: {
      ...hours !== undefined && { hours: number("hours", hours) },
      ...clients !== undefined && { clients: number("clients", clients) },
    },
    cut: {
      only: only === undefined ? null : ids(only),
      without: ids(without ?? ""),
      calmAt: calmAt === undefined ? Infinity : number("calm-at", calmAt) * 1000,
    },
  };
}

function one(run: Run, values: Values): number {
  const { world, failure } = ended(run, "told");
  const isWhole = run.cut?.only === null && run.cut.without.size === 0;
  if (failure !== null && isWhole && !values["no-shrink"]) {
    console.log(report(run, failure, PATIENCE.search));
  } else {
    console.log(world.story.join("\n"));
    console.log(
      failure === null ? `seed ${run.seed}: all went well` : `seed ${run.seed}: ${failure}`,
    );
  }
  return failure === null ? 0 : 1;
}

async function many(run: Omit<Run, "seed">, values: Values): Promise<number> {
  const begun = performance.now();
  const { table, failed } = await onAllCores({ ...run, ...seedsIn(values.seeds) });
  const took = seconds(performance.now() - begun);
  if (values.json) console.log(JSON.stringify(table, null, 2));
  const say = values.json ? console.error : console.log;
  if (values.table) say(`${markdown(table)}\n`);
  say(`${table.runs} runs of ${run.play} in ${took} s`);
  if (values.table) sayWrongPairs(table, say);
  if (failed === null) return 0;
  const { seed, failure } = failed;
  say(
    values["no-shrink"]
      ? `seed ${seed}: ${failure}`
      : report({ ...run, seed }, failure, PATIENCE.search),
  );
  return 1;
}

function sayWrongPairs(table: FaultTable, say: (text: string) => void): void {
  const pairs = wrongPairs(table);
  if (pairs.length === 0) return say("every fault met every step that it can meet");
  say(`not met, or met although that cannot be: ${pairs.length} pairs of a fault and a step`);
  // Few seeds miss most of them.
  if (pairs.length <= 30) { for (const pair of pairs) say(`  ${pair}`); }
}

try {
  const { values } = parseArgs(OPTIONS);
  if (values.help) console.log(HELP);
  else {
    const run = asked(values);
    process.exitCode = values.seed === undefined
      ? await many(run, values)
      : one({ ...run, seed: seedsIn(values.seed).first }, values);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
