/** Checks what the clients of a simulated world do against what the lock promises. */
import { encodeRecord, parseRecord, parseTicket } from "../../lib/lock/record.ts";
import type { Holder, LockRecord } from "../../lib/lock/record.ts";
import { isV3 } from "../../lib/lock/sequential.ts";
import { isSpent, numberOf } from "../../lib/lock/queue.ts";
import { compareRevisions } from "../../lib/lock/store.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import type { Client } from "./client.ts";
import { OBJECT } from "./network.ts";
import type { Sent } from "./network.ts";
import { change, seconds } from "./story.ts";
import { Violation } from "./violation.ts";
import { Works } from "./works.ts";
import type { World } from "./world.ts";

/** So many requests of one client in a second, deletions aside, are more than any situation needs. */
const MOST_A_SECOND = 60;

/** A write that took longer is told to be late. */
const LATE_MS = 500;

export { Violation };

/** What is another with each renewal. */
function signOf({ renewals, renewed_at }: Holder): string {
  return `${renewals} ${renewed_at}`;
}

/** Watches every record that is written and all work that begins. */
export class Referee {
  readonly works: Works;
  /** The record as it stands. */
  known: LockRecord | null = null;
  /** As it is stored. */
  #stored: StoredRecord | null = null;
  /** The store was restored, and nothing was written into its record since. */
  #isAsRestored = false;
  #restoredAt = -Infinity;
  /** How often the store began to count its revisions from before. */
  #era = 0;
  /** A test damages the record: it is not looked at any more. */
  blind = false;
  /** By uid, when each ticket was made and with which revision. */
  readonly #made = new Map<string, { at: number; revision: string }>();

  /** By grant, when each of its signs of life was first seen. */
  readonly #signs = new Map<string, Map<string, number>>();
  /** By client, its requests of the present second. */
  readonly #sent = new Map<string, { second: number; count: number }>();

  constructor(readonly world: World) {
    this.works = new Works(world);
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
    const base = this.#stored;
    const record = stored === null ? null : parseRecord(stored.text);
    this.known = record;
    this.#stored = stored;
    if (record === null) {
      for (const { grant } of before?.holders ?? []) this.works.unnamed(grant);
      return this.world.say("store", "the record is gone");
    }
    if (this.world.listens) this.#tell(before, record);
    const { holders, turn, capacity, last_token } = record;
    const exclusive = holders.filter(({ mode }) => mode === "exclusive").length;
    if (exclusive > capacity || (exclusive > 0 && exclusive < holders.length)) {
      throw new Violation(`${holders.length} hold where ${capacity} may`);
    }
    const goesBack = this.#isOfBefore(base);
    this.#noteHolders(before, record, goesBack);
    if (before === null || goesBack) return this.#noteRenewals(record);
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

  #tell(before: LockRecord | null, record: LockRecord): void {
    const { landing } = this.world.network;
    const agoMs = this.world.time.now - (landing?.at ?? this.world.time.now);
    const late = agoMs > LATE_MS ? ` (sent ${seconds(agoMs)} s ago)` : "";
    const what = change(before, record, this.world.named);
    this.world.say(landing?.sender ?? "somebody", `${what}${late}`);
  }

  /**
   * True for a write from before a restore: it was sent before that, or against a record of then that has the revision of the present one,
   * as the store uses its numbers twice. Its compare-and-swap compares nothing.
   */
  #isOfBefore(base: StoredRecord | null): boolean {
    const { landing } = this.world.network;
    if (landing?.request.kind !== "replace" || this.#restoredAt === -Infinity) return false;
    return landing.at <= this.#restoredAt || base?.text !== landing.request.base.text;
  }

  /** True when what is stored now is just what one of the clients has written. */
  #isAsSent(): boolean {
    const request = this.world.network.landing?.request;
    const sent = request?.kind === "replace" ? encodeRecord(request.next) : null;
    return sent === this.#stored?.text;
  }

  /** Who holds, and who does not any more: none of them without a trace. */
  #noteHolders(before: LockRecord | null, record: LockRecord, goesBack: boolean): void {
    const { works } = this;
    for (const { grant, state } of before?.holders ?? []) {
      const now = record.holders.find((one) => one.grant === grant);
      if (now === undefined || (now.state !== "held" && state === "held")) works.unnamed(grant);
      if (now !== undefined || record.history.some((one) => one.grant === grant)) continue;
      if (goesBack) works.disowned.add(grant);
      else if (this.#isAsSent()) throw new Violation(`${grant} went without a trace`);
    }
    const old = new Set(before?.holders.map(({ grant }) => grant));
    for (const { grant, state } of record.holders) {
      if (old.has(grant)) continue;
      if (state === "held") works.named(grant);
      works.eras.set(grant, this.#era);
      if (this.#isAsRestored || goesBack) works.blindTokens.add(grant);
    }
    this.#isAsRestored = false;
  }

  /** The store was restored to an older state: whoever holds by what it forgot has lost the lock. */
  restored(next: "as then" | "bumped"): void {
    const before = this.known;
    const stored = this.world.core.readRecord(OBJECT);
    const record = stored === null ? null : parseRecord(stored.text);
    this.known = record;
    this.#stored = stored;
    this.#restoredAt = this.world.time.now;
    this.works.restored();
    if (next === "as then") this.#era++;
    else if (stored !== null) this.#isAsRestored = true;
    for (const holder of record?.holders ?? []) {
      const last = [...this.#signs.get(holder.grant)?.keys() ?? []].at(-1);
      if (last !== signOf(holder)) this.works.forgotten.add(holder.grant);
    }
    const now = new Map(record?.holders.map((holder) => [holder.grant, holder]));
    for (const { grant } of before?.holders ?? []) {
      if (now.get(grant)?.state === "held") continue;
      this.works.unnamed(grant);
      this.works.disowned.add(grant);
    }
    for (const { grant, state } of now.values()) if (state === "held") this.works.named(grant);
    if (record !== null) this.#noteRenewals(record);
  }

  #noteRenewals({ holders }: LockRecord): void {
    for (const holder of holders) {
      const signs = this.#signs.get(holder.grant) ?? new Map<string, number>();
      this.#signs.set(holder.grant, signs);
      const sign = signOf(holder);
      if (!signs.has(sign)) signs.set(sign, this.world.time.now);
    }
  }

  /**
   * Nobody is taken off before its TTL, but where its runner has said that its job is over; and one with a policy only as that allows,
   * by one who was told so of its own job.
   */
  #checkExpired(before: LockRecord, after: LockRecord): void {
    for (const holder of before.holders) {
      const { grant, state, on_expiry, job, ttl_seconds } = holder;
      const past = after.history.find((one) => one.grant === grant);
      if (past?.outcome !== "expired" || state !== "held") continue;
      if (on_expiry === "never") throw new Violation(`${grant} was taken off, and may never be`);
      const told = job === undefined ? null : this.world.jobs.toldOver(past.by ?? "", job);
      if (on_expiry === "verify" && told === null) {
        throw new Violation(`${past.by} took ${grant} off without knowing that its job is over`);
      }
      const early = told === "runner" && job?.held_for === "job";
      const silentMs = this.world.time.now - (this.#signs.get(grant)?.get(signOf(holder)) ?? 0);
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
    // Who waited through a restore may have its place in another count than those whose tickets came back with it.
    if (newcomer === undefined || newcomer.startedAt < this.#restoredAt) return;
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

  /** Checks the work of a command that is about to begin. */
  workStarted(client: Client): void {
    this.strangers(client);
    const { name, config } = client.persona;
    const grant = client.grantAtWork;
    this.works.begin({
      name,
      token: client.working ?? 0,
      at: this.world.time.now,
      mode: config.mode,
      slot: client.slotAtWork,
      grant,
      uid: client.uidAtWork,
      kind: config.work,
      client,
      isRunning: () => client.working !== null && client.grantAtWork === grant,
      // Who is told that it could not be given back knows that it may have been lost before.
      wasTold: () =>
        !client.alive || client.state.result?.kind === "lost" || client.state.leftBehind !== null,
    });
  }
}
