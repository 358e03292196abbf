/** Judges the work that is done under the lock, and what those are told whose work met that of others. */
import type { Mode } from "../../lib/lock/record.ts";
import type { Client } from "./client.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Work that began. */
export interface Work {
  readonly name: string;
  readonly token: number;
  readonly at: number;
  readonly mode: Mode;
  readonly slot: number;
  readonly grant: string;
  readonly uid: string;
  /** A command can be stopped; the steps of a job go on whatever becomes of the lock. */
  readonly kind: "command" | "steps";
  /** Who acquired it. */
  readonly client: Client;
  readonly isRunning: () => boolean;
  /** Its job knows that others may have worked meanwhile, or nobody is left who could be told. */
  readonly wasTold: () => boolean;
}

/** Two who worked at the same time, which nobody could prevent. */
interface Overlap {
  readonly newer: Work;
  readonly older: Work;
  /** Those of them whom the record did not name then. */
  readonly losers: readonly Work[];
  readonly at: number;
}

/** Work has ended this part of its TTL after the record named it last. */
const STOPPED_BY = 5 / 6;
/** It begins this part of its TTL after the record named it last, at the latest. */
const BEGUN_BY = 1 / 2;
/** Clocks that part by less say nothing, in milliseconds. */
const CLOCK_JUMP_MS = 2000;
/** What timers and kills take, in milliseconds. */
const SLACK_MS = 150;

/** True when the two may not go on at the same time. */
function exclude(a: Work, b: Work): boolean {
  // The same hold, handed over.
  if (a.grant === b.grant) return false;
  if (a.mode === "shared" && b.mode === "shared") return false;
  return a.mode !== b.mode || a.slot === b.slot;
}

/** All work of a run. */
export class Works {
  readonly begun: Work[] = [];
  /** Grants whose hold a person took away at once. */
  readonly brokenNow = new Set<string>();
  /** Grants whose entries went without a trace: with the store's last minutes, or under a write of before that. */
  readonly disowned = new Set<string>();
  /** Grants whose last renewals a restored store forgot: those who did not hear of these count from an earlier one. */
  readonly forgotten = new Set<string>();
  /** Grants whose token was made in a record of which nobody could know which tokens were given since its backup. */
  readonly blindTokens = new Set<string>();
  /** By grant, in which count of tokens it has its own: a store that is restored, and counts on from then, begins another. */
  readonly eras = new Map<string, number>();
  readonly #overlaps: Overlap[] = [];
  /** By grant, until when the record named it; Infinity while it does. */
  readonly #namedUntil = new Map<string, number>();
  /** When the store was restored last. */
  #restoredAt = -Infinity;

  constructor(readonly world: World) {}

  /** How many overlaps there were that nobody could prevent. */
  get overlaps(): number {
    return this.#overlaps.length;
  }

  /** The record names it. */
  named(grant: string): void {
    this.#namedUntil.set(grant, Infinity);
  }

  /** The record does not name it any more: nothing is renewed from now on. */
  unnamed(grant: string): void {
    const { now } = this.world.time;
    this.#namedUntil.set(grant, now);
    for (const work of this.begun) if (work.grant === grant && work.isRunning()) this.#bind(work);
  }

  /** The store is another now. */
  restored(): void {
    this.#restoredAt = this.world.time.now;
  }

  /** Whoever acquired `grant` says that it is held, for others to work by. */
  handedOver(client: Client, grant: string): void {
    this.#checkNamed(client, grant, "hands over");
  }

  /** Checks work that is about to begin. */
  begin(work: Work): void {
    this.world.say(work.name, `work begins with token ${work.token}`);
    if (work.kind === "command") this.#checkNamed(work.client, work.grant, "begins to work");
    for (const other of this.begun) {
      if (!exclude(work, other)) continue;
      if (other.isRunning()) this.#meet(work, other);
      if (work.token <= other.token && this.#areComparable(work, other)) {
        throw new Violation(
          `token ${work.token} of ${work.name} after ${other.token} of ${other.name}`,
        );
      }
    }
    this.begun.push(work);
    if (this.#namedUntil.get(work.grant) !== Infinity) this.#bind(work);
  }

  /** After everything: of two who worked at the same time each whose hold was gone was told so. */
  judge(): void {
    for (const { newer, older, losers, at } of this.#overlaps) {
      // Restored after that, the store may name a loser again, and the other one learns of it; under a write of before a restore as well.
      const either = this.#restoredAt > at || this.disowned.has(newer.grant);
      if (either && (older.wasTold() || newer.wasTold())) continue;
      for (const loser of losers) {
        if (loser.wasTold()) continue;
        const other = loser === older ? newer : older;
        throw new Violation(`${loser.name} is not told that ${other.name} worked beside it`);
      }
    }
  }

  /** True when a token that is not greater is a bug. */
  #areComparable(work: Work, other: Work): boolean {
    if (this.blindTokens.has(work.grant)) return false;
    // Taken off before the answer to its claim came, it begins late: its token says so.
    if (this.#namedUntil.get(work.grant) !== Infinity) return false;
    return this.eras.get(work.grant) === this.eras.get(other.grant);
  }

  /** Nobody begins who was taken off long ago. */
  #checkNamed({ persona, wokeAt }: Client, grant: string, what: string): void {
    if (this.world.referee.blind) return;
    const until = this.#namedUntil.get(grant);
    if (until === undefined) throw new Violation(`${persona.name} ${what} and never held`);
    // A machine that slept for less is not told so by its clocks.
    const unnoticedMs = wokeAt === -Infinity ? 0 : CLOCK_JUMP_MS;
    const mostMs = persona.config.ttlMs * BEGUN_BY / persona.rate + unnoticedMs + SLACK_MS;
    if (this.world.time.now - until > mostMs) {
      throw new Violation(`${persona.name} ${what} long after the lock was taken from it`);
    }
  }

  /** Work whose grant the record does not name has ended before its TTL is over, but where its machine sleeps. */
  #bind(work: Work): void {
    const { persona, asleep, wokeAt } = work.client;
    const { config, rate, lifeline } = persona;
    if (work.kind === "steps" || config.onLost === "warn" || !lifeline) return;
    const until = this.#namedUntil.get(work.grant) ?? -Infinity;
    const { now } = this.world.time;
    if (!work.isRunning() || until > now) return;
    const limit = config.ttlMs * STOPPED_BY / rate + SLACK_MS;
    const left = Math.max(until, asleep ? now : wokeAt) + limit - now;
    if (left > 0) return this.world.time.after(left, () => this.#bind(work));
    throw new Violation(`${work.name} works on long after the lock was taken from it`);
  }

  /** Two work at the same time. */
  #meet(newer: Work, older: Work): void {
    const isExcused = this.brokenNow.has(older.grant) || this.brokenNow.has(newer.grant) ||
      // A machine that slept since the record named it last, or has not yet heard of the store since: it has not had the time to stop.
      this.#hasSlept(older) || this.#hasSlept(newer) ||
      // A newcomer cannot know of a holder whose record was deleted, or forgotten by its store, before it came.
      (older.uid !== newer.uid && !newer.client.sawHeld.has(older.uid)) ||
      (this.disowned.has(older.grant) && !newer.client.sawHolding.has(older.grant)) ||
      this.disowned.has(newer.grant) || this.forgotten.has(older.grant) ||
      older.kind === "steps";
    if (!isExcused) throw new Violation(`${newer.name} works while ${older.name} does`);
    const losers = [older, newer].filter(({ grant }) => this.#namedUntil.get(grant) !== Infinity);
    this.#overlaps.push({ newer, older, losers, at: this.world.time.now });
  }

  #hasSlept({ grant, client: { asleep, wokeAt, wokeAtClock, state } }: Work): boolean {
    const isUnsure = state.grant === grant && (state.hold?.ackedAt ?? Infinity) < wokeAtClock;
    return asleep || isUnsure || wokeAt > (this.#namedUntil.get(grant) ?? -Infinity);
  }
}
