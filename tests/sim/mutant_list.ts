import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EXPIRY } from "./expiry_mutants.ts";
import { BY_NUMBER } from "./number_mutants.ts";

/** Bugs that somebody might make: each an exact text that stands in one place of the lock, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** What it uses that its file does not import: lines for the file's head. */
  readonly imports?: string;
}

function bugs(list: readonly [string, string, string, string?][]): Mutant[] {
  return list.map(([name, from, to, imports = ""]) => ({ name, from, to, imports }));
}

/** The text of the mutant's file with the bug in it. */
export function mutated({ from, to, imports = "" }: Mutant, original: string): string {
  return `${imports}\n${original.replace(from, () => to)}`;
}

const RULES = bugs([
  [
    "a claim ends the roll call",
    "roll_call: { ...record.roll_call, calls: 0 },",
    "roll_call: { ...callOver(record), calls: 0 },",
    'import { callOver } from "./queue.ts";',
  ],
  [
    "a later one that fits overtakes",
    "if (!fitsBeside(taken, ticket.mode, record.capacity)) break;",
    "if (!fitsBeside(taken, ticket.mode, record.capacity)) continue;",
  ],
  [
    "an answer protects one that cannot claim",
    "(record.turn.includes(ticket.grant) && stale.includes(ticket.grant))",
    "(stale.length < 0 && stale.includes(ticket.grant))",
  ],
  ["a call names one waiter only", "export const CALL_SIZE = 128;", "export const CALL_SIZE = 1;"],
  [
    "a release does not settle",
    "  return handOn(remembered, gone.run_number, tickets);\n}\n\n/** The record after `grant` gave",
    "  return remembered;\n}\n\n/** The record after `grant` gave",
  ],
  [
    "a claim past the queue does not look at the queue",
    "if (record.turn.length > 0 || waiting(record, way.tickets).length > 0) return",
    "if (record.turn.length > 0) return",
  ],
  [
    "tokens come from the record alone",
    "return Number(next > fromRevision ? next : fromRevision);",
    "return Number(fromRevision > 0n ? next : fromRevision);",
  ],
  [
    "a turn that stands is not left",
    "const named = new Set(record.turn);",
    "const named = new Set<string>();",
  ],
  [
    "a writer fits beside readers",
    "return exclusive === taken.length && exclusive < capacity;",
    "return exclusive < capacity;",
  ],
  [
    "a spent ticket waits",
    "for (const past of record.history) spent.add(past.grant);",
    "",
  ],
  [
    "a broken entry can be renewed",
    'if (mine.state !== "held") return "broken";',
    "",
  ],
  [
    "every call stands for 3 s",
    "Math.min(CALL_STANDS_AT_MOST_SECONDS, CALL_STANDS_SECONDS * 2 ** Math.min(calls, 8)),",
    "CALL_STANDS_SECONDS,",
  ],
  [
    "revisions are compared without the place kept",
    "return queued.ticket.order_revision ?? queued.revision;",
    "return queued.revision;",
  ],
]);

const KNOWING = bugs([
  ["a grant is used again", "  d.grants++;\n", ""],
  [
    "counts go on after an outage",
    "const lostMs = d.now - d.unheardSince;",
    "const lostMs = 0;",
  ],
  [
    "a holder's count begins anew with each failure",
    "const lostMs = d.now - d.unheardSince;",
    "const lostMs = d.now;",
  ],
  [
    "that nothing can be written is no outage",
    'const since = what === "write" ? d.startedAt : d.known?.at ?? d.startedAt;',
    "const since = d.known?.at ?? d.startedAt;",
  ],
  [
    "an old event is believed",
    'if (older && (source !== "read" || before.at > sentAt)) return false;',
    "if (older && before.at > sentAt) return false;",
  ],
  [
    "nobody waits after the deletion of a record",
    "d.embargoUntil = Math.max(d.embargoUntil ?? 0, d.now + d.seenTtlMs);",
    "",
  ],
  [
    "an event of another object is believed",
    'if (source === "event" && before !== null && !sameObject) {',
    "if (before === undefined) {",
  ],
  [
    "a waiter that was passed over does not look after its ticket",
    "if (d.ticket !== null && (afterOutage || mayBePassedOver(d, before?.record ?? null, record))) {",
    "if (d.ticket !== null && afterOutage && before === undefined) {",
  ],
]);

const WAITING = bugs([
  [
    "nobody asks whether one that keeps others from what is free is alive",
    "const stuck = next.turn.length === 0 && idleDue(record, helper);",
    "const stuck = next.turn.length < 0 && idleDue(record, helper);",
  ],
  [
    "a claim found by reading counts from now",
    "const sentAt = d.claim?.firstSentAt ?? d.now - d.config.ttlMs;",
    "const sentAt = d.now;",
  ],
  [
    "a claim sent again counts from its last sending",
    "d.claim = { ...sent, sendings: sent.sendings + 1 };",
    "d.claim = { ...sent, sendings: sent.sendings + 1, firstSentAt: d.now };",
  ],
  [
    "a claim found nowhere keeps its grant",
    'makeAgain(d, "its claim came to nothing");',
    "d.claim = null;",
  ],
  [
    "one that was dropped comes back",
    'if (past?.outcome === "broken") {',
    'if (past?.outcome === "broken" && past.by === "nobody") {',
  ],
  [
    "a new record is claimed as soon as somebody else made it",
    "  if (embargoed(d)) return tryNoMore(d);\n  if (known.record.turn",
    "  if (known.record.turn",
  ],
  [
    "a record is created with its holder in it",
    'return ask(d, { kind: "create_record", record: empty }, { kind: "create" });',
    `const born = claim(
    emptyRecord(d.config.identity),
    { ...d.config, number: null, grant: d.grant, ttlSeconds: d.config.ttlMs / 1000, waitedSeconds: 0 },
    { tickets: [] },
    "0",
    at(d),
  );
  if (typeof born === "string") return;
  ask(d, { kind: "create_record", record: born }, { kind: "create" });`,
    'import { claim } from "./rules.ts"; import { at } from "./draft.ts";',
  ],
  [
    "a list is used with a record read after it",
    "if (answer.record !== undefined || isCurrent(d, flight)) help(d, tickets);",
    "help(d, tickets);",
  ],
  [
    "a waiter does not answer calls",
    "  if (!called && !touched && !reordered) return false;",
    "  if (!touched && !reordered) return false;",
  ],
  [
    "a touched ticket loses its place",
    "  if (!called && !touched && !reordered) return false;",
    "  if (!called && !reordered) return false;",
  ],
  [
    "a ticket that is made again takes a new place",
    "    order_revision: d.place,\n    answered: 0,",
    "    order_revision: null,\n    answered: 0,",
  ],
  [
    "a deletion that failed does not keep the call open",
    "|| (answer.undeleted?.length ?? 0) > 0) {",
    ") {",
  ],
  [
    "one that tries once tries for ever where it does not fit",
    "const open = d.queueLength === 0 && claimRefusal(known.record, me, { tickets: [] }) === null;",
    'const open = me.grant !== "" && known.record.turn.length === 0 && hasRoom(known.record);',
    'import { hasRoom } from "./queue.ts";',
  ],
  [
    "the record is read before the ticket stands, not after",
    "    // Ticket first, then the record: no wake-up can be lost.\n    d.mustRead = true;",
    "",
  ],
]);

const HOLDING = bugs([
  [
    "the deadline counts from the receipt of an answer",
    "        acknowledge(d, flight.sentAt);",
    "        acknowledge(d, d.now);",
  ],
  [
    "a renewal found by reading counts from now",
    "acknowledge(d, hold.pending.firstSentAt);",
    "acknowledge(d, d.now);",
  ],
  [
    "work starts on a claim whose deadline is over",
    "if (d.now >= hold.ackedAt + ttl(d) * PART.warn) {",
    "if (d.now < hold.ackedAt) {",
  ],
  ["work is killed when the TTL ends", "kill: 5 / 6 };", "kill: 1 };"],
  ["work is told to stop too late", "stop: 2 / 3,", "stop: 3 / 4,"],
  ["nobody is warned", "warn: 1 / 2,", "warn: 2 / 3,"],
  [
    "a limit of the hold outlives the deadline",
    "const killAt = Math.min(last?.killAt ?? Infinity, silent(PART.kill));",
    "const killAt = last?.killAt ?? Infinity;",
  ],
  [
    "a hold in another record of the name is taken for one's own",
    "const mine = known !== null && known.stored.uid === hold.uid\n",
    "const mine = known !== null\n",
  ],
]);

const OTHERS = [
  ...bugs([
    [
      "one that gives up does not bar its claim",
      "  if (openClaim(d) !== null) return decideOpenClaim(d);\n",
      "",
    ],
    [
      "a leaver whose turn was named names nobody",
      "if (!known.record.turn.includes(d.grant)) return finish(d, result);",
      'if (known.stored.uid !== "") return finish(d, result);',
    ],
    [
      "a leaver keeps what it came to hold",
      '    enterHold(d, mine, d.now);\n    d.phase = "releasing";\n    return;',
      "    return finish(d, result);",
    ],
  ]),
  ...bugs([
    [
      "a holder is silent after half of its TTL",
      "seen.since + seen.ttlMs;",
      "seen.since + seen.ttlMs / 2;",
    ],
    [
      "a renewal does not begin the count again",
      "before !== undefined && before.renewals === holder.renewals",
      "before !== undefined",
    ],
  ]),
  ...bugs([
    [
      "a call is closed as soon as it is seen",
      "if (helper.now < seen.since + stands_seconds * 1000) return false;",
      "",
    ],
  ]),
  ...bugs([
    [
      "clocks that part are not noticed",
      "if (parted <= CLOCK_JUMP_MS) return;",
      "if (parted >= 0) return;",
    ],
    [
      "an answer from before a sleep is a sign of life",
      "const longAgo = (sentAt: number) => sentAt - ttlMs;",
      "const longAgo = (sentAt: number) => sentAt - ttlMs * 0;",
    ],
  ]),
  ...bugs([
    [
      "a waiter is dropped by its ticket alone",
      "        await store.replaceRecord(look.stored, encodeRecord(next));\n      }\n      // The record knows first",
      "        await Promise.resolve();\n      }\n      // The record knows first",
    ],
  ]),
  {
    name: "a late answer to a call overwrites a newer one",
    from:
      "    const present = demanded(this.readTicket(object, grant), base, `ticket ${grant} of ${object}`);",
    to: "    const present = this.readTicket(object, grant) ?? base;",
  },
];

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  ...RULES,
  ...KNOWING,
  ...WAITING,
  ...HOLDING,
  ...OTHERS,
  ...EXPIRY,
  ...BY_NUMBER,
];

/**
 * The file of the project in `root` that a mutant changes.
 *
 * Throws when its text does not stand in exactly one place: the code has moved on, and the mutant has to follow.
 */
export function placeOf({ name, from }: Mutant, root: string): string {
  const lock = readdirSync(join(root, "lib/lock")).map((file) => join("lib/lock", file));
  const places = [...lock, "lib/store/memory_store.ts"].flatMap((file) =>
    readFileSync(join(root, file), "utf8").split(from).slice(1).map(() => file)
  );
  const [place, ...others] = places;
  if (place === undefined || others.length > 0) {
    throw new Error(`mutant "${name}": its text stands in ${places.length} places`);
  }
  return place;
}
