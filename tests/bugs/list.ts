/** All deliberate bugs. */
import type { Play } from "../sim/run.ts";
import type { Bug } from "./bug.ts";
import { EXPIRY } from "./expiry_bugs.ts";
import { HOLDING } from "./holding_bugs.ts";
import { KNOWING } from "./knowing_bugs.ts";
import { BY_NUMBER } from "./number_bugs.ts";
import { RULES } from "./rules_bugs.ts";
import { STORE } from "./store_bugs.ts";
import { STRANGERS } from "./stranger_bugs.ts";
import { WAITING } from "./waiting_bugs.ts";

/** Bugs of one part of the lock. */
export interface Group {
  readonly name: string;
  readonly bugs: readonly Bug[];
  /** What is played in the simulation to see them. */
  readonly plays: readonly Play[];
}

/** Each bug of each has to be caught. */
export const GROUPS: readonly Group[] = [
  { name: "the store", bugs: STORE, plays: ["chaos", "narrow"] },
  { name: "the rules", bugs: RULES, plays: ["chaos", "narrow"] },
  { name: "what a client knows", bugs: KNOWING, plays: ["chaos", "narrow"] },
  { name: "waiting", bugs: WAITING, plays: ["chaos", "narrow"] },
  { name: "holding", bugs: HOLDING, plays: ["chaos", "narrow"] },
  { name: "what others may do about a silent holder", bugs: EXPIRY, plays: ["chaos"] },
  { name: "strangers", bugs: STRANGERS, plays: ["chaos", "narrow", "restored", "v3"] },
  { name: "turns by run number", bugs: BY_NUMBER, plays: ["v3"] },
];

/** All of them. */
export const BUGS: readonly Bug[] = GROUPS.flatMap(({ bugs }) => bugs);
