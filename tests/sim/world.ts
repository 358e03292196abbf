/** A simulated world: one store, a bad network, many clients, and somebody who checks what they do. */
import type { Config } from "../../lib/lock/driver.ts";
import { emptyRecord, encodeRecord } from "../../lib/lock/record.ts";
import type { Fate } from "../../lib/lock/expiry.ts";
import type { Identity, LockRecord } from "../../lib/lock/record.ts";
import { MemoryCore } from "../../lib/store/memory_store.ts";
import type { AcquireJob } from "./acquire_job.ts";
import { Client } from "./client.ts";
import type { Persona } from "./client.ts";
import { watchIdle } from "./idle.ts";
import { Jobs } from "./jobs.ts";
import { Mishaps } from "./mishaps.ts";
import type { Fault, Meets } from "./mishaps.ts";
import { Network, NO_FAULTS, OBJECT } from "./network.ts";
import { breakTheForgotten } from "./people.ts";
import { stream } from "./random.ts";
import type { Chance } from "./random.ts";
import { Referee, Violation } from "./referee.ts";
import type { Work } from "./works.ts";
import { sentence, told } from "./story.ts";
import type { Line } from "./story.ts";
import { Timeline } from "./timeline.ts";

/** The lock that everybody wants. */
export const IDENTITY: Identity = { scope: "global", owner: "", repository: "", lock: "deploy" };

/** What a client is made from where nothing else is said. */
export const CONFIG: Config = {
  identity: IDENTITY,
  holder: "",
  description: "",
  link: "",
  mode: "exclusive",
  priority: 0,
  order: "fifo",
  orderKey: null,
  skipAfterMs: null,
  ttlMs: 10_000,
  timeoutMs: null,
  requestTimeoutMs: 5_000,
  maxHoldMs: null,
  work: "command",
  expiry: "takeover",
  onLost: "stop",
  news: "watch",
  resumed: null,
  grantPrefix: "",
  seed: 0,
};

/** How much happens in a run, where that is not left to it. */
export interface Size {
  readonly hours?: number;
  readonly clients?: number;
}

/** What is left of a run when it is made smaller. */
export interface Cut {
  /** The ids of the mishaps that may happen; null: all. */
  readonly only: ReadonlySet<string> | null;
  /** The names of the clients that never come. */
  readonly without: ReadonlySet<string>;
  /** When all is well, in milliseconds, if that is sooner than planned: nothing goes wrong any more, and nobody comes. */
  readonly calmAt: number;
}

/** A run as its seed makes it. */
export const WHOLE: Cut = { only: null, without: new Set(), calmAt: Infinity };

/** What a world may be given beside its seed. */
export interface Setting {
  readonly size?: Size;
  readonly cut?: Cut;
  /** False: nobody tells what happens, which is faster. */
  readonly story?: boolean;
}

/** Everything of one run. */
export class World {
  readonly time = new Timeline();
  readonly core = new MemoryCore();
  readonly network: Network;
  readonly clients: Client[] = [];
  /** Those of the clients that belong together. */
  readonly acquireJobs: AcquireJob[] = [];
  /** The names of those who want the lock and are not of ours. */
  readonly strangers: string[] = [];
  /** What happened. */
  readonly lines: Line[] = [];
  readonly size: Size;
  readonly cut: Cut;
  /** Whether somebody wants to hear what happens. */
  readonly listens: boolean;
  /** All is well from now on. */
  get isCalm(): boolean {
    return this.mishaps.isOver;
  }
  readonly referee: Referee;
  /** What GitHub knows. */
  readonly jobs = new Jobs(this);
  /** In some runs every state is frozen: a step that wrote into the one before it would throw. */
  readonly freezes: boolean;

  /** All that goes wrong. */
  readonly mishaps: Mishaps;
  /** By the prefix of their grants. */
  readonly #byPrefix = new Map<string, Client>();
  /** All before these are over. */
  readonly #clientsAtLarge = { first: 0 };
  readonly #jobsAtLarge = { first: 0 };

  constructor(readonly seed: number, { size = {}, cut = WHOLE, story = true }: Setting = {}) {
    this.size = size;
    this.cut = cut;
    this.listens = story;
    this.freezes = seed % 10 === 0;
    this.mishaps = new Mishaps(() => this.time.now, this.clients, cut.only);
    if (story) this.mishaps.onMishap = (mishap) => this.say("!", sentence(mishap));
    this.network = new Network(this.time, this.core, seed, this.mishaps);
    this.referee = new Referee(this);
  }

  /** The stream of chance of that name: what is drawn from one moves no other. */
  stream(name: string): Chance {
    return stream(this.seed, name);
  }

  /** True when `fault` is to happen at the place called `where`, which is another each time: everything that goes wrong is asked for here. */
  mishap(fault: Fault, where: string, meets: Meets): boolean {
    return this.mishaps.strikes(fault, where, meets);
  }

  /** What the Actions API says of a run. */
  fateOf: (number: number) => Fate["kind"] = () => "unknown";

  /** What happened, for people. */
  get story(): string[] {
    return told(this.lines);
  }

  /** From now on nothing goes wrong any more. */
  calm(): void {
    this.say("all", "is well from now on");
    this.mishaps.isOver = true;
    this.network.faults = NO_FAULTS;
    this.network.fate = () => null;
    this.network.down = false;
    this.jobs.well = true;
    watchIdle(this);
  }

  /** Goes on while things go wrong: for so long, or until the cut has all be well. */
  runUntilCalm(ms: number): void {
    this.runFor(Math.min(ms, this.cut.calmAt - this.time.now));
    this.calm();
  }

  /** Who worked, in the order in which their work began. */
  get begun(): readonly Work[] {
    return this.referee.works.begun;
  }

  /** Starts a client. */
  start(name: string, config: Partial<Config> = {}, persona: Partial<Persona> = {}): Client {
    const client = new Client(this, {
      name,
      config: {
        ...CONFIG,
        holder: name,
        grantPrefix: `${name}${this.clients.length}`,
        seed: this.stream(`${name} decides`).below(2 ** 31),
        ...config,
      },
      rate: 1,
      wallOffsetMs: 0,
      workMs: 1000,
      stubbornMs: 500,
      lifeline: true,
      ...persona,
    });
    this.clients.push(client);
    const { grantPrefix } = client.persona.config;
    if (!this.#byPrefix.has(grantPrefix)) this.#byPrefix.set(grantPrefix, client);
    return client;
  }

  /** The names of all who came, in that order. */
  people(): string[] {
    return [...this.clients.map(({ persona }) => persona.name), ...this.strangers];
  }

  /** Adds a line to the story. */
  say(who: string, what: string): void {
    if (this.listens) this.lines.push({ at: this.time.now, who, what });
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
    return this.referee.known;
  }

  /** Whose grant that is, in words. */
  named = (grant: string): string => {
    const client = this.clientOf(grant);
    if (client === undefined) return grant;
    const which = grant.slice(grant.lastIndexOf("-") + 1);
    return which === "1" ? client.persona.name : `${client.persona.name} (grant ${which})`;
  };

  /** The client that made `grant`. */
  clientOf(grant: string): Client | undefined {
    return this.#byPrefix.get(grant.slice(0, grant.lastIndexOf("-")));
  }

  /** All that came have come to their end. */
  get isOver(): boolean {
    return this.#isEmpty(this.#clientsAtLarge, this.clients) &&
      this.#isEmpty(this.#jobsAtLarge, this.acquireJobs);
  }

  /** The clients that came, but for most of those that are over. */
  get atLarge(): readonly Client[] {
    this.#isEmpty(this.#clientsAtLarge, this.clients);
    return this.clients.slice(this.#clientsAtLarge.first);
  }

  /** True when all of `these` are over. It is asked after each event, where there may have been thousands. */
  #isEmpty(atLarge: { first: number }, these: readonly { readonly over: boolean }[]): boolean {
    while (these[atLarge.first]?.over) atLarge.first++;
    for (let i = atLarge.first; i < these.length; i++) if (!these[i]?.over) return false;
    return true;
  }

  /** Nobody works by `grant` any more, or ever will. */
  isForgotten(grant: string): boolean {
    const job = this.acquireJobs.find((one) => one.grant === grant);
    return job === undefined
      ? this.clientOf(grant)?.over ?? true
      : job.over && job.processes.length === 0;
  }

  /** Makes the record as somebody may have made it before: with a capacity. */
  makeRecord(capacity: number): void {
    const record = { ...emptyRecord(IDENTITY), capacity };
    this.core.createRecord(OBJECT, encodeRecord(record));
  }

  /** After everything: nobody waits for ever, and nothing is left that somebody would have to wait for. */
  finish(limitMs: number): void {
    breakTheForgotten(this);
    this.run(() => this.isOver, limitMs, "somebody waits for ever");
    // What is late has landed by then: a ticket whose waiter is long gone is for the next one to clear away.
    this.runFor(45_000);
    for (const pass of [1, 2]) {
      // One more than may hold: who has to wait looks after the dead.
      const capacity = this.record()?.capacity ?? 1;
      const workMs = capacity > 1 ? 15_000 : 1000;
      for (let i = 0; i < capacity + (capacity > 1 ? 1 : 0); i++) {
        this.start(`last${pass}${i}`, {}, { workMs });
      }
      this.run(() => this.isOver, 120_000, "the last ones wait for ever");
    }
    this.runFor(1000);
    this.referee.works.judge();
    const left = this.core.listTickets(OBJECT);
    if (left.length > 0) throw new Violation(`tickets stay behind: ${left.map((t) => t.grant)}`);
    if ((this.referee.known?.holders.length ?? 0) > 0) throw new Violation("a holder stays behind");
    if ((this.referee.known?.turn.length ?? 0) > 0) throw new Violation("a turn stays behind");
  }
}

/** Plays one run to its end. Throws where that fails: the message names the seed, `cause` is why. */
export function played(play: (world: World) => void, seed: number): World {
  const world = new World(seed, { story: false });
  try {
    play(world);
  } catch (error) {
    const what = error instanceof Violation ? error.message : error;
    throw new Error(`seed ${seed}: ${what}`, { cause: error });
  }
  return world;
}
