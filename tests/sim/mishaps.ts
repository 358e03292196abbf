/** Everything that goes wrong in a simulated world goes through here: it has a name, can be left out, and is counted. */
import type { Client } from "./client.ts";
import type { Step } from "./steps.ts";

/** What can go wrong, in the order in which it is told. */
export const FAULTS = [
  "lost",
  "unanswered",
  "late",
  "twice",
  "slow",
  "throttled",
  "failed",
  "failed, applied",
  "refused",
  "overtaken",
  "store away",
  "stale list",
  "watch broken",
  "watch silent",
  "event late",
  "killed",
  "paused",
  "asleep",
  "signalled",
  "wall clock set",
  "clock rate",
  "record deleted",
  "ticket deleted",
  "ticket touched",
  "broken now",
  "broken in order",
  "waiter dropped",
] as const;

/** One of them. */
export type Fault = typeof FAULTS[number];

/** Something that went wrong, or that makes a client another than the plainest there is. */
export interface Mishap {
  /** The same whenever the same seed is run: `where: what`. */
  readonly id: string;
  readonly where: string;
  /** Whom it befalls: the client, or (a request, the lock) `where` once more. */
  readonly whom: string;
  /** Null: nothing is wrong, it is only a way to be. */
  readonly fault: Fault | null;
  /** True time, in milliseconds. */
  readonly at: number;
}

/** Whom or what a fault meets: a request of that step, the step that a client is in, or the steps of all that are under way. */
export type Meets = Step | Client | "everybody" | "nobody";

/** All that goes wrong in one run. */
export class Mishaps {
  /** What happened so far. */
  readonly happened: Mishap[] = [];
  /** By fault, the steps that it met. */
  readonly met = new Map<Fault, Set<Step>>();
  /** Nothing goes wrong any more. */
  isOver = false;
  /** Is told each of them. */
  onMishap: (mishap: Mishap) => void = () => {};

  constructor(
    readonly now: () => number,
    readonly clients: readonly Client[],
    /** The ids of those that may happen; null: all. */
    readonly only: ReadonlySet<string> | null,
  ) {}

  /** True when `fault` is to happen at the place called `where`; then it has happened. */
  strikes(fault: Fault, where: string, meets: Meets): boolean {
    const id = `${where}: ${fault}`;
    if (this.isOver) return false;
    if (this.only !== null && !this.only.has(id)) return false;
    const whom = typeof meets === "string" ? where : meets.persona.name;
    this.#add({ id, where, whom, fault, at: this.now() });
    if (meets === "everybody") {
      for (const client of this.clients) if (!client.over) this.meet(fault, client.step);
    } else if (typeof meets !== "string") this.meet(fault, meets.step);
    else if (meets !== "nobody") this.meet(fault, meets);
    return true;
  }

  /** True when `who` is to be `what`: shared, patient, whatever makes it another than the plainest client. */
  allows(who: string, what: string): boolean {
    const id = `${who}: ${what}`;
    if (this.only !== null && !this.only.has(id)) return false;
    this.#add({ id, where: who, whom: who, fault: null, at: this.now() });
    return true;
  }

  #add(mishap: Mishap): void {
    this.happened.push(mishap);
    this.onMishap(mishap);
  }

  /** Counts that `fault`, which lasts, met another step. */
  meet(fault: Fault, step: Step): void {
    const steps = this.met.get(fault);
    if (steps === undefined) this.met.set(fault, new Set([step]));
    else steps.add(step);
  }
}
