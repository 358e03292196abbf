/** Requests on their way to a simulated store and back: late, lost, repeated, refused. */
import type { Answer, DoomedTicket, Failure, Request } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { StoredTicket } from "../../lib/lock/store.ts";
import type { MemoryCore } from "../../lib/store/memory_store.ts";
import type { Client } from "./client.ts";
import type { Fault, Mishaps } from "./mishaps.ts";
import { stream } from "./random.ts";
import type { Chance } from "./random.ts";
import { stepOf } from "./steps.ts";
import type { Step } from "./steps.ts";
import type { Timeline } from "./timeline.ts";

/** How often what goes wrong with a request, as probabilities. */
export interface Faults {
  /** Never arrives. */
  readonly lost: number;
  /** Is carried out, but its answer is lost. */
  readonly unanswered: number;
  /** Arrives long after its sender stopped waiting. */
  readonly late: number;
  /** Arrives twice. */
  readonly twice: number;
  /** Its answer takes seconds. */
  readonly slow: number;
  /** Turned away with 429. */
  readonly throttled: number;
  /** Answered 5xx, carried out or not. */
  readonly failed: number;
  /** Answered 403. */
  readonly refused: number;
  /** A watch breaks, at each event. */
  readonly watchBroken: number;
  /** A watch falls silent, at each event. */
  readonly watchSilent: number;
  /** An event comes twice or late. */
  readonly eventLate: number;
  /** A list that need not be of this moment is of an earlier one. */
  readonly stale: number;
}

/** A network where everything arrives. */
export const NO_FAULTS: Faults = {
  lost: 0,
  unanswered: 0,
  late: 0,
  twice: 0,
  slow: 0,
  throttled: 0,
  failed: 0,
  refused: 0,
  watchBroken: 0,
  watchSilent: 0,
  eventLate: 0,
  stale: 0,
};

/** A mixture of its own for each run: some faults alone, some together, some runs with none. */
export function someFaults(chance: Chance): Faults {
  const often = () => chance.happens(0.5) ? 0 : chance.between(0, 0.15);
  return {
    lost: often(),
    unanswered: often(),
    late: often(),
    twice: often(),
    slow: often(),
    throttled: often(),
    failed: often(),
    // Whoever meets it ends.
    refused: chance.happens(0.1) ? chance.between(0, 0.03) : 0,
    watchBroken: often(),
    watchSilent: often(),
    eventLate: often(),
    // It concerns few requests.
    stale: 4 * often(),
  };
}

/** What becomes of one request on the wire, where a test decides it. */
export type Fate =
  /** Never arrives, never answered. */
  | "lost"
  /** Carried out, its answer is lost. */
  | "unanswered"
  /** Carried out twice; one of the two answers comes back. */
  | "twice"
  /** Answered 500, not carried out. */
  | "failed"
  /** Answered 500, and carried out. */
  | "failed_applied"
  /** Turned away with 429, to come again in a second. */
  | "throttled"
  /** Answered 403. */
  | "refused"
  /** Carried out after so long, in milliseconds, and answered then, if somebody still waits. */
  | { readonly lateMs: number }
  /** Carried out at once and answered after so long. */
  | { readonly answerAfterMs: number };

/** Of all faults, those of one request. */
export type RequestFault = Extract<
  Fault,
  | "lost"
  | "unanswered"
  | "late"
  | "twice"
  | "slow"
  | "throttled"
  | "failed"
  | "failed, applied"
  | "refused"
>;

/** By fault: what becomes of a request that meets it. */
export const FATES: Readonly<Record<RequestFault, (chance: Chance) => Fate>> = {
  lost: () => "lost",
  unanswered: () => "unanswered",
  late: (chance) => ({ lateMs: chance.between(100, 40_000) }),
  twice: () => "twice",
  slow: (chance) => ({ answerAfterMs: chance.between(100, 8_000) }),
  throttled: () => "throttled",
  failed: () => "failed",
  "failed, applied": () => "failed_applied",
  refused: () => "refused",
};

/** A request as it was seen on the wire. */
export interface Sent {
  readonly at: number;
  readonly sender: string;
  readonly request: Request;
  readonly step: Step;
  /** What it is called: sender, step, and which of its requests of that step it is. */
  readonly name: string;
}

/** Whose request it is, and of which step. */
export interface From {
  readonly client: Client;
  readonly step: Step;
}

/** How long ago the state may be that a store shows to those who need not know of this moment, in milliseconds. */
const MOST_BEHIND_MS = 2000;

/** The name of the only record in a simulation. */
export const OBJECT = "lock";

/** The way to the store. One for all clients; faults can be switched while it runs. */
export class Network {
  faults: Faults = NO_FAULTS;
  /** While true nothing arrives at the store. */
  down = false;
  /** Says what becomes of a particular request; null leaves it to chance. */
  fate: (request: Request, sender: string, sent: Sent) => Fate | null = () => null;
  /** Every request, one as it is seen on the wire, as long as they are kept. */
  readonly sent: Sent[] = [];
  /** False for runs of millions of them. */
  keeps = true;
  /** Is told each of them. */
  onSent: (sent: Sent) => void = () => {};
  /** The request that the store is carrying out. */
  landing: Sent | null = null;
  /** How long each way takes, in milliseconds; null leaves it to chance. */
  wayMs: number | null = null;
  #past: { readonly until: number; readonly tickets: readonly StoredTicket[] }[] = [];
  /** Of what time the tickets were that each client has seen. */
  readonly #shownAt = new Map<string, number>();
  /** The names of the lists that were carried out. */
  readonly #listedOnce = new Set<string>();
  /** By client and step, how many requests there were. */
  readonly #counts = new Map<string, number>();
  /** Answers that show the tickets as they stood a moment ago. */
  readonly #stale = new WeakSet<Answer>();
  /** What is being decided now is decided by one of those. */
  #decidesByStale = false;

  constructor(
    readonly time: Timeline,
    readonly core: MemoryCore,
    readonly seed: number,
    readonly mishaps: Mishaps,
  ) {}

  /** Sends `request`, which is `id` to its client; `answer` is called once, after `timeoutMs` of true time at the latest. */
  send(
    request: Request,
    id: number,
    client: Client,
    timeoutMs: number,
    answer: (answer: Answer) => void,
  ): void {
    let open = true;
    const reply = (result: Answer) => {
      if (!open) return;
      open = false;
      this.#decidesByStale = this.#stale.has(result);
      answer(result);
      this.#decidesByStale = false;
    };
    this.time.after(timeoutMs, () => reply(unknown("no answer in time")));
    this.#carry(request, { client, step: stepOf(request, id, client.state) }, reply);
  }

  #carry(request: Request, from: From, reply: (answer: Answer) => void): void {
    const read = (then: (answer: Answer) => void) => this.#one({ kind: "read" }, from, then);
    const list = (then: (answer: Answer) => void) =>
      this.#one({ kind: "list", when: "now" }, { ...from, step: "list" }, then);
    switch (request.kind) {
      case "look": {
        // Side by side: either may be carried out first.
        let merged: Answer = {};
        let missing = 2;
        const part = (answer: Answer) => {
          if (answer.failure !== undefined) return reply(answer);
          merged = { ...merged, ...answer };
          if (--missing === 0) reply(merged);
        };
        read(part);
        list(part);
        return;
      }
      case "survey":
        read((first) => {
          if (first.failure !== undefined) return reply(first);
          list((second) => reply({ ...first, ...second }));
        });
        return;
      case "delete_tickets":
        this.#deleteAll([...request.tickets], [], from, reply);
        return;
      default:
        this.#one(request, from, reply);
    }
  }

  #deleteAll(
    left: readonly DoomedTicket[],
    undeleted: readonly string[],
    from: From,
    reply: (answer: Answer) => void,
    hindered?: Failure,
  ): void {
    const [doomed, ...rest] = left;
    if (doomed === undefined) return reply({ undeleted, ...hindered && { hindered } });
    this.#one({ kind: "delete_tickets", tickets: [doomed] }, from, (answer) => {
      const { failure } = answer;
      const gone = failure === undefined || failure.kind === "missing";
      const isInTheWay = failure?.kind === "throttled" || failure?.kind === "unknown";
      const left = gone ? undeleted : [...undeleted, doomed.grant];
      this.#deleteAll(rest, left, from, reply, isInTheWay ? failure : hindered);
    });
  }

  /** The name of the next request of `step`, which is about to be sent. */
  named({ client, step }: From): string {
    const what = `${client.persona.name} ${step}`;
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return `${what} ${count}`;
  }

  /** One request as it is seen on the wire. */
  #one(request: Request, from: From, reply: (answer: Answer) => void): void {
    const { time } = this;
    const { client, step } = from;
    const name = this.named(from);
    const sent: Sent = { at: time.now, sender: client.persona.name, request, step, name };
    if (this.keeps) this.sent.push(sent);
    client.noteStep(step);
    if (this.#decidesByStale) this.mishaps.meet("stale list", step);
    this.onSent(sent);
    const chance = stream(this.seed, name);
    const way = () =>
      this.wayMs ?? (chance.happens(0.05) ? chance.between(1, 200) : chance.between(0.5, 5));
    const arrive = (then: (answer: Answer) => void, afterMs = 0) =>
      time.after(afterMs + way(), () => {
        if (this.down) this.mishaps.meet("store away", step);
        else then(this.#execute(sent));
      });
    const back = (answer: Answer, afterMs = 0) => time.after(afterMs + way(), () => reply(answer));
    const fate = this.fate(request, sent.sender, sent) ?? this.chanceFate(sent, chance);
    if (typeof fate === "object" && fate !== null) {
      if ("lateMs" in fate) return arrive(back, fate.lateMs);
      return arrive((answer) => back(answer, fate.answerAfterMs));
    }
    switch (fate) {
      case null:
        return arrive(back);
      case "lost":
        return;
      case "unanswered":
        return arrive(() => {});
      case "failed_applied":
        arrive(() => {});
        return back(unknown("500"));
      case "failed":
        return back(unknown("500"));
      case "throttled":
        return back({ failure: { kind: "throttled", message: "429", retryAfterMs: 1000 } });
      case "refused":
        return back({ failure: { kind: "refused", message: "403" } });
      case "twice": {
        const first = chance.happens(0.5);
        arrive((answer) => first && back(answer));
        arrive((answer) => first || back(answer));
      }
    }
  }

  /** What becomes of the request called `name`, of that step, where nobody decides it. */
  chanceFate({ name, step }: Pick<Sent, "name" | "step">, chance: Chance): Fate | null {
    const { faults } = this;
    const strikes = (probability: number, fault: RequestFault) =>
      chance.happens(probability) && this.mishaps.strikes(fault, name, step)
        ? FATES[fault](chance)
        : null;
    return strikes(faults.lost, "lost") ??
      strikes(faults.throttled, "throttled") ??
      strikes(faults.failed / 2, "failed") ??
      strikes(faults.failed / 2, "failed, applied") ??
      strikes(faults.refused, "refused") ??
      strikes(faults.late, "late") ??
      strikes(faults.unanswered, "unanswered") ??
      strikes(faults.twice, "twice") ??
      strikes(faults.slow, "slow");
  }

  /** The tickets as they stand, or stood at any time since this sender saw them last, but no longer ago than a store may be behind. */
  #listed({ sender, name, step }: Sent, when: "now" | "lately"): Answer {
    const { time } = this;
    // What arrives twice is carried out twice.
    const copy = this.#listedOnce.has(name) ? `${name} again` : name;
    this.#listedOnce.add(name);
    const chance = stream(this.seed, `${copy} as it was`);
    const tickets = this.core.listTickets(OBJECT);
    const { stale } = this.faults;
    const oldest = Math.max(this.#shownAt.get(sender) ?? 0, time.now - MOST_BEHIND_MS);
    const past = this.#past.filter(({ until }) => until >= oldest);
    const mayBe = when === "lately" && past.length > 0 && chance.happens(stale);
    if (mayBe && this.mishaps.strikes("stale list", copy, step)) {
      const then = past[chance.below(past.length)] ?? { until: time.now, tickets };
      this.#shownAt.set(sender, then.until);
      const answer = { tickets: then.tickets };
      this.#stale.add(answer);
      return answer;
    }
    this.#shownAt.set(sender, time.now);
    return { tickets };
  }

  /** The store has no memory of any earlier state. */
  forgetPast(): void {
    this.#past = [];
    this.#shownAt.clear();
  }

  /** The states in which a ticket was, before the present one, that a list of lately may still show. */
  statesLately(uid: string): StoredTicket[] {
    return this.#past.filter(({ until }) => until >= this.time.now - MOST_BEHIND_MS)
      .flatMap(({ tickets }) => tickets.filter((ticket) => ticket.uid === uid));
  }

  /** Remembers how the tickets stand, before they change. */
  #remember(): void {
    const { now } = this.time;
    this.#past = this.#past.filter(({ until }) => until >= now - MOST_BEHIND_MS);
    this.#past.push({ until: now, tickets: this.core.listTickets(OBJECT) });
  }

  #execute(sent: Sent): Answer {
    const { core } = this;
    const { request } = sent;
    if (/ticket/.test(request.kind)) this.#remember();
    this.landing = sent;
    try {
      switch (request.kind) {
        case "list":
          return this.#listed(sent, request.when);
        case "delete_tickets":
          for (const ticket of request.tickets) core.deleteTicket(OBJECT, ticket);
          return { undeleted: [] };
        case "look":
        case "survey":
          throw new Error(`${request.kind} is sent in parts`);
        default:
          return carriedOut(core, request);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.mishaps.meet("overtaken", sent.step);
      return { failure: { kind: error.kind, message: error.message } };
    } finally {
      this.landing = null;
    }
  }
}

/** A request for one object, as the store carries it out. Throws {@link StoreError}. */
export function carriedOut(
  core: MemoryCore,
  request: Exclude<Request, { kind: "look" | "survey" | "list" | "delete_tickets" }>,
): Answer {
  switch (request.kind) {
    case "read":
      return { record: core.readRecord(OBJECT) };
    case "create_record":
      return { record: core.createRecord(OBJECT, encodeRecord(request.record)) };
    case "replace":
      return { record: core.replaceRecord(OBJECT, request.base, encodeRecord(request.next)) };
    case "create_ticket": {
      const { grant, holder } = request.ticket;
      const text = encodeTicket(request.ticket);
      return { ticket: core.createTicket(OBJECT, { grant, holder, text }) };
    }
    case "read_ticket":
      return { ticket: core.readTicket(OBJECT, request.grant) };
    case "patch_ticket":
      return { ticket: core.patchTicket(OBJECT, request.base, encodeTicket(request.ticket)) };
  }
}

/** No answer, or one that says nothing. */
export function unknown(message: string): Answer {
  return { failure: { kind: "unknown", message } };
}
