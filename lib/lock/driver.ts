/**
 * One client of the lock as a pure step, `(state, event) → (state, effects)`. The program runs it over real stores
 * (`lock.ts`), the tests run it by the million over simulated ones.
 *
 * One request for the lock's objects is under way at a time (`flight`); beside it at most one that clears away tickets that
 * do not wait any more (`clearing`). Each request is answered exactly once, a failure being an answer. The times in a state
 * are milliseconds of the client's own monotonic clock.
 */
import type { Identity, LockRecord, Mode, Order, Ticket } from "./record.ts";
import type { Queued } from "./queue.ts";
import type { StoredRecord, StoredTicket, StoreFailureKind } from "./store.ts";
import type { Sight } from "./observer.ts";

/** A turn that is not claimed for so long makes others look after it, in milliseconds. */
export const TURN_PATIENCE_MS = 2000;

/** What one try to acquire wants. Everything that differs between two clients is in here. */
export interface Config {
  /** Null when the record is addressed by its exact name: then the identity stored in it counts. */
  readonly identity: Identity | null;
  readonly holder: string;
  readonly description: string;
  readonly link: string;
  readonly mode: Mode;
  readonly priority: number;
  readonly order: Order;
  readonly orderKey: number | null;
  readonly ttlMs: number;
  /** Null waits for ever; 0 tries once. */
  readonly timeoutMs: number | null;
  readonly requestTimeoutMs: number;
  /** How long it may be held at most, or null. */
  readonly maxHoldMs: number | null;
  /** `command`: work that can be stopped. `steps`: work that cannot, which is told that the lock is lost. */
  readonly work: "command" | "steps";
  /** What becomes of a command whose lock is lost. */
  readonly onLost: "stop" | "warn";
  /** `poll` reads every second instead of watching. */
  readonly news: "watch" | "poll";
  /** A grant that another process of this job acquired, to be held or given back; else null. */
  readonly resumed: { readonly grant: string; readonly then: "hold" | "release" } | null;
  /** Random, for this client alone: its grants begin with it. */
  readonly grantPrefix: string;
  /** Seed of the random waits. */
  readonly seed: number;
}

/** A request for the lock's objects. */
export type Request =
  | { readonly kind: "read" }
  /** Record and tickets side by side. */
  | { readonly kind: "look" }
  /** The record, then the tickets. */
  | { readonly kind: "survey" }
  /** The tickets, as they stand now or `lately` stood. */
  | { readonly kind: "list"; readonly when: "now" | "lately" }
  | { readonly kind: "create_record"; readonly record: LockRecord }
  | { readonly kind: "replace"; readonly base: StoredRecord; readonly next: LockRecord }
  | { readonly kind: "create_ticket"; readonly ticket: Ticket }
  | { readonly kind: "read_ticket"; readonly grant: string }
  | { readonly kind: "patch_ticket"; readonly base: StoredTicket; readonly ticket: Ticket }
  /** Each by uid, those with a revision only in that state. */
  | { readonly kind: "delete_tickets"; readonly tickets: readonly DoomedTicket[] };

/** A ticket to delete. */
export interface DoomedTicket {
  readonly grant: string;
  readonly uid: string;
  readonly revision?: string;
}

/** What a request brought. The fields are there as the request asked for them. */
export interface Answer {
  readonly record?: StoredRecord | null;
  readonly tickets?: readonly StoredTicket[];
  readonly ticket?: StoredTicket | null;
  /** Of `delete_tickets`: those that stand as they were asked about no more, or whose end is unknown. */
  readonly undeleted?: readonly string[];
  readonly failure?: Failure;
}

/** Why there is no result. */
export interface Failure {
  readonly kind: StoreFailureKind;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** What happens to a client. */
export type Happening =
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  | { readonly kind: "watched"; readonly id: number; readonly record: StoredRecord | null }
  | { readonly kind: "watch_ended"; readonly id: number; readonly failure: Failure | null }
  /** The time that the last step asked to be woken at has come. */
  | { readonly kind: "tick" }
  /** A signal or a cancel: give back whatever there is, unless work is running. */
  | { readonly kind: "give_up" }
  /** The work is reaped, whatever became of it. */
  | { readonly kind: "work_ended" }
  /** Somebody else goes on renewing this hold: stop without giving it back. */
  | { readonly kind: "hand_over" };

/** A happening, and what the client's two clocks said then (milliseconds). */
export interface Event {
  readonly now: number;
  readonly wall: number;
  readonly what: Happening;
}

/** What the program has to do after a step. */
export type Effect =
  | {
    readonly kind: "request";
    readonly id: number;
    readonly request: Request;
    readonly timeoutMs: number;
  }
  | { readonly kind: "watch"; readonly id: number; readonly from: string; readonly place: number }
  | { readonly kind: "unwatch" }
  /** The place that the watch was begun with has changed. */
  | { readonly kind: "move"; readonly place: number }
  | { readonly kind: "start_work" }
  | { readonly kind: "stop_work"; readonly how: "term" | "kill" }
  | { readonly kind: "tell"; readonly level: "debug" | "info" | "warn"; readonly text: string };

/** Why a lock was lost while it was held. */
export type Lost =
  /** This client could not renew in time. */
  | { readonly kind: "silent"; readonly seconds: number; readonly cause: string }
  /** Somebody took the entry off because it was silent. */
  | { readonly kind: "expired"; readonly by: string | null; readonly token: number | null }
  | { readonly kind: "broken"; readonly by: string | null; readonly reason: string | null }
  | { readonly kind: "deleted" }
  /** Given back by another command of the same job, or gone without a trace in the history. */
  | { readonly kind: "gone" }
  | { readonly kind: "damaged"; readonly message: string }
  | { readonly kind: "max_hold"; readonly seconds: number };

/** How a client ended. */
export type Result =
  | { readonly kind: "released" }
  | { readonly kind: "handed_over" }
  | { readonly kind: "busy" }
  | { readonly kind: "gave_up" }
  | { readonly kind: "dropped"; readonly by: string | null; readonly reason: string | null }
  | { readonly kind: "lost"; readonly lost: Lost }
  /** It never held: nothing was changed. */
  | { readonly kind: "not_holder" }
  | { readonly kind: "unreachable"; readonly message: string }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "unusable"; readonly message: string };

/** The record as last read; `record` null when there was none. */
export interface Known {
  readonly at: number;
  readonly stored: StoredRecord | null;
  readonly record: LockRecord | null;
}

/** My place in the queue. */
export interface MyTicket {
  readonly stored: StoredTicket;
  readonly ticket: Ticket;
}

/** A claim that was sent. */
export interface ClaimSent {
  readonly grant: string;
  readonly base: StoredRecord;
  readonly next: LockRecord;
  readonly firstSentAt: number;
  readonly sendings: number;
  /** True while it may have been applied, or be applied later. */
  readonly open: boolean;
}

/** What a request under way is for, with what its answer will need. */
export type Purpose =
  | { readonly kind: "read" | "arrive" | "survey" | "help" | "claim" | "ticket" | "ticket_check" }
  | { readonly kind: "ticket_read" | "ticket_patch" | "create" | "release" | "bar" | "leave" }
  | { readonly kind: "renew"; readonly renewals: number }
  | { readonly kind: "close"; readonly tickets: readonly Queued[] }
  | { readonly kind: "mend"; readonly spent: readonly DoomedTicket[]; readonly told: string };

/** A request under way. */
export interface Flight {
  readonly id: number;
  readonly sentAt: number;
  readonly purpose: Purpose;
  /** The record known when it was sent. */
  readonly base: Known | null;
}

/** A hold. */
export interface Hold {
  readonly uid: string;
  readonly token: number;
  readonly slot: number;
  readonly since: number;
  /** When the last acknowledged renewal (or the claim) was sent: what the deadline counts from. */
  readonly ackedAt: number;
  readonly renewAt: number;
  /** A renewal that was sent and not answered yet, with its first sending. */
  readonly pending: { readonly renewals: number; readonly firstSentAt: number } | null;
  readonly work: "none" | "running" | "over";
  /** How far the deadline has been acted on. */
  readonly stage: "fine" | "warned" | "stopping" | "killed";
  /** When the work is killed, once it was told to stop. */
  readonly killAt: number | null;
  readonly lost: Lost | null;
  /** True when the record does not name this hold any more: nothing is renewed or given back. */
  readonly gone: boolean;
}

/** Where a client is. */
export type Phase =
  | "arriving"
  | "trying"
  | "waiting"
  | "giving_up"
  | "holding"
  | "releasing"
  | "over";

/** Everything that one client knows. */
export interface State {
  readonly config: Config;
  readonly phase: Phase;
  readonly now: number;
  readonly wall: number;
  readonly startedAt: number;
  readonly wakeAt: number | null;
  readonly random: number;
  readonly ids: number;
  readonly grants: number;
  readonly grant: string;
  readonly known: Known | null;
  readonly sight: Sight;
  /** The longest TTL of the holders seen in a record that stood, or 0 if none was ever seen. */
  readonly seenTtlMs: number;
  /** Until then it leaves a new record alone, because the old one was deleted. */
  readonly embargoUntil: number | null;
  readonly flight: Flight | null;
  /** The deletions under way beside everything else. */
  readonly clearing: { readonly id: number; readonly tickets: readonly DoomedTicket[] } | null;
  readonly leftovers: readonly DoomedTicket[];
  /** Grants of tickets that may still be made by a request nobody waits for. */
  readonly strays: readonly string[];
  readonly watch: { readonly id: number; readonly open: boolean; readonly retryAt: number };
  readonly pollOnly: boolean;
  readonly ticket: MyTicket | null;
  /** The revision that counts for my place, once I had a ticket. */
  readonly place: string | null;
  /** 1 for the next in line: as of the last list, less those who were served since. */
  readonly position: number;
  /** Tickets listed last. */
  readonly queueLength: number;
  readonly claim: ClaimSent | null;
  /** Claims in a row whose end was unknown and that came to nothing. */
  readonly claimsLost: number;
  readonly mustRead: boolean;
  readonly mustReadTicket: boolean;
  readonly mustSettle: boolean;
  readonly readAt: number;
  readonly ticketReadAt: number;
  readonly positionAt: number;
  readonly retryAt: number;
  readonly failures: number;
  readonly conflicts: number;
  /** A request failed and no read has succeeded since. */
  readonly outage: boolean;
  readonly lastFailure: Failure | null;
  readonly firstGoodAt: number | null;
  /** What the last list was for: holders, turn, capacity and freeze as they were then. */
  readonly settledFor: string | null;
  /** Turns whose ticket was looked for. */
  readonly turnsChecked: readonly string[];
  readonly helpAt: number | null;
  /** With `trying`: until when it stays to see. */
  readonly tryUntil: number | null;
  readonly hold: Hold | null;
  /** Until when giving up or giving back is tried. */
  readonly leaveUntil: number | null;
  readonly result: Result | null;
  /** What could not be given back, for people. */
  readonly leftBehind: string | null;
}
