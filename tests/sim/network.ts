/** Requests on their way to a simulated store and back: late, lost, repeated, refused. */
import type { Answer, DoomedTicket, Request } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
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
}

/** A network where everything arrives. */
export const NO_FAULTS: Faults = {
  lost: 0,
  unanswered: 0,
  late: 0,
  twice: 0,
  throttled: 0,
  failed: 0,
  watchBroken: 0,
  watchSilent: 0,
  eventLate: 0,
};

/** The name of the only record in a simulation. */
export const OBJECT = "lock";

/** The way to the store. One for all clients; faults can be switched while it runs. */
export class Network {
  faults: Faults = NO_FAULTS;
  /** While true nothing arrives at the store. */
  down = false;

  constructor(
    readonly time: Timeline,
    readonly core: MemoryCore,
    readonly chance: Chance,
  ) {}

  /** Sends `request`; `answer` is called once, after `timeoutMs` of true time at the latest. */
  send(request: Request, timeoutMs: number, answer: (answer: Answer) => void): void {
    let open = true;
    const reply = (result: Answer) => {
      if (!open) return;
      open = false;
      answer(result);
    };
    this.time.after(timeoutMs, () => reply(unknown("no answer in time")));
    this.#carry(request, reply);
  }

  #carry(request: Request, reply: (answer: Answer) => void): void {
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
        this.#one({ kind: "read" }, part);
        this.#one({ kind: "list" }, part);
        return;
      }
      case "survey":
        this.#one({ kind: "read" }, (first) => {
          if (first.failure !== undefined) return reply(first);
          this.#one({ kind: "list" }, (second) => reply({ ...first, ...second }));
        });
        return;
      case "delete_tickets":
        this.#deleteAll([...request.tickets], [], reply);
        return;
      default:
        this.#one(request, reply);
    }
  }

  #deleteAll(
    left: readonly DoomedTicket[],
    undeleted: readonly string[],
    reply: (answer: Answer) => void,
  ): void {
    const [doomed, ...rest] = left;
    if (doomed === undefined) return reply({ undeleted });
    this.#one({ kind: "delete_tickets", tickets: [doomed] }, (answer) => {
      const gone = answer.failure === undefined || answer.failure.kind === "missing";
      this.#deleteAll(rest, gone ? undeleted : [...undeleted, doomed.grant], reply);
    });
  }

  /** One request as it is seen on the wire. */
  #one(request: Request, reply: (answer: Answer) => void): void {
    const { chance, faults, time } = this;
    const way = () => chance.happens(0.05) ? chance.between(1, 200) : chance.between(0.5, 5);
    const arrive = (then: (answer: Answer) => void) =>
      time.after(way(), () => {
        if (this.down) return;
        then(this.#execute(request));
      });
    const back = (answer: Answer) => time.after(way(), () => reply(answer));
    if (chance.happens(faults.lost)) return;
    if (chance.happens(faults.throttled)) {
      return back({ failure: { kind: "throttled", message: "429", retryAfterMs: 1000 } });
    }
    if (chance.happens(faults.failed)) {
      if (chance.happens(0.5)) arrive(() => {});
      return back(unknown("500"));
    }
    if (chance.happens(faults.late)) {
      time.after(chance.between(100, 40_000), () => {
        if (!this.down) this.#execute(request);
      });
      return;
    }
    if (chance.happens(faults.unanswered)) return arrive(() => {});
    if (chance.happens(faults.twice)) {
      const first = chance.happens(0.5);
      arrive((answer) => first && back(answer));
      arrive((answer) => first || back(answer));
      return;
    }
    arrive(back);
  }

  #execute(request: Request): Answer {
    const { core } = this;
    try {
      switch (request.kind) {
        case "read":
          return { record: core.readRecord(OBJECT) };
        case "list":
          return { tickets: core.listTickets(OBJECT) };
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
        case "delete_tickets":
          for (const ticket of request.tickets) core.deleteTicket(OBJECT, ticket);
          return { undeleted: [] };
        default:
          throw new Error(`${request.kind} is sent in parts`);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { failure: { kind: error.kind, message: error.message } };
    }
  }
}

/** No answer, or one that says nothing. */
export function unknown(message: string): Answer {
  return { failure: { kind: "unknown", message } };
}
