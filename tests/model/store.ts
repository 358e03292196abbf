/**
 * The store as a value: what `MemoryCore` does to one record and its tickets, but each change gives another store and leaves the one
 * before as it was, so that the states of an exploration share what they have in common. A test compares the two.
 */
import type { Answer, DoomedTicket, Request } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import type {
  StoredRecord,
  StoredTicket,
  StoreFailureKind,
  Version,
} from "../../lib/lock/store.ts";

/** One lock's objects. */
export interface Store {
  /** The newest. */
  readonly revision: number;
  /** How many objects were ever made. */
  readonly created: number;
  readonly record: StoredRecord | null;
  /** The revision of the record's last deletion, or 0. */
  readonly deletedAt: number;
  /** The first made first. */
  readonly tickets: readonly StoredTicket[];
}

/** Nothing was ever written. */
export const EMPTY_STORE: Store = {
  revision: 0,
  created: 0,
  record: null,
  deletedAt: 0,
  tickets: [],
};

/** A request as it is seen on the wire: `look` and `survey` are two of them. */
export type Plain = Exclude<Request, { kind: "look" | "survey" }>;

/** The store after a request, and the answer. */
export interface Executed {
  readonly store: Store;
  readonly answer: Answer;
}

/** Carries out one request. */
export function execute(store: Store, request: Plain): Executed {
  switch (request.kind) {
    case "read":
      return { store, answer: { record: store.record } };
    case "list":
      return { store, answer: { tickets: store.tickets } };
    case "read_ticket":
      return { store, answer: { ticket: ticketOf(store, request.grant) ?? null } };
    case "create_record":
      if (store.record !== null) return failed(store, "exists");
      return wrote(withRecord(store, newUid(store), encoded(request.record), store.created + 1));
    case "replace":
      return replace(store, request.base, encoded(request.next));
    case "create_ticket": {
      const { grant } = request.ticket;
      if (ticketOf(store, grant) !== undefined) return failed(store, "exists");
      const text = encodeTicket(request.ticket);
      const revision = `${store.revision + 1}`;
      const ticket = { grant, uid: newUid(store), text, revision };
      return {
        store: {
          ...store,
          revision: store.revision + 1,
          created: store.created + 1,
          tickets: [...store.tickets, ticket],
        },
        answer: { ticket },
      };
    }
    case "patch_ticket":
      return patch(store, request.base, encodeTicket(request.ticket));
    case "delete_tickets":
      return request.tickets.reduce<Executed>(deleteOne, { store, answer: { undeleted: [] } });
  }
}

/** A person deletes the record. */
export function deleteRecord(store: Store): Store {
  if (store.record === null) return store;
  const revision = store.revision + 1;
  return { ...store, revision, deletedAt: revision, record: null };
}

/** The revision as a number, as this store counts them. */
export function revisionOf({ revision }: Version): number {
  return Number(revision);
}

function replace(store: Store, base: Version, text: string): Executed {
  const wrong = mismatch(store.record, base);
  if (wrong !== null || store.record === null) return failed(store, wrong ?? "missing");
  if (store.record.text === text) return wrote(store);
  return wrote(withRecord(store, store.record.uid, text, store.created));
}

function patch(store: Store, base: StoredTicket, text: string): Executed {
  const present = ticketOf(store, base.grant);
  const wrong = mismatch(present ?? null, base);
  if (wrong !== null || present === undefined) return failed(store, wrong ?? "missing");
  if (present.text === text) return { store, answer: { ticket: present } };
  const revision = store.revision + 1;
  const ticket = { ...present, text, revision: `${revision}` };
  const tickets = store.tickets.map((one) => one === present ? ticket : one);
  return { store: { ...store, revision, tickets }, answer: { ticket } };
}

/** One after the other; what is missing is as good as deleted. */
function deleteOne({ store, answer }: Executed, doomed: DoomedTicket): Executed {
  const present = ticketOf(store, doomed.grant);
  if (present === undefined) return { store, answer };
  const { uid, revision = present.revision } = doomed;
  if (mismatch(present, { uid, revision }) !== null) {
    return { store, answer: { undeleted: [...answer.undeleted ?? [], doomed.grant] } };
  }
  const tickets = store.tickets.filter((one) => one !== present);
  return { store: { ...store, revision: store.revision + 1, tickets }, answer };
}

function ticketOf(store: Store, grant: string): StoredTicket | undefined {
  return store.tickets.find((ticket) => ticket.grant === grant);
}

function mismatch(present: Version | null, base: Version): "missing" | "conflict" | null {
  if (present === null) return "missing";
  return present.uid === base.uid && present.revision === base.revision ? null : "conflict";
}

function withRecord(store: Store, uid: string, text: string, created: number): Store {
  const revision = store.revision + 1;
  return { ...store, revision, created, record: { uid, text, revision: `${revision}` } };
}

function newUid(store: Store): string {
  return `uid-${store.created + 1}`;
}

function wrote(store: Store): Executed {
  return { store, answer: { record: store.record } };
}

function failed(store: Store, kind: StoreFailureKind): Executed {
  return { store, answer: { failure: { kind, message: kind } } };
}

const texts = new WeakMap<LockRecord, string>();

/** A write that is sent twice is encoded once. */
function encoded(record: LockRecord): string {
  let text = texts.get(record);
  if (text === undefined) texts.set(record, text = encodeRecord(record));
  return text;
}
