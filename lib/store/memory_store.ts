/**
 * Locks kept in this process's memory: what the simulation and fast tests run over.
 *
 * It behaves as a Kubernetes API server does towards one lock: one revision for everything, which grows with each change,
 * survives deletions and stays as it is when a write changes nothing; another uid for each creation.
 */
import { compareRevisions, StoreError } from "../lock/store.ts";
import type {
  LockStore,
  LockStores,
  NewTicket,
  StoredRecord,
  StoredTicket,
  Version,
  Watch,
  WatchEvent,
} from "../lock/store.ts";

/** Something in a {@link MemoryCore} became another. */
export type MemoryChange =
  | { readonly kind: "record"; readonly object: string; readonly record: StoredRecord | null }
  | {
    readonly kind: "ticket";
    readonly object: string;
    readonly grant: string;
    readonly ticket: StoredTicket | null;
  };

/** All that a {@link MemoryCore} kept at some moment. */
export interface Backup {
  /** The newest one then. */
  readonly revision: bigint;
  /** By the name of their records. */
  readonly places: ReadonlyMap<string, Readonly<Place>>;
}

/** A restore as `etcdutl snapshot restore --bump-revision` makes it goes on this far after the newest revision. */
const BUMP = 1_000_000n;

/** What is known of a record's name: the one that stands there, and when one was last deleted. */
export interface Place {
  /** Null when there is none. */
  record: StoredRecord | null;
  /** The revision of the last deletion; "" when there was none. */
  deletedAt: string;
  /** By grant. */
  readonly tickets: Map<string, StoredTicket>;
}

/**
 * The store itself, without promises, clocks or chance: each method does its work at once and returns, or throws a
 * {@link StoreError}. The same calls in the same order always give the same uids and revisions.
 */
export class MemoryCore {
  #revision = 0n;
  #created = 0;
  readonly #places = new Map<string, Place>();
  readonly #listeners = new Set<(change: MemoryChange) => void>();

  /** The newest revision. */
  get revision(): string {
    return `${this.#revision}`;
  }

  /** The record of that name, or null. */
  readRecord(object: string): StoredRecord | null {
    return this.#places.get(object)?.record ?? null;
  }

  /** Throws `exists`. */
  createRecord(object: string, text: string): StoredRecord {
    const place = this.#place(object);
    if (place.record !== null) throw new StoreError("exists", `record ${object} exists already`);
    return this.#setRecord(object, { uid: this.#newUid(), text });
  }

  /** Throws `conflict`, `missing`. A text that changes nothing leaves the revision as it is. */
  replaceRecord(object: string, base: Version, text: string): StoredRecord {
    const present = demanded(this.readRecord(object), base, `record ${object}`);
    if (present.text === text) return present;
    return this.#setRecord(object, { uid: present.uid, text });
  }

  /** Writes a record whatever stands there, as a person does by hand; makes it when it is missing. */
  editRecord(object: string, text: string): StoredRecord {
    const present = this.readRecord(object);
    if (present?.text === text) return present;
    return this.#setRecord(object, { uid: present?.uid ?? this.#newUid(), text });
  }

  /** Deletes the record as a person does by hand; its tickets stay. Nothing happens when it is missing. */
  deleteRecord(object: string): void {
    const place = this.#places.get(object);
    if (!place?.record) return;
    place.record = null;
    place.deletedAt = this.#nextRevision();
    this.#tell({ kind: "record", object, record: null });
  }

  /** All that it keeps now. */
  backup(): Backup {
    const places = [...this.#places].map(([object, { record, deletedAt, tickets }]) =>
      [object, { record, deletedAt, tickets: new Map(tickets) }] as const
    );
    return { revision: this.#revision, places: new Map(places) };
  }

  /**
   * Puts `backup` in the place of all that is kept, as a restored etcd does: objects with their uids and revisions of then. Nobody is told.
   * The next revision is the one after the backup's (as when etcd is restored without more ado), or after all that there ever were.
   */
  restore({ revision, places }: Backup, next: "as then" | "bumped"): void {
    this.#revision = next === "as then" ? revision : this.#revision + BUMP;
    this.#places.clear();
    for (const [object, { record, deletedAt, tickets }] of places) {
      this.#places.set(object, { record, deletedAt, tickets: new Map(tickets) });
    }
  }

  /** Every record with its name, sorted by name. */
  listRecords(): { object: string; record: StoredRecord }[] {
    return [...this.#places]
      .flatMap(([object, { record }]) => record === null ? [] : [{ object, record }])
      .sort((a, b) => a.object < b.object ? -1 : 1);
  }

  /** All tickets of that record's name, the first made first. */
  listTickets(object: string): StoredTicket[] {
    return [...this.#places.get(object)?.tickets.values() ?? []];
  }

  /** One ticket, or null. */
  readTicket(object: string, grant: string): StoredTicket | null {
    return this.#places.get(object)?.tickets.get(grant) ?? null;
  }

  /** Throws `exists`. */
  createTicket(object: string, { grant, text }: NewTicket): StoredTicket {
    if (this.readTicket(object, grant) !== null) {
      throw new StoreError("exists", `ticket ${grant} of ${object} exists already`);
    }
    return this.#setTicket(object, { grant, uid: this.#newUid(), text });
  }

  /** Throws `conflict`, `missing`. A text that changes nothing leaves the revision as it is. */
  patchTicket(object: string, base: StoredTicket, text: string): StoredTicket {
    const { grant } = base;
    const present = demanded(this.readTicket(object, grant), base, `ticket ${grant} of ${object}`);
    if (present.text === text) return present;
    return this.#setTicket(object, { grant, uid: present.uid, text });
  }

  /** Throws `conflict`, `missing`. */
  deleteTicket(
    object: string,
    { grant, uid, revision }: {
      readonly grant: string;
      readonly uid: string;
      readonly revision?: string;
    },
  ): void {
    const present = this.readTicket(object, grant);
    demanded(
      present,
      { uid, revision: revision ?? present?.revision ?? "" },
      `ticket ${grant} of ${object}`,
    );
    this.#places.get(object)?.tickets.delete(grant);
    this.#nextRevision();
    this.#tell({ kind: "ticket", object, grant, ticket: null });
  }

  /** What a watch from revision `from` ("": whatever stands there) has to report at once. */
  changesSince(object: string, from: string): WatchEvent[] {
    const place = this.#places.get(object);
    const events: WatchEvent[] = [];
    if (from !== "" && place && newer(place.deletedAt, from)) events.push({ kind: "deleted" });
    if (place?.record && newer(place.record.revision, from)) {
      events.push({ kind: "record", record: place.record });
    }
    return events;
  }

  /** Calls `listener` after each change, before the method that made it returns. Returns its end. */
  subscribe(listener: (change: MemoryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #place(object: string): Place {
    let place = this.#places.get(object);
    if (place === undefined) {
      place = { record: null, deletedAt: "", tickets: new Map() };
      this.#places.set(object, place);
    }
    return place;
  }

  #setRecord(object: string, { uid, text }: { uid: string; text: string }): StoredRecord {
    const record = { uid, revision: this.#nextRevision(), text };
    this.#place(object).record = record;
    this.#tell({ kind: "record", object, record });
    return record;
  }

  #setTicket(object: string, ticket: Omit<StoredTicket, "revision">): StoredTicket {
    const stored = { ...ticket, revision: this.#nextRevision() };
    this.#place(object).tickets.set(ticket.grant, stored);
    this.#tell({ kind: "ticket", object, grant: ticket.grant, ticket: stored });
    return stored;
  }

  #nextRevision(): string {
    return `${++this.#revision}`;
  }

  #newUid(): string {
    return `uid-${++this.#created}`;
  }

  #tell(change: MemoryChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** `present`, if it is `base` and unchanged. Throws `conflict`, `missing`. */
function demanded<T extends Version>(present: T | null, base: Version, what: string): T {
  if (present === null) throw new StoreError("missing", `there is no ${what}`);
  if (present.uid !== base.uid || present.revision !== base.revision) {
    throw new StoreError("conflict", `${what} was changed by somebody else`);
  }
  return present;
}

function newer(revision: string, from: string): boolean {
  return revision !== "" && (from === "" || compareRevisions(revision, from) > 0);
}

/**
 * Locks in memory. Several `LockStores` over one `core` are several clients of the same store.
 *
 * Each request is carried out in a later microtask than its call, in the order of the calls.
 */
export function memoryStores(core: MemoryCore = new MemoryCore()): LockStores {
  const watches = new Set<Watch>();
  let closed = false;

  async function request<T>(signal: AbortSignal | undefined, answer: () => T): Promise<T> {
    failIfAborted(signal);
    await Promise.resolve();
    failIfAborted(signal);
    if (closed) throw new StoreError("unusable", "the store has been closed");
    return answer();
  }

  function watchRecord(
    object: string,
    from: string,
    onEvent: (event: WatchEvent) => void,
  ): Watch {
    let open = true;
    // Reported in a microtask, so that nobody gets an event before watchRecord has returned.
    const report = (event: WatchEvent) => queueMicrotask(() => open && onEvent(event));
    const stop = core.subscribe((change) => {
      if (change.kind !== "record" || change.object !== object) return;
      report(
        change.record === null ? { kind: "deleted" } : { kind: "record", record: change.record },
      );
    });
    const watch: Watch = {
      close() {
        open = false;
        stop();
        watches.delete(watch);
      },
    };
    watches.add(watch);
    core.changesSince(object, from).forEach(report);
    return watch;
  }

  return {
    open: (object): LockStore => ({
      object: `memory/${object}`,
      readRecord: (signal) => request(signal, () => core.readRecord(object)),
      createRecord: (text, signal) => request(signal, () => core.createRecord(object, text)),
      replaceRecord: (base, text, signal) =>
        request(signal, () => core.replaceRecord(object, base, text)),
      listTickets: (signal) => request(signal, () => core.listTickets(object)),
      readTicket: (grant, signal) => request(signal, () => core.readTicket(object, grant)),
      createTicket: (ticket, signal) => request(signal, () => core.createTicket(object, ticket)),
      patchTicket: (base, text, signal) =>
        request(signal, () => core.patchTicket(object, base, text)),
      deleteTicket: (ticket, signal) => request(signal, () => core.deleteTicket(object, ticket)),
      watchRecord: (from, _place, onEvent) => watchRecord(object, from, onEvent),
    }),
    listRecords: (signal) => request(signal, () => core.listRecords()),
    close() {
      closed = true;
      for (const watch of [...watches]) watch.close();
    },
  };
}

function failIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new StoreError("unknown", "the request was given up");
}
