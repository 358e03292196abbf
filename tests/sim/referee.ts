/** Checks what the clients of a simulated world do against what the lock promises. */
import type { Mode } from "../../lib/lock/record.ts";
import { parseRecord, parseTicket } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { isV3 } from "../../lib/lock/sequential.ts";
import { isSpent, numberOf } from "../../lib/lock/queue.ts";
import { compareRevisions } from "../../lib/lock/store.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import type { Client } from "./client.ts";
import { OBJECT } from "./network.ts";
import type { Sent } from "./network.ts";
import { change, seconds } from "./story.ts";
import type { World } from "./world.ts";

/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Work that began. */
export interface Work {
  readonly client: Client;
  readonly name: string;
  readonly token: number;
  readonly at: number;
  readonly mode: Mode;
  readonly slot: number;
  readonly grant: string;
  readonly uid: string;
}

/** True when the two may not go on at the same time. */
function exclude(a: Work, b: Work): boolean {
  // The same hold, handed over.
  if (a.grant === b.grant) return false;
  if (a.mode === "shared" && b.mode === "shared") return false;
  return a.mode !== b.mode || a.slot === b.slot;
}

/** So many requests of one client in a second, deletions aside, are more than any situation needs. */
const MOST_A_SECOND = 60;

/** A write that took longer is told to be late. */
const LATE_MS = 500;

/** Watches every record that is written and all work that begins. */
export class Referee {
  readonly begun: Work[] = [];
  /** Grants whose hold a person took away at once. */
  readonly brokenNow = new Set<string>();
  /** The record as it stands. */
  known: LockRecord | null = null;
  /** A test damages the record: it is not looked at any more. */
  blind = false;
  /** By uid, when each ticket was made and with which revision. */
  readonly #made = new Map<string, { at: number; revision: string }>();

  /** By grant, when its last renewal was seen. */
  readonly #renewed = new Map<string, { at: number; renewals: number }>();
  /** By client, its requests of the present second. */
  readonly #sent = new Map<string, { second: number; count: number }>();

  constructor(readonly world: World) {
    world.network.onSent = (sent) => this.#requestSent(sent);
    world.core.subscribe((change) => {
      if (change.kind === "record") this.#seen(change.record);
      else if (change.ticket !== null && !this.#made.has(change.ticket.uid)) {
        const { uid, revision } = change.ticket;
        this.#made.set(uid, { at: world.time.now, revision });
      }
    });
  }

  /** Nobody hammers the store. */
  #requestSent({ at, sender, request }: Sent): void {
    if (request.kind === "delete_tickets") return;
    const second = Math.floor(at / 1000);
    const last = this.#sent.get(sender);
    const count = last?.second === second ? last.count + 1 : 1;
    if (count > MOST_A_SECOND) throw new Violation(`${sender} hammers the store`);
    this.#sent.set(sender, { second, count });
  }

  #seen(stored: StoredRecord | null): void {
    if (this.blind) return;
    const before = this.known;
    const record = stored === null ? null : parseRecord(stored.text);
    this.known = record;
    if (record === null) return this.world.say("store", "the record is gone");
    if (this.world.listens) {
      const { landing } = this.world.network;
      const agoMs = this.world.time.now - (landing?.at ?? this.world.time.now);
      const late = agoMs > LATE_MS ? ` (sent ${seconds(agoMs)} s ago)` : "";
      const what = change(before, record, this.world.named);
      this.world.say(landing?.sender ?? "somebody", `${what}${late}`);
    }
    const { holders, turn, capacity, last_token } = record;
    const exclusive = holders.filter(({ mode }) => mode === "exclusive").length;
    if (exclusive > capacity || (exclusive > 0 && exclusive < holders.length)) {
      throw new Violation(`${holders.length} hold where ${capacity} may`);
    }
    if (before === null) return this.#noteRenewals(record);
    this.#checkExpired(before, record);
    this.#noteRenewals(record);
    // Version 3 wipes all that it does not know.
    const wiped = isV3(record) && last_token === 0;
    if (last_token < before.last_token && !wiped) throw new Violation("tokens went back");
    const heldBefore = before.holders.map(({ grant }) => grant);
    for (const { grant } of holders) {
      if (heldBefore.includes(grant)) continue;
      this.#checkWanted(grant);
      if (!before.turn.includes(grant)) this.#checkOrder(record, grant);
    }
    for (const grant of turn) {
      if (!before.turn.includes(grant)) this.#checkOrder(record, grant);
    }
  }

  #noteRenewals({ holders }: LockRecord): void {
    for (const { grant, renewals } of holders) {
      if (this.#renewed.get(grant)?.renewals === renewals) continue;
      this.#renewed.set(grant, { at: this.world.time.now, renewals });
    }
  }

  /**
   * Nobody is taken off before its TTL, but where its runner has said that its job is over; and one with a policy only as that allows,
   * by one who was told so of its own job.
   */
  #checkExpired(before: LockRecord, after: LockRecord): void {
    for (const { grant, state, on_expiry, job, ttl_seconds } of before.holders) {
      const past = after.history.find((one) => one.grant === grant);
      if (past?.outcome !== "expired" || state !== "held") continue;
      if (on_expiry === "never") throw new Violation(`${grant} was taken off, and may never be`);
      const told = job === undefined ? null : this.world.jobs.toldOver(past.by ?? "", job);
      if (on_expiry === "verify" && told === null) {
        throw new Violation(`${past.by} took ${grant} off without knowing that its job is over`);
      }
      const early = told === "runner" && job?.held_for === "job";
      const silentMs = this.world.time.now - (this.#renewed.get(grant)?.at ?? 0);
      // The rates of the clocks differ a little.
      const leastMs = ttl_seconds * 1000 * 0.95 * (early ? 1 / 3 : 1);
      if (silentMs < leastMs) throw new Violation(`${grant} was silent for ${silentMs} ms only`);
    }
  }

  /** One that gave everything back never comes to hold. */
  #checkWanted(grant: string): void {
    const state = this.world.clientOf(grant)?.state;
    if (state?.phase === "over" && state.leftBehind === null) {
      throw new Violation(`${grant} holds after its client has gone in good order`);
    }
  }

  /** Nobody who came later is named, or claims, before a ticket that stood when it came. */
  #checkOrder(record: LockRecord, grant: string): void {
    const newcomer = this.world.clientOf(grant);
    if (newcomer === undefined) return;
    for (const stored of this.world.core.listTickets(OBJECT)) {
      const made = this.#made.get(stored.uid);
      const client = this.world.clientOf(stored.grant);
      if (made === undefined || made.at >= newcomer.startedAt || client === undefined) continue;
      if (client.state.phase !== "waiting" || client.state.grant !== stored.grant) continue;
      if (record.turn.includes(stored.grant) || isSpent(record, stored.grant)) continue;
      const ticket = parseTicket(stored.text);
      // By number only those of one run are in line.
      if (isV3(record) && numberOf(ticket) !== newcomer.persona.config.orderKey) continue;
      // Somebody touched it, and its waiter has not yet written down which place it had, as far as all know.
      const states = [stored, ...this.world.network.statesLately(stored.uid)];
      const touched = ({ text, revision }: StoredTicket) =>
        parseTicket(text).order_revision === null && revision !== made.revision;
      if (states.some(touched)) continue;
      // It was touched before its waiter, whose create was not answered, ever read it: that place is nowhere any more.
      const place = ticket.order_revision ?? stored.revision;
      if (compareRevisions(place, made.revision) > 0) continue;
      if (ticket.priority < newcomer.persona.config.priority) continue;
      throw new Violation(`${grant} overtakes ${stored.grant}`);
    }
  }

  /** Is asked before work begins whether somebody who is not of ours works. */
  strangers: (client: Client) => void = () => {};

  /** Checks work that is about to begin. */
  workStarted(client: Client): void {
    this.strangers(client);
    const { name, config } = client.persona;
    const work: Work = {
      client,
      name,
      token: client.working ?? 0,
      at: this.world.time.now,
      mode: config.mode,
      slot: client.slotAtWork,
      grant: client.grantAtWork,
      uid: client.uidAtWork,
    };
    this.world.say(name, `work begins with token ${work.token}`);
    for (const other of this.begun) {
      if (!exclude(work, other) || this.#excused(work, other)) continue;
      const runs = other.client.working !== null && other.client.grantAtWork === other.grant;
      if (runs && !other.client.sleptAtWork) {
        throw new Violation(`${name} works while ${other.name} does`);
      }
      if (work.token <= other.token) {
        throw new Violation(`token ${work.token} of ${name} after ${other.token} of ${other.name}`);
      }
    }
    this.begun.push(work);
  }

  /** `break --now` takes it on itself; and a newcomer cannot know of a holder whose record was deleted before it came. */
  #excused(work: Work, other: Work): boolean {
    if (this.brokenNow.has(other.grant) || this.brokenNow.has(work.grant)) return true;
    return other.uid !== work.uid && !work.client.sawHeld.has(other.uid);
  }
}
