/** One state of the small model: a store, two or three clients, what is on the wire, and what the referee remembers. */
import type { Answer, Config, Request, State } from "../../lib/lock/driver.ts";
import { PART } from "../../lib/lock/hold.ts";
import { parseRecord } from "../../lib/lock/record.ts";
import type { LockRecord, Mode } from "../../lib/lock/record.ts";
import type { StoredRecord } from "../../lib/lock/store.ts";
import type { Store } from "./store.ts";

/** What may go wrong, or be done by somebody else. Each counts as one fault. */
export type FaultKind =
  /** No answer, and the request is carried out at any later time, or never. */
  | "late"
  /** As `late`, but its sender waits for the answer as long as it waits for any. */
  | "slow"
  /** Carried out, but answered by nothing that says so. */
  | "unanswered"
  /** Carried out at once, and answered at any later time while its sender waits, or never. */
  | "slow answer"
  /** 429. */
  | "throttled"
  /** Carried out and answered; a copy is carried out at any later time, or never. */
  | "twice"
  /** An event comes at any later time, or never. */
  | "late event"
  | "watch ends"
  | "crash"
  /** The process stands still while time goes on, until it is let go on. */
  | "pause"
  | "signal"
  | "record deleted"
  | "ticket deleted"
  | "ticket touched"
  | "broken"
  | "broken now"
  | "dropped";

/** All of them. */
export const FAULT_KINDS: readonly FaultKind[] = [
  "late",
  "slow",
  "unanswered",
  "slow answer",
  "throttled",
  "twice",
  "late event",
  "watch ends",
  "crash",
  "pause",
  "signal",
  "record deleted",
  "ticket deleted",
  "ticket touched",
  "broken",
  "broken now",
  "dropped",
];

/** One client of a scene. */
export interface Part {
  readonly name: string;
  readonly config: Config;
  /** The longest that its work takes, in milliseconds; it may end at any moment before that. */
  readonly workMs: number;
  /** Something kills the work when this process cannot. */
  readonly lifeline: boolean;
  /** Its clocks run this much faster than true time. */
  readonly rate: number;
}

/** What is explored. */
export interface Scene {
  readonly name: string;
  readonly parts: readonly Part[];
  /** They differ in nothing but their names. */
  readonly alike: boolean;
  /** Everybody has begun by then, in milliseconds from the beginning. */
  readonly arriveByMs: number;
  /** What may happen in it. */
  readonly faults: ReadonlySet<FaultKind>;
  /** Timers fire at the multiples of this many milliseconds: those that are due in between come later. */
  readonly gridMs: number;
  /** The capacity of a record that stands at the beginning; null: there is none. */
  readonly capacity: number | null;
}

/** Work under way. */
export interface Work {
  readonly grant: string;
  readonly token: number;
  /** Of the record that it holds in. */
  readonly uid: string;
  readonly slot: number;
  readonly mode: Mode;
  readonly since: number;
}

/** A ticket that stood when a newcomer looked, with the place that it had. */
export interface Stood {
  readonly uid: string;
  readonly place: string;
}

/** A client in some state. */
export interface Actor {
  /** Null before it begins. */
  readonly state: State | null;
  readonly life: "alive" | "paused" | "dead";
  readonly work: Work | null;
  /** Its work is over, and it was not told yet. */
  readonly untold: boolean;
  /** The watch it has open, with what that has still to report, the oldest first. */
  readonly watch: { readonly id: number; readonly news: readonly (StoredRecord | null)[] } | null;
  /** What stood when it looked last before it had a place. */
  readonly stood: readonly Stood[];
  /** The uids of the records that it ever saw held. */
  readonly sawHeld: readonly string[];
}

/** Something between a client and the store. */
export type Message =
  | {
    readonly kind: "request";
    readonly owner: number;
    readonly id: number;
    readonly request: Request;
    /** When its sender stops waiting. */
    readonly until: number;
    /** What the first of two parts has brought. */
    readonly part: Answer | null;
    /** `fast`: before time goes on. `slow`: at any time. `orphan`: so, too, and nobody waits for it. */
    readonly pace: "fast" | "slow" | "orphan";
  }
  | {
    readonly kind: "answer";
    readonly owner: number;
    readonly id: number;
    readonly answer: Answer;
    readonly until: number;
  }
  /** An event of a watch on its own. */
  | {
    readonly kind: "event";
    readonly owner: number;
    readonly id: number;
    readonly record: StoredRecord | null;
  };

/** What the referee has to remember. */
export interface Past {
  /** The greatest token that ever stood in a record. */
  readonly lastToken: number;
  /** Grants that ever held. */
  readonly held: readonly string[];
  /** The latest work of each kind that began: what a later one is compared with. */
  readonly begun: readonly Work[];
  /** Grants that a person took the hold away from at once. */
  readonly brokenNow: readonly string[];
  /** Clients that a person dropped from the queue while they waited with their present grant. */
  readonly dropped: readonly number[];
}

/** One state. Nothing in it ever changes. */
export interface World {
  readonly scene: Scene;
  /** True time, in milliseconds. */
  readonly now: number;
  readonly store: Store;
  readonly actors: readonly Actor[];
  readonly wire: readonly Message[];
  readonly past: Past;
  /** Nothing has happened at this moment yet. */
  readonly fresh: boolean;
}

/** A promise that is broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** When the work of `actor` is killed by its lifeline, in true time; Infinity where it has none. */
export function lifelineAt(part: Part, { state }: Actor): number {
  if (!part.lifeline || state?.hold == null) return Infinity;
  return (state.hold.ackedAt + part.config.ttlMs * PART.kill) / part.rate;
}

/** True when nothing of it goes on. */
export function isOver({ state, life, work }: Actor): boolean {
  if (work !== null || state === null) return false;
  return life === "dead" || (state.phase === "over" && state.clearing === null);
}

/** Whose grant it is: the place of its client in the scene, or -1. */
export function ownerOf(world: World, grant: string): number {
  const prefix = grant.slice(0, grant.lastIndexOf("-"));
  return world.scene.parts.findIndex(({ config }) => config.grantPrefix === prefix);
}

const parsed = new Map<string, LockRecord>();

/** The record in `text`. */
export function recordIn(text: string): LockRecord {
  let record = parsed.get(text);
  if (record === undefined) {
    if (parsed.size > 50_000) parsed.clear();
    parsed.set(text, record = parseRecord(text));
  }
  return record;
}
