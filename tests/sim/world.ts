/** A simulated world: one store, a bad network, many clients, and somebody who checks what they do. */
import type { Config } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket, parseRecord, parseTicket } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { bar, breakHolder, remove } from "../../lib/lock/rules.ts";
import type { StoredRecord } from "../../lib/lock/store.ts";
import { MemoryCore } from "../../lib/store/memory_store.ts";
import { Client } from "./client.ts";
import type { Persona } from "./client.ts";
import { Network, OBJECT } from "./network.ts";
import { Chance } from "./random.ts";
import { Timeline } from "./timeline.ts";

/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What a client is made from where nothing else is said. */
export const CONFIG: Config = {
  identity: { scope: "global", owner: "", repository: "", lock: "deploy" },
  holder: "",
  description: "",
  link: "",
  mode: "exclusive",
  priority: 0,
  order: "fifo",
  orderKey: null,
  ttlMs: 10_000,
  timeoutMs: null,
  requestTimeoutMs: 5_000,
  maxHoldMs: null,
  work: "command",
  onLost: "stop",
  news: "watch",
  resumed: null,
  grantPrefix: "",
  seed: 0,
};

/** Everything of one run. */
export class World {
  readonly time = new Timeline();
  readonly core = new MemoryCore();
  readonly chance: Chance;
  readonly network: Network;
  readonly clients: Client[] = [];
  /** What happened, for people. */
  readonly story: string[] = [];
  /** Tokens in the order in which work began with them. */
  readonly begun: { token: number; name: string; at: number }[] = [];
  /** Grants whose hold a person took away at once. */
  readonly #brokenNow = new Set<string>();
  #known: LockRecord | null = null;

  constructor(readonly seed: number) {
    this.chance = new Chance(seed);
    this.network = new Network(this.time, this.core, this.chance);
    this.core.subscribe((change) => {
      if (change.kind === "record") this.seen(change.record);
    });
  }

  /** Starts a client. */
  start(name: string, config: Partial<Config> = {}, persona: Partial<Persona> = {}): Client {
    const client = new Client(this, {
      name,
      config: {
        ...CONFIG,
        holder: name,
        grantPrefix: `${name}${this.clients.length}`,
        seed: this.chance.below(2 ** 31),
        ...config,
      },
      rate: 1,
      wallOffsetMs: 0,
      workMs: 1000,
      stubbornMs: 500,
      ...persona,
    });
    this.clients.push(client);
    return client;
  }

  /** Adds a line to the story. */
  say(who: string, what: string): void {
    this.story.push(`${this.time.now.toFixed(1).padStart(10)} ${who}: ${what}`);
  }

  /** Goes on until `until` is true. Breaks the promise `what` when that takes longer than `limitMs`. */
  run(until: () => boolean, limitMs: number, what: string): void {
    const end = this.time.now + limitMs;
    while (!until()) {
      if (this.time.now > end || !this.time.advance()) throw new Violation(what);
    }
  }

  /** Goes on for so long. */
  runFor(ms: number): void {
    let over = false;
    this.time.after(ms, () => over = true);
    while (!over) this.time.advance();
  }

  /** The record as it stands. */
  record(): LockRecord | null {
    return this.#known;
  }

  /** Checks a record that was just written. */
  seen(stored: StoredRecord | null): void {
    const before = this.#known;
    this.#known = stored === null ? null : parseRecord(stored.text);
    if (this.#known === null) {
      this.say("store", "record deleted");
      return;
    }
    const { holders, turn, capacity, roll_call, last_token } = this.#known;
    this.say(
      "store",
      `r${stored?.revision} holders=[${
        holders.map((h) => `${h.grant}#${h.token}+${h.renewals}`)
      }] ` +
        `turn=[${turn}] call=${roll_call.open ? `${roll_call.number}(${roll_call.grants})` : "-"}`,
    );
    const exclusive = holders.filter(({ mode }) => mode === "exclusive").length;
    if (exclusive > capacity || (exclusive > 0 && exclusive < holders.length)) {
      throw new Violation(`${holders.length} hold where ${capacity} may`);
    }
    if (before !== null && last_token < before.last_token) throw new Violation("tokens went back");
  }

  /** Checks work that is about to begin. */
  workStarted(client: Client): void {
    const { name, config } = client.persona;
    const token = client.working ?? 0;
    this.say(name, `work begins with token ${token}`);
    for (const other of this.clients) {
      if (other === client || other.working === null) continue;
      if (config.mode === "shared" && other.persona.config.mode === "shared") continue;
      if (this.#excused(client, other)) continue;
      throw new Violation(`${name} works while ${other.persona.name} does`);
    }
    const last = this.begun.at(-1);
    if (config.mode === "exclusive" && last !== undefined && token <= last.token) {
      throw new Violation(`token ${token} of ${name} after ${last.token} of ${last.name}`);
    }
    this.begun.push({ token, name, at: this.time.now });
  }

  /** `break --now` takes it on itself; and a newcomer cannot know of a holder whose record was deleted before it came. */
  #excused(client: Client, other: Client): boolean {
    if (this.#brokenNow.has(other.grantAtWork)) return true;
    return other.uidAtWork !== client.uidAtWork && !client.sawHeld.has(other.uidAtWork);
  }

  /** A person deletes the record. */
  deleteRecord(): void {
    this.say("person", "deletes the record");
    this.core.deleteRecord(OBJECT);
  }

  /** A person deletes somebody's ticket. */
  deleteTicket(): void {
    const tickets = this.core.listTickets(OBJECT);
    const ticket = tickets[this.chance.below(tickets.length || 1)];
    if (ticket === undefined) return;
    this.say("person", `deletes ticket ${ticket.grant}`);
    this.core.deleteTicket(OBJECT, ticket);
  }

  /** A person annotates somebody's ticket: its revision moves. */
  touchTicket(): void {
    const tickets = this.core.listTickets(OBJECT);
    const stored = tickets[this.chance.below(tickets.length || 1)];
    if (stored === undefined) return;
    const ticket = parseTicket(stored.text);
    const extra = { ...ticket.extra, note: `${this.time.now}` };
    this.say("person", `touches ticket ${stored.grant}`);
    this.core.patchTicket(OBJECT, stored, encodeTicket({ ...ticket, extra }));
  }

  /** A person breaks the lock, at once or in good order. */
  breakLock(how: "now" | "in order"): void {
    const stored = this.core.readRecord(OBJECT);
    const record = this.#known;
    const holder = record?.holders[0];
    if (stored === null || record === null || holder === undefined) return;
    this.say("person", `breaks ${holder.grant} ${how}`);
    const tickets = this.core.listTickets(OBJECT)
      .map((one) => ({ ticket: parseTicket(one.text), uid: one.uid, revision: one.revision }));
    const ending = { outcome: "broken", by: "person", reason: "test", at: "" } as const;
    const next = how === "now"
      ? remove(record, holder.grant, tickets, ending)
      : breakHolder(record, holder.grant, "person", "test");
    if (typeof next === "string") return;
    if (how === "now") this.#brokenNow.add(holder.grant);
    this.core.replaceRecord(OBJECT, stored, encodeRecord(next));
  }

  /** A person drops a waiter from the queue: the record knows before the ticket goes. */
  dropWaiter(): void {
    const stored = this.core.readRecord(OBJECT);
    const record = this.#known;
    const listed = this.core.listTickets(OBJECT);
    const doomed = listed[this.chance.below(listed.length || 1)];
    if (stored === null || record === null || doomed === undefined) return;
    if (record.holders.some(({ grant }) => grant === doomed.grant)) return;
    const tickets = listed.filter((one) => one !== doomed)
      .map((one) => ({ ticket: parseTicket(one.text), uid: one.uid, revision: one.revision }));
    const { holder, link, mode } = parseTicket(doomed.text);
    this.say("person", `drops ${doomed.grant}`);
    const waiter = { grant: doomed.grant, holder, link, mode, waitedSeconds: 0 };
    const next = bar(record, waiter, tickets, {
      outcome: "broken",
      by: "person",
      reason: "test",
      at: "",
    });
    this.core.replaceRecord(OBJECT, stored, encodeRecord(next));
    this.core.deleteTicket(OBJECT, doomed);
  }

  /** After everything: nobody waits for ever, and nothing is left that somebody would have to wait for. */
  finish(limitMs: number): void {
    this.run(() => this.clients.every((client) => client.over), limitMs, "somebody waits for ever");
    // What is late has landed by then: a ticket whose waiter is long gone is for the next one to clear away.
    this.runFor(45_000);
    for (const pass of [1, 2]) {
      const last = this.start(`last${pass}`);
      this.run(() => last.over, 120_000, "the last one waits for ever");
    }
    this.runFor(1000);
    const left = this.core.listTickets(OBJECT);
    if (left.length > 0) throw new Violation(`tickets stay behind: ${left.map((t) => t.grant)}`);
    if ((this.#known?.holders.length ?? 0) > 0) throw new Violation("a holder stays behind");
    if ((this.#known?.turn.length ?? 0) > 0) throw new Violation("a turn stays behind");
  }
}
