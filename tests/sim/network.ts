/** Requests on their way to a simulated store and back: late, lost, repeated, refused. */
import type { Answer, DoomedTicket, Failure, Request } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { StoredTicket } from "../../lib/lock/store.ts";
import type { MemoryCore } from "../../lib/store/memory_store.ts";
import type { Chance } from "./random.ts";
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

/** A request as it was seen on the wire. */
export interface Sent {
  readonly at: number;
  readonly sender: string;
  readonly request: Request;
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
  fate: (request: Request, sender: string) => Fate | null = () => null;
  /** Every request, one as it is seen on the wire. */
  readonly sent: Sent[] = [];
  /** Is told each of them. */
  onSent: (sent: Sent) => void = () => {};
  /** How long each way takes, in milliseconds; null leaves it to chance. */
  wayMs: number | null = null;
  #past: { readonly until: number; readonly tickets: readonly StoredTicket[] }[] = [];
  /** Of what time the tickets were that each client has seen. */
  readonly #shownAt = new Map<string, number>();

  constructor(
    readonly time: Timeline,
    readonly core: MemoryCore,
    readonly chance: Chance,
  ) {}

  /** Sends `request`; `answer` is called once, after `timeoutMs` of true time at the latest. */
  send(
    request: Request,
    sender: string,
    timeoutMs: number,
    answer: (answer: Answer) => void,
  ): void {
    let open = true;
    const reply = (result: Answer) => {
      if (!open) return;
      open = false;
      answer(result);
    };
    this.time.after(timeoutMs, () => reply(unknown("no answer in time")));
    this.#carry(request, sender, reply);
  }

  #carry(request: Request, sender: string, reply: (answer: Answer) => void): void {
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
        this.#one({ kind: "read" }, sender, part);
        this.#one({ kind: "list", when: "now" }, sender, part);
        return;
      }
      case "survey":
        this.#one({ kind: "read" }, sender, (first) => {
          if (first.failure !== undefined) return reply(first);
          this.#one(
            { kind: "list", when: "now" },
            sender,
            (second) => reply({ ...first, ...second }),
          );
        });
        return;
      case "delete_tickets":
        this.#deleteAll([...request.tickets], [], sender, reply);
        return;
      default:
        this.#one(request, sender, reply);
    }
  }

  #deleteAll(
    left: readonly DoomedTicket[],
    undeleted: readonly string[],
    sender: string,
    reply: (answer: Answer) => void,
    hindered?: Failure,
  ): void {
    const [doomed, ...rest] = left;
    if (doomed === undefined) return reply({ undeleted, ...hindered && { hindered } });
    this.#one({ kind: "delete_tickets", tickets: [doomed] }, sender, (answer) => {
      const { failure } = answer;
      const gone = failure === undefined || failure.kind === "missing";
      const isInTheWay = failure?.kind === "throttled" || failure?.kind === "unknown";
      const left = gone ? undeleted : [...undeleted, doomed.grant];
      this.#deleteAll(rest, left, sender, reply, isInTheWay ? failure : hindered);
    });
  }

  /** One request as it is seen on the wire. */
  #one(request: Request, sender: string, reply: (answer: Answer) => void): void {
    const { chance, time } = this;
    const sent = { at: time.now, sender, request };
    this.sent.push(sent);
    this.onSent(sent);
    const way = () =>
      this.wayMs ?? (chance.happens(0.05) ? chance.between(1, 200) : chance.between(0.5, 5));
    const arrive = (then: (answer: Answer) => void, afterMs = 0) =>
      time.after(afterMs + way(), () => {
        if (!this.down) then(this.#execute(request, sender));
      });
    const back = (answer: Answer, afterMs = 0) => time.after(afterMs + way(), () => reply(answer));
    const fate = this.fate(request, sender) ?? this.#chanceFate();
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

  #chanceFate(): Fate | null {
    const { chance, faults } = this;
    if (chance.happens(faults.lost)) return "lost";
    if (chance.happens(faults.throttled)) return "throttled";
    if (chance.happens(faults.failed)) return chance.happens(0.5) ? "failed" : "failed_applied";
    if (chance.happens(faults.late)) return { lateMs: chance.between(100, 40_000) };
    if (chance.happens(faults.unanswered)) return "unanswered";
    if (chance.happens(faults.twice)) return "twice";
    if (chance.happens(faults.slow)) return { answerAfterMs: chance.between(100, 8_000) };
    return null;
  }

  /** The tickets as they stand, or stood at any time since this sender saw them last, but no longer ago than a store may be behind. */
  #listed(sender: string, when: "now" | "lately"): readonly StoredTicket[] {
    const { chance, time } = this;
    const tickets = this.core.listTickets(OBJECT);
    const { stale } = this.faults;
    const oldest = Math.max(this.#shownAt.get(sender) ?? 0, time.now - MOST_BEHIND_MS);
    const past = this.#past.filter(({ until }) => until >= oldest);
    if (when === "lately" && stale > 0 && past.length > 0 && chance.happens(stale)) {
      const then = past[chance.below(past.length)] ?? { until: time.now, tickets };
      this.#shownAt.set(sender, then.until);
      return then.tickets;
    }
    this.#shownAt.set(sender, time.now);
    return tickets;
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

  #execute(request: Request, sender: string): Answer {
    const { core } = this;
    if (/ticket/.test(request.kind)) this.#remember();
    try {
      switch (request.kind) {
        case "list":
          return { tickets: this.#listed(sender, request.when) };
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
      return { failure: { kind: error.kind, message: error.message } };
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
