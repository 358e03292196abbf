/**
 * The key of a state: 64 bits of a form in which two states are alike when nothing that can happen later tells them apart.
 *
 * What the form leaves out or renames, and why nothing is lost by it, is said in the README of this folder.
 */
import type { Hold, Request, State } from "../../lib/lock/driver.ts";
import { signature } from "../../lib/lock/help.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { parseTicket } from "../../lib/lock/record.ts";
import type { Ticket } from "../../lib/lock/record.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import { freshState } from "../../lib/lock/draft.ts";
import { WALL_MS } from "./turn.ts";
import { recordIn } from "./world.ts";
import type { Actor, Message, Part, Work, World } from "./world.ts";

/** Fields of a state that the form knows. Any other is taken as it is, so that a new one can make states many, but never alike. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  "config",
  "phase",
  "now",
  "wall",
  "startedAt",
  "wakeAt",
  "random",
  "ids",
  "grants",
  "grant",
  "known",
  "sight",
  "seenTtlMs",
  "embargoUntil",
  "flight",
  "clearing",
  "leftovers",
  "strays",
  "watch",
  "pollOnly",
  "ticket",
  "place",
  "position",
  "queueLength",
  "claim",
  "claimsLost",
  "mustRead",
  "mustReadTicket",
  "mustSettle",
  "readAt",
  "ticketReadAt",
  "positionAt",
  "retryAt",
  "failures",
  "conflicts",
  "outage",
  "unheardSince",
  "lastFailure",
  "firstGoodAt",
  "settledFor",
  "turnsChecked",
  "helpAt",
  "tryUntil",
  "hold",
  "leaveUntil",
  "result",
  "leftBehind",
]);

/** So long after it was looked up, its place is looked up again for people. */
const POSITION_LOOKED_UP_MS = 30_000;

/** A turn that stood for so long is stale by any roll call of a run with few faults: they stand for 3, 6 and 12 s. */
const TURN_WATCHED_MS = 15_000;

const SIZE = 1 << 15;

/** Makes the keys of states. One is used for all of an exploration, one state after the other. */
export class Keys {
  /** The last key: two halves. */
  low = 0;
  high = 0;

  readonly #out = new Int32Array(SIZE);
  #length = 0;
  #now = 0;
  /** Whether anybody looks at wall clock times. */
  #wall = false;
  readonly #grants: string[] = [];
  readonly #uids: string[] = [];
  /** Where revisions and tokens stand: they are renamed in the end. */
  readonly #ranked: number[] = [];
  /** Where counts of renewals stand, and whose they are. */
  readonly #renewals: number[] = [];
  readonly #records: LockRecord[] = [];
  /** What tells each of them: its revision, or itself where it was not stored. */
  readonly #versions: unknown[] = [];
  readonly #codes = new Map<unknown, number>();
  readonly #tickets = new Map<string, Ticket>();
  readonly #signatures = new Map<LockRecord, string>();
  #others: string[] | null = null;

  /** Makes the key of `world`. Where two clients differ in nothing but their names, those do not count. */
  of(world: World): void {
    this.#of(world, [...world.actors.keys()]);
    if (!world.scene.alike) return;
    const { low, high } = this;
    this.#of(world, [...world.actors.keys()].reverse());
    if (this.high > high || (this.high === high && this.low > low)) {
      this.low = low;
      this.high = high;
    }
  }

  #of(world: World, order: readonly number[]): void {
    this.#length = 0;
    this.#now = world.now;
    this.#wall = world.scene.parts.some(({ config }) => config.timeoutMs === 0);
    this.#grants.length = 0;
    this.#uids.length = 0;
    this.#ranked.length = 0;
    this.#renewals.length = 0;
    this.#records.length = 0;
    this.#versions.length = 0;
    const late = world.actors.some(({ state }) => state === null) ? world.now : -1;
    this.#put(Math.min(late, world.scene.arriveByMs));
    this.#flag(world.fresh);
    this.#store(world);
    for (const who of order) {
      const [actor, part] = [world.actors[who], world.scene.parts[who]];
      if (actor !== undefined && part !== undefined) this.#actor(actor, part);
    }
    for (const message of world.wire) this.#message(message, world.actors, order);
    for (let i = 0; i < this.#records.length; i++) this.#record(this.#records[i]!);
    this.#past(world, order);
    for (let i = 0; i < this.#records.length; i++) this.#history(this.#records[i]!);
    this.#rank();
    this.#rebase();
    this.#hash();
  }

  #put(value: number): void {
    if (this.#length >= SIZE) throw new Error("a state is too large for its key");
    this.#out[this.#length++] = value;
  }

  #flag(value: boolean): void {
    this.#put(value ? 1 : 0);
  }

  /** A word out of few, or an object that stands for itself. */
  #code(value: unknown): void {
    let code = this.#codes.get(value);
    if (code === undefined) this.#codes.set(value, code = this.#codes.size + 1);
    this.#put(code);
  }

  #grant(grant: string): number {
    let index = this.#grants.indexOf(grant);
    if (index < 0) index = this.#grants.push(grant) - 1;
    this.#put(index);
    return index;
  }

  #uid(uid: string): void {
    let index = this.#uids.indexOf(uid);
    if (index < 0) index = this.#uids.push(uid) - 1;
    this.#put(index);
  }

  /** A revision or a token: only their order counts. */
  #rankLater(value: number | string | null): void {
    if (value === null) return this.#put(-1);
    this.#ranked.push(this.#length);
    this.#put(Number(value));
  }

  #count(renewals: number, grant: number): void {
    this.#renewals.push(this.#length, grant);
    this.#put(renewals);
  }

  /** A time that is asked for exactly. */
  #since(at: number | null): void {
    this.#put(at === null ? 1 << 30 : Math.round(at - this.#now));
  }

  /** A time that is asked for exactly for so long. */
  #within(at: number, ms: number): void {
    this.#since(Math.max(at, this.#now - ms));
  }

  /** A time that only matters until it has come. */
  #until(at: number | null): void {
    this.#put(at === null ? -1 : Math.max(0, Math.ceil(at - this.#now)));
  }

  #stored(stored: StoredRecord | null | undefined): void {
    if (stored === null || stored === undefined) return this.#put(-1);
    this.#uid(stored.uid);
    this.#rankLater(stored.revision);
    this.#version(stored.revision, recordIn(stored.text));
  }

  /** The same record stands in many places: it is put once. */
  #version(version: unknown, record: LockRecord): void {
    let index = this.#versions.indexOf(version);
    if (index < 0) {
      index = this.#versions.push(version) - 1;
      this.#records.push(record);
    }
    this.#put(index);
  }

  #record(record: LockRecord): void {
    this.#put(record.capacity);
    this.#flag(record.freeze !== null);
    this.#rankLater(record.last_token);
    this.#put(record.holders.length);
    for (const holder of record.holders) {
      const grant = this.#grant(holder.grant);
      this.#code(holder.mode);
      this.#code(holder.state);
      this.#put(holder.slot);
      this.#rankLater(holder.token);
      this.#put(holder.ttl_seconds);
      this.#count(holder.renewals, grant);
      if (this.#wall) this.#since(Date.parse(holder.renewed_at) - WALL_MS);
    }
    this.#put(record.turn.length);
    for (const grant of record.turn) this.#grant(grant);
    const { number, open, stands_seconds, calls, grants } = record.roll_call;
    this.#put(number);
    this.#flag(open);
    this.#put(stands_seconds);
    this.#put(calls);
    this.#put(grants.length);
    for (const grant of grants) this.#grant(grant);
  }

  /** Whoever is in the history and nowhere else is never asked about again. */
  #history({ history }: LockRecord): void {
    for (const past of history) {
      const index = this.#grants.indexOf(past.grant);
      if (index < 0) continue;
      this.#put(index);
      this.#code(past.outcome);
    }
    this.#put(-3);
  }

  #ticketText(text: string): void {
    let ticket = this.#tickets.get(text);
    if (ticket === undefined) {
      if (this.#tickets.size > 50_000) this.#tickets.clear();
      this.#tickets.set(text, ticket = parseTicket(text));
    }
    this.#code(ticket.mode);
    this.#put(ticket.priority);
    this.#rankLater(ticket.order_revision);
    this.#put(ticket.answered);
  }

  #ticket({ grant, uid, revision, text }: StoredTicket): void {
    this.#grant(grant);
    this.#uid(uid);
    this.#rankLater(revision);
    this.#ticketText(text);
  }

  #store({ store }: World): void {
    this.#stored(store.record);
    this.#put(store.tickets.length);
    for (const ticket of store.tickets) this.#ticket(ticket);
  }

  #work(work: Work | null, workMs: number): void {
    if (work === null) return this.#put(-1);
    this.#grant(work.grant);
    this.#rankLater(work.token);
    this.#uid(work.uid);
    this.#put(work.slot);
    this.#until(work.since + workMs);
    this.#flag(work.since === this.#now);
  }

  #actor({ state, life, work, untold, watch, stood }: Actor, part: Part): void {
    this.#code(life);
    this.#work(work, part.workMs);
    if (state === null) return this.#put(-1);
    this.#grant(state.grant);
    this.#code(state.phase);
    if (life === "dead") {
      // Its work goes on until its lifeline notices.
      if (work !== null && state.hold !== null) this.#within(state.hold.ackedAt, part.config.ttlMs);
      return;
    }
    this.#flag(untold);
    this.#put(watch?.news.length ?? -1);
    for (const news of watch?.news ?? []) this.#stored(news);
    this.#put(stood.length);
    for (const { uid, place } of stood) {
      this.#uid(uid);
      this.#rankLater(place);
    }
    this.#state(state, part);
  }

  #state(state: State, part: Part): void {
    this.#until(state.wakeAt);
    this.#doomed(state.clearing?.tickets ?? null);
    this.#doomed(state.leftovers);
    this.#flag(state.leftBehind === null);
    if (state.phase === "over") return;
    this.#others ??= Object.keys(state).filter((name) => !KNOWN_FIELDS.has(name));
    for (const name of this.#others) this.#other(state, name, part);
    this.#knowledge(state);
    this.#flight(state, this.#grants.indexOf(state.grant));
    this.#put(state.strays.length);
    for (const grant of state.strays) this.#grant(grant);
    this.#flag(state.watch.open);
    this.#until(state.watch.open ? null : state.watch.retryAt);
    this.#place(state);
    this.#claim(state);
    this.#needs(state);
    this.#times(state);
    this.#hold(state);
    this.#until(state.leaveUntil);
    this.#code(state.result?.kind);
  }

  #other(state: State, name: string, part: Part): void {
    const value: unknown = Reflect.get(state, name);
    const fresh: unknown = Reflect.get(freshStateOf(part), name);
    const plain = typeof value !== "object" || value === null;
    this.#code(plain ? value : value === fresh ? "fresh" : JSON.stringify(value));
  }

  #knowledge(state: State): void {
    if (state.known === null) this.#put(-2);
    else this.#stored(state.known.stored);
    this.#sight(state);
    this.#put(state.seenTtlMs);
    this.#until(state.embargoUntil);
  }

  #sight({ sight: { holders, turns, call }, known, outage, unheardSince }: State): void {
    this.#put(holders.length);
    for (const { grant, renewals, ttlMs, since } of holders) {
      this.#count(renewals, this.#grant(grant));
      this.#put(ttlMs);
      this.#until(since + ttlMs);
      // What is left of its silence when requests fail, or have failed.
      this.#put(Math.round((known?.at ?? since) - since));
      this.#put(outage ? Math.max(0, Math.round(unheardSince - since)) : -1);
    }
    this.#put(turns.length);
    for (const { grant, since } of turns) {
      this.#grant(grant);
      this.#until(since + TURN_WATCHED_MS);
    }
    this.#put(call?.number ?? -1);
    const stands = known?.record?.roll_call.stands_seconds ?? 0;
    if (call !== null) this.#until(call.since + stands * 1000);
  }

  /** @param me whose renewals it may count */
  #flight({ flight, known, config }: State, me: number): void {
    if (flight === null) return this.#put(-1);
    const { purpose, sentAt, base } = flight;
    this.#code(purpose.kind);
    if (purpose.kind === "claim" || purpose.kind === "renew") this.#within(sentAt, config.ttlMs);
    else this.#flag((known?.at ?? sentAt) > sentAt);
    this.#stored(base?.stored);
    if (purpose.kind === "renew") this.#count(purpose.renewals, me);
    if (purpose.kind === "mend") this.#doomed(purpose.spent);
    if (purpose.kind === "close") {
      this.#put(purpose.tickets.length);
      for (const { ticket, uid, revision } of purpose.tickets) {
        this.#grant(ticket.grant);
        this.#uid(uid);
        this.#rankLater(revision);
        this.#put(ticket.answered);
        this.#rankLater(ticket.order_revision);
      }
    }
  }

  #doomed(
    tickets: readonly { readonly grant: string; readonly uid: string }[] | null,
  ): void {
    this.#put(tickets?.length ?? -1);
    for (const { grant, uid } of tickets ?? []) {
      this.#grant(grant);
      this.#uid(uid);
    }
  }

  #place(state: State): void {
    if (state.ticket === null) this.#put(-1);
    else {
      const { uid, revision, text } = state.ticket.stored;
      this.#uid(uid);
      this.#rankLater(revision);
      this.#ticketText(text);
    }
    this.#rankLater(state.place);
    this.#put(state.position);
    this.#put(state.queueLength);
  }

  #claim({ claim, claimsLost, config }: State): void {
    this.#put(claimsLost);
    if (claim === null) return this.#put(-1);
    this.#grant(claim.grant);
    this.#stored(claim.base);
    this.#version(claim.next, claim.next);
    this.#within(claim.firstSentAt, config.ttlMs);
    this.#put(Math.min(2, claim.sendings));
    this.#flag(claim.open);
  }

  #needs(state: State): void {
    this.#put(
      (state.pollOnly ? 1 : 0) | (state.mustRead ? 2 : 0) | (state.mustReadTicket ? 4 : 0) |
        (state.mustSettle ? 8 : 0) | (state.outage ? 16 : 0) |
        (state.lastFailure !== null ? 32 : 0) | (state.firstGoodAt !== null ? 64 : 0),
    );
    this.#put(state.failures);
    this.#put(state.conflicts);
    this.#settledFor(state);
    this.#put(state.turnsChecked.length);
    for (const grant of state.turnsChecked) this.#grant(grant);
  }

  #settledFor({ settledFor, known }: State): void {
    if (settledFor === null) return this.#put(-1);
    const record = known?.record ?? null;
    if (record !== null && settledFor === this.#signature(record)) return this.#put(-2);
    const [held, turn, capacity, freeze] = JSON.parse(settledFor) as [
      [string, string][],
      string[],
      number,
      unknown,
    ];
    this.#put(held.length);
    for (const [grant, mode] of held) {
      this.#grant(grant);
      this.#code(mode);
    }
    this.#put(turn.length);
    for (const grant of turn) this.#grant(grant);
    this.#put(capacity);
    this.#flag(freeze !== null);
  }

  #signature(record: LockRecord): string {
    let text = this.#signatures.get(record);
    if (text === undefined) {
      if (this.#signatures.size > 50_000) this.#signatures.clear();
      this.#signatures.set(record, text = signature(record));
    }
    return text;
  }

  #times(state: State): void {
    this.#until(state.retryAt);
    // What counts from its start: how long it is tried to reach the store at all, and how long is waited in all.
    const early = state.firstGoodAt === null || state.config.timeoutMs !== null;
    if (early) this.#since(state.startedAt);
    if (!["arriving", "trying", "waiting"].includes(state.phase)) return;
    this.#until(state.readAt);
    this.#until(state.ticketReadAt);
    this.#until(state.positionAt + POSITION_LOOKED_UP_MS);
    this.#until(state.helpAt);
    this.#until(state.tryUntil);
  }

  #hold({ hold, phase, grant, config }: State): void {
    if (hold === null) return this.#put(-1);
    this.#uid(hold.uid);
    this.#rankLater(hold.token);
    this.#put(hold.slot);
    this.#flag(hold.gone);
    this.#code(hold.lost?.kind);
    if (phase !== "holding") return;
    this.#holding(hold, grant, config.ttlMs);
    if (config.maxHoldMs !== null) this.#since(hold.since);
  }

  #holding(hold: Hold, grant: string, ttlMs: number): void {
    this.#within(hold.ackedAt, ttlMs);
    this.#until(hold.renewAt);
    this.#code(hold.work);
    this.#code(hold.stage);
    this.#until(hold.killAt);
    if (hold.pending === null) return this.#put(-1);
    this.#count(hold.pending.renewals, this.#grants.indexOf(grant));
    this.#within(hold.pending.firstSentAt, ttlMs);
  }

  #message(message: Message, actors: readonly Actor[], order: readonly number[]): void {
    const { owner, id } = message;
    const state = actors[owner]?.state;
    this.#code(message.kind);
    this.#put(order.indexOf(owner));
    if (message.kind === "event") return this.#stored(message.record);
    this.#put(state?.flight?.id === id ? 1 : state?.clearing?.id === id ? 2 : 0);
    this.#until(message.until);
    if (message.kind === "answer") return this.#answer(message.answer);
    this.#code(message.pace);
    if (message.part === null) this.#put(-2);
    else this.#answer(message.part);
    this.#request(message.request);
  }

  #answer({ record, tickets, ticket, undeleted, failure }: Extract<
    Message,
    { kind: "answer" }
  >["answer"]): void {
    this.#code(failure?.kind);
    if (record !== undefined) this.#stored(record);
    this.#put(tickets?.length ?? -1);
    for (const one of tickets ?? []) this.#ticket(one);
    if (ticket !== undefined) {
      if (ticket === null) this.#put(-5);
      else this.#ticket(ticket);
    }
    this.#put(undeleted?.length ?? -1);
    for (const grant of undeleted ?? []) this.#grant(grant);
  }

  #request(request: Request): void {
    this.#code(request.kind);
    switch (request.kind) {
      case "replace":
        this.#stored(request.base);
        return this.#version(request.next, request.next);
      case "create_ticket":
        this.#grant(request.ticket.grant);
        return this.#rankLater(request.ticket.order_revision);
      case "read_ticket":
        this.#grant(request.grant);
        return;
      case "patch_ticket":
        this.#ticket(request.base);
        this.#put(request.ticket.answered);
        return this.#rankLater(request.ticket.order_revision);
      case "delete_tickets":
        this.#doomed(request.tickets);
        for (const { revision = null } of request.tickets) this.#rankLater(revision);
    }
  }

  #past({ past, actors }: World, order: readonly number[]): void {
    this.#rankLater(past.lastToken);
    for (const grant of past.held) this.#mention(grant);
    this.#put(-4);
    for (const grant of past.brokenNow) this.#mention(grant);
    for (const work of past.begun) {
      this.#uid(work.uid);
      this.#put(work.slot);
      this.#code(work.mode);
      this.#rankLater(work.token);
      this.#mention(work.grant);
      this.#flag(past.brokenNow.includes(work.grant));
    }
    for (const who of order) {
      this.#put(-4);
      for (const uid of actors[who]?.sawHeld ?? []) {
        const index = this.#uids.indexOf(uid);
        if (index >= 0) this.#put(index);
      }
    }
  }

  /** A grant that stands nowhere else will never stand anywhere again. */
  #mention(grant: string): void {
    const index = this.#grants.indexOf(grant);
    if (index >= 0) this.#put(index);
  }

  #rank(): void {
    const places = this.#ranked;
    const out = this.#out;
    const values: number[] = [];
    for (const place of places) {
      const value = out[place]!;
      if (!values.includes(value)) values.push(value);
    }
    values.sort((a, b) => a - b);
    for (const place of places) out[place] = values.indexOf(out[place]!);
  }

  /** Only how far the counts of one grant are apart is of use. */
  #rebase(): void {
    const list = this.#renewals;
    const least: number[] = [];
    for (let i = 0; i < list.length; i += 2) {
      const grant = list[i + 1]!;
      least[grant] = Math.min(least[grant] ?? Infinity, this.#out[list[i]!]!);
    }
    for (let i = 0; i < list.length; i += 2) {
      this.#out[list[i]!] = this.#out[list[i]!]! - least[list[i + 1]!]!;
    }
  }

  /** Two mixes of the whole form, each of 32 bits. */
  #hash(): void {
    const out = this.#out;
    let a = 0x9e3779b9 ^ this.#length;
    let b = 0x85ebca6b;
    for (let i = 0; i < this.#length; i++) {
      const value = out[i]!;
      a = Math.imul(a ^ value, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      a = Math.imul(a, 5) + 0x6b64e654 | 0;
      b = Math.imul(b ^ (value + i), 0x1b873593);
      b = (b << 13) | (b >>> 19);
      b = Math.imul(b, 9) + 0x38b34ae5 | 0;
    }
    a ^= a >>> 16;
    a = Math.imul(a, 0x85ebca6b);
    a ^= a >>> 13;
    b ^= b >>> 15;
    b = Math.imul(b, 0xc2b2ae35);
    b ^= b >>> 16;
    this.low = (a ^ (b >>> 7)) >>> 0;
    this.high = (b ^ (a << 3)) >>> 0;
  }
}

const freshStates = new WeakMap<Part, State>();

function freshStateOf(part: Part): State {
  let state = freshStates.get(part);
  if (state === undefined) freshStates.set(part, state = freshState(part.config, 0, 0));
  return state;
}
