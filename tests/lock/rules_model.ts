/** A lock as the rules alone make it, driven by random acts. Everything given to a rule is frozen: rules change nothing. */
import fc from "fast-check";
import { emptyRecord } from "../../lib/lock/record.ts";
import type { LockRecord, Mode, Ticket } from "../../lib/lock/record.ts";
import { bar, breakHolder, claim, release, remove } from "../../lib/lock/rules.ts";
import { call, close } from "../../lib/lock/queue.ts";
import { renew } from "../../lib/lock/rules.ts";
import { settle, unanswered, waiting } from "../../lib/lock/queue.ts";
import type { Queued } from "../../lib/lock/queue.ts";

/** One act of somebody. `pick` chooses among what there is. */
export interface Act {
  readonly kind:
    | "join"
    | "settle"
    | "claim"
    | "claim past the queue"
    | "renew"
    | "release"
    | "remove"
    | "break"
    | "bar"
    | "call"
    | "answer"
    | "close"
    | "delete ticket"
    | "resize"
    | "freeze"
    | "unfreeze";
  readonly pick: number;
  readonly mode: Mode;
  readonly priority: number;
}

const KINDS: readonly Act["kind"][] = [
  "join",
  "join",
  "join",
  "settle",
  "claim",
  "claim",
  "claim past the queue",
  "renew",
  "release",
  "remove",
  "break",
  "bar",
  "call",
  "answer",
  "close",
  "delete ticket",
  "resize",
  "freeze",
  "unfreeze",
];

/** Random acts, none of which changes capacity or freezes unless `kinds` says so. */
export function acts(without: readonly Act["kind"][] = []): fc.Arbitrary<Act[]> {
  return fc.array(
    fc.record({
      kind: fc.constantFrom(...KINDS.filter((kind) => !without.includes(kind))),
      pick: fc.nat(999),
      mode: fc.constantFrom<Mode>("exclusive", "exclusive", "shared"),
      priority: fc.constantFrom(0, 0, 0, 1),
    }),
    { maxLength: 60, size: "max" },
  );
}

/** Freezes `value` and everything in it. */
export function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

/** A ticket as a list shows it. */
export function queued(grant: string, revision: number, some: Partial<Ticket> = {}): Queued {
  const ticket: Ticket = {
    version: 1,
    grant,
    holder: `holder of ${grant}`,
    mode: "exclusive",
    priority: 0,
    order: "fifo",
    order_key: null,
    order_revision: null,
    answered: 0,
    ttl_seconds: 30,
    waiting_since: "",
    description: "",
    link: "",
    ...some,
  };
  return frozen({ ticket, uid: `uid of ${grant}`, revision: `${revision}` });
}

/** A record that nobody holds. */
export function freeRecord(capacity = 1): LockRecord {
  const identity = { scope: "global", owner: "", repository: "", lock: "deploy" } as const;
  return frozen({ ...emptyRecord(identity), capacity });
}

/** Who claims under `grant`. */
export function claimant(grant: string, mode: Mode = "exclusive") {
  return frozen({
    grant,
    holder: `holder of ${grant}`,
    mode,
    number: null,
    ttlSeconds: 30,
    waitedSeconds: 0,
    description: "",
    link: "",
    expiry: "takeover" as const,
  });
}

/** The record, or an error where the rule refused. */
export function granted(result: LockRecord | string): LockRecord {
  if (typeof result === "string") throw new Error(`refused: ${result}`);
  return frozen(result);
}

/** How somebody's end is told. */
export const EXPIRED = frozen({ outcome: "expired", by: "me", reason: "silent", at: "" } as const);

/** The lock. */
export class Model {
  record: LockRecord;
  tickets: readonly Queued[] = [];
  revision = 1;
  #joined = 0;
  /** A waiter knows its mode, also when its ticket was deleted. */
  readonly #modes = new Map<string, Mode>();

  constructor(capacity: number) {
    this.record = freeRecord(capacity);
  }

  /** Lets `act` happen. @returns true when the record was settled by it */
  act(act: Act): boolean {
    const { record, tickets } = this;
    const holder = one(record.holders, act.pick);
    const turn = one(record.turn, act.pick);
    const ticket = one(tickets, act.pick);
    this.revision++;
    switch (act.kind) {
      case "join": {
        const grant = `g${this.#joined++}`;
        this.#modes.set(grant, act.mode);
        this.tickets = [
          ...tickets,
          queued(grant, this.revision, { mode: act.mode, priority: act.priority }),
        ];
        return false;
      }
      case "settle":
        return this.#write(settle(record, tickets));
      case "claim": {
        if (turn === undefined) return false;
        const mode = this.#modes.get(turn) ?? act.mode;
        const next = claim(record, claimant(turn, mode), "turn", `${this.revision}`, "");
        this.#write(next);
        return false;
      }
      case "claim past the queue": {
        const me = claimant(`g${this.#joined++}`, act.mode);
        this.#write(claim(record, me, { tickets }, `${this.revision}`, ""));
        return false;
      }
      case "renew":
        this.#write(renew(record, holder?.grant ?? "nobody", ""));
        return false;
      case "release":
        return this.#write(release(record, holder?.grant ?? "nobody", tickets, ""));
      case "remove":
        return this.#write(remove(record, holder?.grant ?? "nobody", tickets, EXPIRED));
      case "break":
        this.#write(breakHolder(record, holder?.grant ?? "nobody", "me", "why"));
        return false;
      case "bar": {
        const queue = waiting(record, tickets);
        const doomed = one(queue, act.pick)?.ticket;
        if (doomed === undefined) return false;
        const { grant, holder, link, mode } = doomed;
        const waiter = { grant, holder, link, mode, waitedSeconds: 0, number: null };
        const ending = { outcome: "gave_up", by: null, reason: null, at: "" } as const;
        return this.#write(bar(record, waiter, tickets, ending));
      }
      case "call":
        this.#write(call(record, tickets));
        return false;
      case "answer":
        if (ticket !== undefined) {
          const answered = frozen({
            ...ticket,
            ticket: {
              ...ticket.ticket,
              answered: record.roll_call.number,
              order_revision: ticket.ticket.order_revision ?? ticket.revision,
            },
            revision: `${this.revision}`,
          });
          this.tickets = tickets.map((other) => other === ticket ? answered : other);
        }
        return false;
      case "close": {
        const silent = unanswered(record, tickets, record.turn.slice(0, act.pick % 2));
        const left = tickets.filter((other) => !silent.includes(other));
        this.tickets = left;
        return this.#write(close(record, left));
      }
      case "delete ticket":
        this.tickets = tickets.filter((other) => other !== ticket);
        return false;
      case "resize":
        return this.#write(settle({ ...record, capacity: 1 + act.pick % 4 }, tickets));
      case "freeze": {
        const freeze = { by: "me", reason: "", since: "", until: null };
        return this.#write(settle({ ...record, freeze }, tickets));
      }
      case "unfreeze":
        return this.#write(settle({ ...record, freeze: null }, tickets));
    }
  }

  #write(next: LockRecord | string): boolean {
    if (typeof next === "string") return false;
    this.record = frozen(next);
    return true;
  }
}

function one<T>(list: readonly T[], pick: number): T | undefined {
  return list[pick % Math.max(1, list.length)];
}
