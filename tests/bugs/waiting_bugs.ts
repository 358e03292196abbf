/** Bugs on the way to the lock, and on the way out without it. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const WAITING: readonly Bug[] = [
  {
    name: "a claim found by reading counts from now",
    model: { scene: "two", faults: 2, only: ["slow answer", "pause"] },
    breaks: "exclusion",
    from: "const sentAt = d.claim?.firstSentAt ?? d.now - d.config.ttlMs;",
    to: "const sentAt = d.now;",
  },
  {
    name: "a claim sent again counts from its last sending",
    model: { scene: "two", faults: 2, only: ["slow", "pause"] },
    breaks: "exclusion",
    from: "d.claim = { ...sent, sendings: sent.sendings + 1 };",
    to: "d.claim = { ...sent, sendings: sent.sendings + 1, firstSentAt: d.now };",
  },
  {
    name: "a claim found nowhere keeps its grant",
    model: { scene: "two", faults: 1 },
    breaks: "no stuck lock",
    from: 'makeAgain(d, "its claim came to nothing");',
    to: "d.claim = null;",
  },
  {
    name: "one that was dropped comes back",
    model: { scene: "two", faults: 1 },
    breaks: "people",
    from: 'if (past?.outcome === "broken") {',
    to: 'if (past?.outcome === "broken" && past.by === "nobody") {',
  },
  {
    name: "a new record is claimed as soon as somebody else made it",
    breaks: "exclusion",
    from: "  if (embargoed(d)) return tryNoMore(d);\n  if (known.record.turn",
    to: "  if (known.record.turn",
  },
  {
    name: "a record is created with its holder in it",
    breaks: "exclusion",
    from: 'return ask(d, { kind: "create_record", record: empty }, { kind: "create" });',
    to: `const born = claim(
    emptyRecord(d.config.identity),
    { ...d.config, number: null, grant: d.grant, ttlSeconds: d.config.ttlMs / 1000, waitedSeconds: 0 },
    { tickets: [] },
    "0",
    at(d),
  );
  if (typeof born === "string") return;
  return ask(d, { kind: "create_record", record: born }, { kind: "create" });`,
    imports: 'import { claim } from "./rules.ts"; import { at } from "./draft.ts";',
  },
  {
    name: "a list is used with a record read after it",
    breaks: "fairness",
    from: "if (answer.record !== undefined || isCurrent(d, flight)) help(d, tickets);",
    to: "help(d, tickets);",
  },
  {
    name: "a waiter does not answer calls",
    model: { scene: "two", faults: 1 },
    breaks: "fairness",
    from: "  if (!called && !touched && !reordered) return false;",
    to: "  if (!touched && !reordered) return false;",
  },
  {
    name: "a touched ticket loses its place",
    breaks: "fairness",
    from: "  if (!called && !touched && !reordered) return false;",
    to: "  if (!called && !reordered) return false;",
  },
  {
    name: "a ticket that is made again takes a new place",
    breaks: "fairness",
    from: "    order_revision: d.place,\n    answered: 0,",
    to: "    order_revision: null,\n    answered: 0,",
  },
  {
    name: "a deletion that failed does not keep the call open",
    breaks: "no stuck lock",
    from: "|| (answer.undeleted?.length ?? 0) > 0) {",
    to: ") {",
  },
  {
    name: "one that tries once tries for ever where it does not fit",
    model: { scene: "one tries once", faults: 1 },
    breaks: "no stuck lock",
    from:
      "const open = d.queueLength === 0 && claimRefusal(known.record, me, { tickets: [] }) === null;",
    to: 'const open = me.grant !== "" && known.record.turn.length === 0 && hasRoom(known.record);',
    imports: 'import { hasRoom } from "./queue.ts";',
  },
  {
    name: "the record is read before the ticket stands, not after",
    breaks: "no stuck lock",
    from: "    // Ticket first, then the record: no wake-up can be lost.\n    d.mustRead = true;",
    to: "",
  },
  {
    name: "one that gives up does not bar its claim",
    model: { scene: "two", faults: 2, only: ["late", "signal"] },
    breaks: "exclusion",
    from: "  if (openClaim(d) !== null) return decideOpenClaim(d);\n",
    to: "",
  },
  {
    name: "a leaver whose turn was named names nobody",
    breaks: "no stuck lock",
    from: "if (!known.record.turn.includes(d.grant)) return finish(d, result);",
    to: 'if (known.stored.uid !== "") return finish(d, result);',
  },
  {
    name: "a leaver keeps what it came to hold",
    model: { scene: "two", faults: 2, only: ["unanswered", "signal"] },
    breaks: "exclusion",
    from: `    enterHold(d, mine, d.now);
    d.phase = "releasing";
    return;`,
    to: "    return finish(d, result);",
  },
  {
    name: "a waiter is dropped by its ticket alone",
    breaks: "people",
    from:
      "        await store.replaceRecord(look.stored, encodeRecord(next));\n      }\n      // The record knows first",
    to: "        await Promise.resolve();\n      }\n      // The record knows first",
  },
  {
    name: "a late answer to a call overwrites a newer one",
    breaks: "fairness",
    from:
      "    const present = demanded(this.readTicket(object, grant), base, `ticket ${grant} of ${object}`);",
    to: "    const present = this.readTicket(object, grant) ?? base;",
  },

  {
    name: "a claim without an answer counts as not made",
    breaks: "idempotence",
    from: 'const applied = failure.kind === "unknown" || (d.claim.sendings > 1 && d.claim.open);',
    to: 'const applied = failure.kind === "exists";',
  },
  {
    name: "a claim is sent again while nobody may claim",
    breaks: "exclusion",
    from: "    if (embargoed(d)) return true;\n    d.claim",
    to: "    d.claim",
  },
  {
    name: "the silent are deleted whatever they have answered since",
    breaks: "fairness",
    from: "      uid,\n      revision,\n    }));",
    to: "      uid,\n    }));",
  },
  {
    name: "one that is called may close the call before it has answered",
    breaks: "fairness",
    from:
      "return !grants.includes(helper.grant) || mine === undefined || mine.ticket.answered === number;",
    to: "return true;",
    also: [{
      from:
        "? unanswered(record, tickets, stale).filter(({ ticket }) => ticket.grant !== helper.grant)",
      to: "? unanswered(record, tickets, stale)",
    }],
  },
  {
    name: "a ticket that was found nowhere is forgotten",
    breaks: "no stuck lock",
    from: "if (d.ticket === null) d.strays = [...d.strays, d.grant];\n  else",
    to: "if (d.ticket !== null)",
  },
  {
    name: "one that gives up leaves its ticket",
    model: { scene: "one waits 4 s", faults: 1 },
    breaks: "no stuck lock",
    from:
      "  if (d.ticket !== null) {\n    const { grant, uid } = d.ticket.stored;\n    return ask(",
    to:
      '  if (d.ticket !== null && d.grant === "") {\n    const { grant, uid } = d.ticket.stored;\n    return ask(',
  },
];
