/** What a key is made from: a list of whole numbers in which names, revisions, tokens, counts and times are renamed. */
import { parseTicket } from "../../lib/lock/record.ts";
import type { LockRecord, Ticket } from "../../lib/lock/record.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import { recordIn } from "./world.ts";

const SIZE = 1 << 15;

/** One form after the other. */
export class Form {
  /** The key of the last form: two halves. */
  low = 0;
  high = 0;
  now = 0;
  /** Grants and uids go by the places in which they are first named. */
  readonly grants: string[] = [];
  readonly uids: string[] = [];
  /** Every record that stands anywhere, put once. */
  readonly records: LockRecord[] = [];

  readonly #out = new Int32Array(SIZE);
  #length = 0;
  /** Where revisions and tokens stand: they are renamed in the end. */
  readonly #places: number[] = [];
  /** Where counts of renewals stand, and whose they are. */
  readonly #renewals: number[] = [];
  /** What tells each record: its revision, or itself where it was not stored. */
  readonly #versions: unknown[] = [];
  readonly #codes = new Map<unknown, number>();
  readonly #tickets = new Map<string, Ticket>();

  begin(now: number): void {
    this.now = now;
    this.#length = 0;
    this.grants.length = 0;
    this.uids.length = 0;
    this.records.length = 0;
    this.#places.length = 0;
    this.#renewals.length = 0;
    this.#versions.length = 0;
  }

  /** Renames, and makes the key. */
  end(): void {
    this.#rank();
    this.#rebase();
    this.#hash();
  }

  put(value: number): void {
    if (this.#length >= SIZE) throw new Error("a state is too large for its key");
    this.#out[this.#length++] = value;
  }

  flag(value: boolean): void {
    this.put(value ? 1 : 0);
  }

  /** A word out of few, or an object that stands for itself. */
  code(value: unknown): void {
    let code = this.#codes.get(value);
    if (code === undefined) this.#codes.set(value, code = this.#codes.size + 1);
    this.put(code);
  }

  grant(grant: string): number {
    let index = this.grants.indexOf(grant);
    if (index < 0) index = this.grants.push(grant) - 1;
    this.put(index);
    return index;
  }

  /** A grant that stands nowhere else will never stand anywhere again. */
  mention(grant: string): void {
    const index = this.grants.indexOf(grant);
    if (index >= 0) this.put(index);
  }

  uid(uid: string): void {
    let index = this.uids.indexOf(uid);
    if (index < 0) index = this.uids.push(uid) - 1;
    this.put(index);
  }

  /** A revision or a token: only their order counts. */
  ranked(value: number | string | null): void {
    if (value === null) return this.put(-1);
    this.#places.push(this.#length);
    this.put(Number(value));
  }

  count(renewals: number, grant: number): void {
    this.#renewals.push(this.#length, grant);
    this.put(renewals);
  }

  /** A time that is asked for exactly. */
  since(at: number | null): void {
    this.put(at === null ? 1 << 30 : Math.round(at - this.now));
  }

  /** A time that is asked for exactly for so long. */
  within(at: number, ms: number): void {
    this.since(Math.max(at, this.now - ms));
  }

  /** A time that only matters until it has come. */
  until(at: number | null): void {
    this.put(at === null ? -1 : Math.max(0, Math.ceil(at - this.now)));
  }

  /** The same record stands in many places: it is put once. */
  version(version: unknown, record: LockRecord): void {
    let index = this.#versions.indexOf(version);
    if (index < 0) {
      index = this.#versions.push(version) - 1;
      this.records.push(record);
    }
    this.put(index);
  }

  stored(stored: StoredRecord | null | undefined): void {
    if (stored === null || stored === undefined) return this.put(-1);
    this.uid(stored.uid);
    this.ranked(stored.revision);
    this.version(stored.revision, recordIn(stored.text));
  }

  doomed(
    tickets: readonly { readonly grant: string; readonly uid: string }[] | null,
  ): void {
    this.put(tickets?.length ?? -1);
    for (const { grant, uid } of tickets ?? []) {
      this.grant(grant);
      this.uid(uid);
    }
  }

  ticketText(text: string): void {
    let ticket = this.#tickets.get(text);
    if (ticket === undefined) {
      if (this.#tickets.size > 50_000) this.#tickets.clear();
      this.#tickets.set(text, ticket = parseTicket(text));
    }
    this.code(ticket.mode);
    this.put(ticket.priority);
    this.ranked(ticket.order_revision);
    this.put(ticket.answered);
  }

  ticket({ grant, uid, revision, text }: StoredTicket): void {
    this.grant(grant);
    this.uid(uid);
    this.ranked(revision);
    this.ticketText(text);
  }

  #rank(): void {
    const places = this.#places;
    const out = this.#out;
    const values: number[] = [];
    for (const place of places) {
      const value = out[place]!;
      if (!values.includes(value)) values.push(value);
    }
    values.sort((a, b) => a - b);
    for (const place of places) out[place] = values.indexOf(out[place]!);
  }

  /** Only how far the counts of one grant are apart is of use. */
  #rebase(): void {
    const list = this.#renewals;
    const least: number[] = [];
    for (let i = 0; i < list.length; i += 2) {
      const grant = list[i + 1]!;
      least[grant] = Math.min(least[grant] ?? Infinity, this.#out[list[i]!]!);
    }
    for (let i = 0; i < list.length; i += 2) {
      this.#out[list[i]!] = this.#out[list[i]!]! - least[list[i + 1]!]!;
    }
  }

  /** Two mixes of the whole form, each of 32 bits. */
  #hash(): void {
    const out = this.#out;
    let a = 0x9e3779b9 ^ this.#length;
    let b = 0x85ebca6b;
    for (let i = 0; i < this.#length; i++) {
      const value = out[i]!;
      a = Math.imul(a ^ value, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      a = Math.imul(a, 5) + 0x6b64e654 | 0;
      b = Math.imul(b ^ (value + i), 0x1b873593);
      b = (b << 13) | (b >>> 19);
      b = Math.imul(b, 9) + 0x38b34ae5 | 0;
    }
    a ^= a >>> 16;
    a = Math.imul(a, 0x85ebca6b);
    a ^= a >>> 13;
    b ^= b >>> 15;
    b = Math.imul(b, 0xc2b2ae35);
    b ^= b >>> 16;
    this.low = (a ^ (b >>> 7)) >>> 0;
    this.high = (b ^ (a << 3)) >>> 0;
  }
}
