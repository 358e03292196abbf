/** docs/evidence.md, made from the lists in this folder. */
import { IMPOSSIBLE, markdown } from "../sim/fault_table.ts";
import type { FaultTable } from "../sim/fault_table.ts";
import { FAULTS as SIMULATED } from "../sim/mishaps.ts";
import { STEPS } from "../sim/steps.ts";
import { recordedBugs } from "./bugs.ts";
import type { RecordedBug, RecordedCatch } from "./bugs.ts";
import { CHECKS } from "./checks.ts";
import type { Check, CheckName } from "./checks.ts";
import { FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { FOUND } from "./found.ts";
import { LIMITS, UNSEEN } from "./limits.ts";
import met from "./met.json" with { type: "json" };
import { COUNTS } from "./numbers.ts";
import type { Promised, TestName } from "./promise.ts";
import { CHAPTERS } from "./promises.ts";
import { top } from "./top.ts";

/** How many simulated runs met each fault at each step, as counted last. */
export const MET: FaultTable = met;

/** The page as it has to be, before it is formatted. */
export function page(): string {
  return [
    "<!-- made by `deno task evidence` from tests/evidence: change those files, not this one -->",
    top(),
    "## Each promise and its evidence",
    "What is looked at all the time stands first, then tests: by their file under `tests/` and a part of their name.",
    ...CHAPTERS.flatMap(({ title, promises }) => [`### ${title}`, list(promises)]),
    "## What is not promised",
    "The tests show how far it goes.",
    list(LIMITS),
    "## What was not looked at",
    UNSEEN.map((one) => `- ${one}`).join("\n"),
    "## Faults",
    "What may happen, what happens then, and what shows it.",
    FAULTS.map(faultItem).join("\n"),
    "## Every fault at every step",
    `In how many of ${
      number(MET.runs)
    } runs of the simulation a fault met a step of the protocol: ${SIMULATED.length} faults, ${STEPS.length} steps, ${IMPOSSIBLE.length} kinds of pairs that there cannot be. A test fails where a cell is empty that need not be. Counted by \`deno task simulate --seeds 1-${MET.runs} --table\`.`,
    markdown(MET),
    "## Deliberate bugs",
    ...bugs(),
    "## Found and mended",
    "By looking for what is wrong, in what was thought to be right. Each has the test that failed before.",
    FOUND.map(({ by, what, broke, test }) =>
      `- **${what}.** (${broke}; by ${by})\n  - ${named(test)}`
    )
      .join("\n"),
    "## Counted",
    "What depends on the state of the code and on the machine, as it was printed then (2 cores, server and clients on them).",
    table(
      ["what", "how much", "by", "on"],
      COUNTS.map(({ what, count, command, date }) => [
        what,
        count,
        `\`${command}\``,
        date,
      ]),
    ),
  ].join("\n\n");
}

/** As the formatter of Markdown leaves no trace in it. */
export function plain(text: string): string {
  return text.replace(/-{2,}:?/g, "---").replace(/\s+/g, " ").trim();
}

/** A number for people. */
export function number(of: number): string {
  return of.toLocaleString("en");
}

/** Every test that the page names, each once. */
export function testsNamed(): TestName[] {
  return [
    ...new Set([
      ...[...CHAPTERS.flatMap(({ promises }) => promises), ...LIMITS].flatMap(({ tests }) => tests),
      ...FAULTS.flatMap(({ tests }) => tests as readonly TestName[]),
      ...FOUND.map(({ test }) => test),
    ]),
  ];
}

function list(promises: readonly Promised[]): string {
  return promises.map(({ what, checks = [], tests }) =>
    [`- **${what}.**`, ...watched(checks), ...tests.map((test) => `  - ${named(test)}`)].join("\n")
  ).join("\n");
}

/** What is looked at all the time, by who looks. */
function watched(names: readonly CheckName[]): string[] {
  const checks = names.map((name): Check => CHECKS[name]);
  return [...Map.groupBy(checks, ({ by }) => by)].map(([by, all]) =>
    `  - ${WHERE[by]}: ${all.map(({ what }) => what).join("; ")}`
  );
}

const WHERE: Readonly<Record<Check["by"], string>> = {
  "simulation": "in every run of the simulation",
  "model": "in every state of the model",
  "simulation of both versions": "in every run of the simulation of both versions",
  "soak": "in every soak",
  "crowd": "in every crowd",
};

function named(test: string): string {
  const [file = "", name = ""] = test.split("|");
  const words = name.replace(/\$\{\w+\}/g, "…").replaceAll("_", "\\_");
  return `\`${file.replace(/_test\.ts$|\.ts$/, "")}\`: ${words}`;
}

function faultItem({ number, fault, outcome, tests, missing }: Fault): string {
  return [
    `- **${number}. ${fault}** → ${outcome}`,
    ...tests.map((test) => `  - ${named(test)}`),
    ...missing === undefined ? [] : [`  - **not shown:** ${missing}`],
  ].join("\n");
}

function bugs(): string[] {
  const all = recordedBugs();
  const strangers = all.filter(({ stranger }) => stranger);
  const survived = all.flatMap(({ name, survived }) => survived ? [`- ${name}: ${survived}`] : []);
  return [
    `${all.length} bugs that somebody might make, put into copies of the lock one at a time; ${strangers.length} of them (†) were thought up by somebody who had not seen the tests. The gate puts each in again: \`deno task bugs\`.`,
    table(["bug", "breaks", "seeds", "states", "what is seen"], all.map(bugRow)),
    ...survived.length === 0
      ? []
      : ["Nothing caught these at first; what was added:", survived.join("\n")],
  ];
}

function bugRow({ name, breaks, stranger, caught }: RecordedBug): string[] {
  const by = (kind: string): RecordedCatch | undefined => caught.find((one) => one.by === kind);
  const [simulation, model, unit] = [by("simulation"), by("model"), by("unit test")];
  const seen = simulation?.seen ?? model?.seen ?? `\`${unit?.file}\`: ${unit?.seen}`;
  return [
    stranger ? `${name} †` : name,
    breaks,
    simulation?.seed === undefined ? "" : number(simulation.seed),
    model?.states === undefined ? "" : number(model.states),
    seen,
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
