/** Bugs in the rules: the pure functions from one record to the next. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const RULES: readonly Bug[] = [
  {
    name: "a claim ends the roll call",
    breaks: "no stuck lock",
    from: "roll_call: { ...record.roll_call, calls: 0 },",
    to: "roll_call: { ...callOver(record), calls: 0 },",
    imports: 'import { callOver } from "./queue.ts";',
  },
  {
    name: "a later one that fits overtakes",
    model: { scene: "two readers and a writer", faults: 0 },
    breaks: "fairness",
    from: "if (!fitsBeside(taken, ticket.mode, record.capacity)) break;",
    to: "if (!fitsBeside(taken, ticket.mode, record.capacity)) continue;",
  },
  {
    name: "an answer protects one that cannot claim",
    breaks: "no stuck lock",
    from: "(record.turn.includes(ticket.grant) && stale.includes(ticket.grant))",
    to: "(stale.length < 0 && stale.includes(ticket.grant))",
  },
  {
    name: "a call names one waiter only",
    breaks: "no stuck lock",
    from: "export const CALL_SIZE = 128;",
    to: "export const CALL_SIZE = 1;",
  },
  {
    name: "a release does not settle",
    breaks: "no stuck lock",
    from:
      "  return handOn(remembered, gone.run_number, tickets);\n}\n\n/** The record after `grant` gave",
    to: "  return remembered;\n}\n\n/** The record after `grant` gave",
  },
  {
    name: "a claim past the queue does not look at the queue",
    model: { scene: "three", faults: 0 },
    breaks: "fairness",
    from: "if (record.turn.length > 0 || waiting(record, way.tickets).length > 0) return",
    to: "if (record.turn.length > 0) return",
  },
  {
    name: "tokens come from the record alone",
    model: { scene: "two", faults: 1 },
    breaks: "fencing",
    from: "return Number(next > fromRevision ? next : fromRevision);",
    to: "return Number(fromRevision > 0n ? next : fromRevision);",
  },
  {
    name: "a turn that stands is not left",
    model: { scene: "three, one goes before", faults: 0 },
    breaks: "fairness",
    from: "const named = new Set(record.turn);",
    to: "const named = new Set<string>();",
  },
  {
    name: "a writer fits beside readers",
    model: { scene: "a reader and a writer", faults: 1 },
    breaks: "exclusion",
    from: "return exclusive === taken.length && exclusive < capacity;",
    to: "return exclusive < capacity;",
  },
  {
    name: "a spent ticket waits",
    model: { scene: "two", faults: 1 },
    breaks: "no stuck lock",
    from: "for (const past of record.history) spent.add(past.grant);",
    to: "",
  },
  {
    name: "a broken entry can be renewed",
    breaks: "exclusion",
    from: 'if (mine.state !== "held") return "broken";',
    to: "",
  },
  {
    name: "every call stands for 3 s",
    breaks: "no stuck lock",
    from: "Math.min(CALL_STANDS_AT_MOST_SECONDS, CALL_STANDS_SECONDS * 2 ** Math.min(calls, 8)),",
    to: "CALL_STANDS_SECONDS,",
  },
  {
    name: "revisions are compared without the place kept",
    breaks: "fairness",
    from: "return queued.ticket.order_revision ?? queued.revision;",
    to: "return queued.revision;",
  },

  {
    name: "a token is used again",
    model: { scene: "two", faults: 1 },
    breaks: "fencing",
    from: "const next = BigInt(record.last_token) + 1n;",
    to: "const next = BigInt(record.last_token);",
    also: [{
      from: "return Number(next > fromRevision ? next : fromRevision);",
      to: "return Number(next > 0n ? next : fromRevision);",
    }],
  },
  {
    name: "two exclusive holders have one slot",
    model: { scene: "room for two", faults: 0 },
    breaks: "exclusion",
    from: "while (filled.has(slot)) slot++;",
    to: "while (filled.has(slot + 1)) slot++;",
  },
  {
    name: "what a person breaks in good order is free at once",
    breaks: "exclusion",
    from: 'if (mine.state === "broken") return "broken";',
    to:
      'if (mine.state === "broken") return "broken";\n  const ending = { outcome: "broken", by, reason, at: "" } as const;\n  if (grant !== "") return end(record, grant, [], ending);',
  },
  {
    name: "a freeze stops nobody",
    breaks: "people",
    from: 'if (record.freeze !== null) return "frozen";',
    to: "",
  },
];
