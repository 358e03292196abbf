/**
 * One client of the lock as a pure step, `(state, event) → (state, effects)`. The program runs it over real stores
 * (`lock.ts`), the tests run it by the million over simulated ones.
 *
 * One request for the lock's objects is under way at a time (`flight`); beside it at most one that clears away tickets that
 * do not wait any more (`clearing`). Each request is answered exactly once, a failure being an answer. The times in a state
 * are milliseconds of the client's own monotonic clock.
 */
import type { Fate, Inquiry } from "./expiry.ts";
import type { HolderJob, Identity, LockRecord, Mode, Order, Ticket } from "./record.ts";
import type { Queued } from "./queue.ts";
import type { StoredRecord, StoredTicket, StoreFailureKind } from "./store.ts";
import type { Sight } from "./observer.ts";
import type { Expiry } from "./rules.ts";

/** A turn that is not claimed for so long makes others look after it, in milliseconds. */
export const TURN_PATIENCE_MS = 2000;

/** One that would fit beside those who hold, but for the first in line, which does not, calls the roll so often, in milliseconds. */
export const IDLE_PATIENCE_MS = 60_000;

/** What one try to acquire wants. Everything that differs between two clients is in here. */
export interface Config {
  /** Null when the record is addressed by its exact name: then the identity stored in it counts. */
  readonly identity: Identity | null;
  /** Who holds or waits, for people. */
  readonly holder: string;
  /** What for, for people; may be empty. */
  readonly description: string;
  /** A page about it, for people; may be empty. */
  readonly link: string;
  /** Whether it can hold beside others. */
  readonly mode: Mode;
  /** The higher is served first. */
  readonly priority: number;
  /** The order that was asked for: a record that stands in another is refused. Null: the record's own. */
  readonly order: Order | null;
  /** The run's number, which some orders go by; null where there is none. */
  readonly orderKey: number | null;
  /** With `sequential`: a number that nobody shows up with is passed after so long; null: never. */
  readonly skipAfterMs: number | null;
  /** How long it may be silent while it holds. For one that resumes, the TTL in its entry comes to stand here. */
  readonly ttlMs: number;
  /** Null waits for ever; 0 tries once. */
  readonly timeoutMs: number | null;
  /** The limit of each request; some are given less. */
  readonly requestTimeoutMs: number;
  /** How long it may be held at most, or null. */
  readonly maxHoldMs: number | null;
  /** `command`: work that can be stopped. `steps`: work that cannot, which is told that the lock is lost. */
  readonly work: "command" | "steps";
  /** What others may do when it falls silent while it holds. */
  readonly expiry: Expiry;
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
  /** It names the ticket. */
  readonly grant: string;
  /** Another ticket of that name is left alone. */
  readonly uid: string;
  /** Where given, a ticket that has changed since is left alone. */
  readonly revision?: string;
}

/** What a request brought. The fields are there as the request asked for them. */
export interface Answer {
  /** As read or as written; null when there is none. */
  readonly record?: StoredRecord | null;
  /** As listed, in no order. */
  readonly tickets?: readonly StoredTicket[];
  /** As made, read or changed; null when there is none. */
  readonly ticket?: StoredTicket | null;
  /** Of `delete_tickets`: those that stand as they were asked about no more, or whose end is unknown. */
  readonly undeleted?: readonly string[];
  /** With `undeleted`: why, where that was the store or the way to it, and not that a ticket had changed. */
  readonly hindered?: Failure;
  /** Where it is, nothing else is. */
  readonly failure?: Failure;
}

/** Why there is no result. */
export interface Failure {
  /** What it says about the request's effect. */
  readonly kind: StoreFailureKind;
  /** A sentence for people. */
  readonly message: string;
  /** How long the store asks to wait, where it does. */
  readonly retryAfterMs?: number;
}

/** What happens to a client. */
export type Happening =
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  | { readonly kind: "watched"; readonly id: number; readonly record: StoredRecord | null }
  | { readonly kind: "watch_ended"; readonly id: number; readonly failure: Failure | null }
  /** What became of the job that was asked about. */
  | { readonly kind: "job_told"; readonly id: number; readonly fate: Fate }
  /** The time that the last step asked to be woken at has come. */
  | { readonly kind: "tick" }
  /** A signal or a cancel: give back whatever there is, unless work is running. */
  | { readonly kind: "give_up" }
  /** The work is reaped, whatever became of it. */
  | { readonly kind: "work_ended" }
  /** Somebody else goes on renewing this hold: stop without giving it back, renewed first where that is due. */
  | { readonly kind: "hand_over" }
  /** What became of a run that was asked about. */
  | { readonly kind: "run_told"; readonly number: number; readonly fate: Fate };

/** A happening, and what the client's two clocks said then (milliseconds). */
export interface Event {
  /** The monotonic one: all decisions. */
  readonly now: number;
  /** The wall clock: texts for people, and whether the two have parted. */
  readonly wall: number;
  /** The happening. */
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
  /** What became of that job? Answered exactly once, with a `job_told`. */
  | { readonly kind: "ask_job"; readonly id: number; readonly job: HolderJob }
  | { readonly kind: "start_work" }
  | { readonly kind: "stop_work"; readonly how: "term" | "kill" }
  /** What became of the run with that number? Answered exactly once, with a `run_told`. */
  | { readonly kind: "ask_run"; readonly number: number }
  | { readonly kind: "tell"; readonly level: "debug" | "info" | "warn"; readonly text: string };

/** Why a lock was lost while it was held. */
export type Lost =
  /** This client could not renew in time. */
  | { readonly kind: "silent"; readonly seconds: number; readonly cause: string }
  /** Somebody took the entry off because it was silent. */
  | { readonly kind: "expired"; readonly by: string | null; readonly token: number | null }
  | { readonly kind: "broken"; readonly by: string | null; readonly reason: string | null }
  | { readonly kind: "deleted" }
  /** Somebody who does not know of this hold wrote over it, as version 3 does. */
  | { readonly kind: "wiped"; readonly next: number }
  /** In version 3's form: the number was moved on while this run held. */
  | { readonly kind: "passed"; readonly number: number; readonly next: number }
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
  /** The record is in version 3's form, and its number will never be this run's again. */
  | { readonly kind: "passed"; readonly number: number; readonly next: number }
  /** Another order was asked for than the record stands in. */
  | { readonly kind: "other_order"; readonly stands: "sequential" | "today" }
  /** The record is in version 3's form, and this is no run with a number. */
  | { readonly kind: "no_number" }
  | { readonly kind: "unusable"; readonly message: string };

/** The record as last read; `record` null when there was none. */
export interface Known {
  /** When it was taken in. */
  readonly at: number;
  /** As the store returned it. */
  readonly stored: StoredRecord | null;
  /** What `stored` says. */
  readonly record: LockRecord | null;
}

/** My place in the queue. */
export interface MyTicket {
  /** As the store last returned it. */
  readonly stored: StoredTicket;
  /** What `stored` says. */
  readonly ticket: Ticket;
}

/** A claim that was sent. */
export interface ClaimSent {
  /** The grant that it claims for. */
  readonly grant: string;
  /** The record that it replaces, in that state only. */
  readonly base: StoredRecord;
  /** What it writes: the same at each sending. */
  readonly next: LockRecord;
  /** What a hold by it counts from, unless a later sending was answered. */
  readonly firstSentAt: number;
  /** 1 for the first. */
  readonly sendings: number;
  /** True while it may have been applied, or be applied later. */
  readonly open: boolean;
}

/** What a request under way is for, with what its answer will need. */
export type Purpose =
  | { readonly kind: "read" | "arrive" | "survey" | "help" | "claim" | "ticket" | "ticket_check" }
  | { readonly kind: "ticket_read" | "ticket_patch" | "create" | "release" | "bar" | "leave" }
  | { readonly kind: "renew"; readonly renewals: number }
  | { readonly kind: "pass"; readonly number: number; readonly told: string }
  | { readonly kind: "close"; readonly tickets: readonly Queued[] }
  | { readonly kind: "mend"; readonly spent: readonly DoomedTicket[]; readonly told: string };

/** A request under way. */
export interface Flight {
  /** Of the request: an answer with another one is not this flight's. */
  readonly id: number;
  /** What its answer proves, it proves for this time; further back once the two clocks parted. */
  readonly sentAt: number;
  /** What its answer is taken for. */
  readonly purpose: Purpose;
  /** The record known when it was sent. */
  readonly base: Known | null;
}

/** A hold. */
export interface Hold {
  /** Of the record that names it: with another one that record was deleted. */
  readonly uid: string;
  /** The fencing token. */
  readonly token: number;
  /** From 0. */
  readonly slot: number;
  /** Its run's, where it holds by that. */
  readonly number: number | null;
  /** When the work began, and before that when the claim was known to have succeeded. */
  readonly since: number;
  /** When the last acknowledged renewal (or the claim) was sent: what the deadline counts from. */
  readonly ackedAt: number;
  /** When the next renewal is due. */
  readonly renewAt: number;
  /** A renewal that was sent and not answered yet, with its first sending: its count and its time tell it from one of another process. */
  readonly pending: {
    readonly renewals: number;
    readonly at: string;
    readonly firstSentAt: number;
  } | null;
  /** `over` once all of it is reaped. */
  readonly work: "none" | "running" | "over";
  /** How far the deadline has been acted on. */
  readonly stage: "fine" | "warned" | "stopping" | "killed";
  /** When the work is killed, once it was told to stop. */
  readonly killAt: number | null;
  /** Why it is lost, the first reason; null while it is not, and again when `steps` were renewed after a gap. */
  readonly lost: Lost | null;
  /** True when the record does not name this hold any more: nothing is renewed or given back. */
  readonly gone: boolean;
  /** Somebody else is ready to renew it, and gets it as soon as no renewal is due. */
  readonly handsOver: boolean;
}

/** In version 3's form: a number that everybody waits for, and nobody of ours has it. */
export interface Hole {
  /** The number. */
  readonly number: number;
  /** Since when it is seen so. */
  readonly since: number;
  /** When the tickets are looked for again. */
  readonly listAt: number;
  /** When it may be asked about again; null while somebody asks. */
  readonly askAt: number | null;
  /** What was told of its run last; null before anything was. */
  readonly fate: Fate | null;
  /** When that was. */
  readonly toldAt: number;
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
  /** As given, but for the TTL of one that resumes. */
  readonly config: Config;
  /** Decides which answers and times count. */
  readonly phase: Phase;
  /** The monotonic clock at the last step. */
  readonly now: number;
  /** The wall clock at the last step, in milliseconds since 1970. */
  readonly wall: number;
  /** When it began: waits and `timeoutMs` count from here. */
  readonly startedAt: number;
  /** When it wants a `tick` at the latest; null: only on news. */
  readonly wakeAt: number | null;
  /** State of the random numbers, 32 bits. */
  readonly random: number;
  /** The last request's id. */
  readonly ids: number;
  /** How many grants it has had: the number at the present one's end. */
  readonly grants: number;
  /** The present one. */
  readonly grant: string;
  /** The order that it waits in now: that of the record as last read, else the one that was asked for. */
  readonly order: Order;
  /** The lowest number among those that wait and its own, as of the last list; null while there was none since it is of use. */
  readonly lowest: number | null;
  /** Null while there is none. */
  readonly hole: Hole | null;
  /** Numbers to come whose waiters have gone, as the record said before version 3 wiped it. */
  readonly gaveUp: readonly number[];
  /** Null until the record was first read. */
  readonly known: Known | null;
  /** What it saw of the known record, and since when. */
  readonly sight: Sight;
  /** The longest TTL of the holders seen in a record that stood, or 0 if none was ever seen. */
  readonly seenTtlMs: number;
  /** Until then it leaves a new record alone, because the old one was deleted. */
  readonly embargoUntil: number | null;
  /** Null while nothing is asked for. */
  readonly flight: Flight | null;
  /** The deletions under way beside everything else. */
  readonly clearing: { readonly id: number; readonly tickets: readonly DoomedTicket[] } | null;
  /** What is known of the jobs of holders that fell silent, where their policy is to ask. */
  readonly inquiries: readonly Inquiry[];
  /** Tickets that the next `clearing` deletes. */
  readonly leftovers: readonly DoomedTicket[];
  /** Grants of tickets that may still be made by a request nobody waits for. */
  readonly strays: readonly string[];
  /** The last watch by its id, whether it stands, and when another may be begun. */
  readonly watch: { readonly id: number; readonly open: boolean; readonly retryAt: number };
  /** Nothing is watched: by `news`, or because the store refused it. */
  readonly pollOnly: boolean;
  /** Null while it has none that it knows of. */
  readonly ticket: MyTicket | null;
  /** The revision that counts for my place, once I had a ticket. */
  readonly place: string | null;
  /** 1 for the next in line: as of the last list, less those who were served since. */
  readonly position: number;
  /** Tickets listed last. */
  readonly queueLength: number;
  /** The last claim that was sent with the present grant, or null. */
  readonly claim: ClaimSent | null;
  /** Claims in a row whose end was unknown and that came to nothing. */
  readonly claimsLost: number;
  /** The record is to be read before anything is decided by it. */
  readonly mustRead: boolean;
  /** My ticket is to be read first: it may be gone, or made although no answer came. */
  readonly mustReadTicket: boolean;
  /** My ticket was found nowhere: another one is made as soon as the record is read. */
  readonly ticketGone: boolean;
  /** It has to help the record on, whatever that looks like. */
  readonly mustSettle: boolean;
  /** When the record is read next without any news. */
  readonly readAt: number;
  /** When my ticket is read next without any news. */
  readonly ticketReadAt: number;
  /** When tickets were listed last. */
  readonly positionAt: number;
  /** Nothing is asked for before. */
  readonly retryAt: number;
  /** Failed requests since the last good read: each doubles the wait. */
  readonly failures: number;
  /** Writes in a row that came too late, up to 10: the more, the longer the random wait. */
  readonly conflicts: number;
  /** A request failed and no read has succeeded since. */
  readonly outage: boolean;
  /** With `outage`: since when it is not known that others could have been heard of. */
  readonly unheardSince: number;
  /** Null once a read succeeded after it. */
  readonly lastFailure: Failure | null;
  /** When a read succeeded first; null before that. */
  readonly firstGoodAt: number | null;
  /** What the last list was for: holders, turn, capacity and freeze as they were then. */
  readonly settledFor: string | null;
  /** Turns whose ticket was looked for. */
  readonly turnsChecked: readonly string[];
  /** When it helps the record on, its random wait included; null when there is no need. */
  readonly helpAt: number | null;
  /** With `trying`: until when it stays to see. */
  readonly tryUntil: number | null;
  /** Null while it does not hold. */
  readonly hold: Hold | null;
  /** Until when giving up or giving back is tried. */
  readonly leaveUntil: number | null;
  /** How it ends, known as soon as it is on its way out; null before. */
  readonly result: Result | null;
  /** What could not be given back, for people. */
  readonly leftBehind: string | null;
}
