/** Bugs in holding. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const HOLDING: readonly Bug[] = [
  {
    name: "the deadline counts from the receipt of an answer",
    model: { scene: "one clock is faster", faults: 2, only: ["slow answer", "pause"] },
    breaks: "exclusion",
    from: "        acknowledge(d, flight.sentAt);",
    to: "        acknowledge(d, d.now);",
  },
  {
    name: "a renewal found by reading counts from now",
    model: { scene: "one clock is faster", faults: 2, only: ["unanswered", "pause"] },
    breaks: "exclusion",
    from: "acknowledge(d, pending.firstSentAt);",
    to: "acknowledge(d, d.now);",
  },
  {
    name: "work starts on a claim whose deadline is over",
    model: { scene: "two", faults: 1 },
    breaks: "exclusion",
    from: "if (d.now >= hold.ackedAt + ttl(d) * PART.warn) {",
    to: "if (d.now < hold.ackedAt) {",
  },
  {
    name: "work is killed when the TTL ends",
    model: { scene: "one clock is faster", faults: 1, only: ["pause"] },
    breaks: "exclusion",
    from: "kill: 5 / 6 };",
    to: "kill: 1 };",
  },
  {
    name: "work is told to stop too late",
    breaks: "exclusion",
    from: "stop: 2 / 3,",
    to: "stop: 3 / 4,",
  },
  {
    name: "nobody is warned",
    breaks: "people",
    from: "warn: 1 / 2,",
    to: "warn: 2 / 3,",
  },
  {
    name: "a limit of the hold outlives the deadline",
    breaks: "exclusion",
    from: "const killAt = Math.min(last?.killAt ?? Infinity, silent(PART.kill));",
    to: "const killAt = last?.killAt ?? Infinity;",
  },
  {
    name: "a hold in another record of the name is taken for one's own",
    breaks: "exclusion",
    from: "const mine = known !== null && known.stored.uid === hold.uid\n",
    to: "const mine = known !== null\n",
  },

  {
    name: "whoever gives back takes off whoever holds",
    breaks: "exclusion",
    from: ": holderOf(known.record, d.grant);\n  if (mine === undefined && !mayHandOn(d))",
    to: ": known.record.holders[0];\n  if (mine === undefined && !mayHandOn(d))",
    also: [{
      from: "release(known.record, d.grant, tickets, at(d))",
      to: 'release(known.record, known.record.holders[0]?.grant ?? "", tickets, at(d))',
    }],
  },
  {
    name: "a lost lock is given back while its work still runs",
    breaks: "exclusion",
    from: 'if (hold.work !== "over" && !unbegun) return false;',
    to: 'if (hold.work !== "over" && !unbegun && hold.lost === null) return false;',
  },
  {
    name: "a holder's ticket stays",
    breaks: "no stuck lock",
    from:
      "    d.leftovers = [...d.leftovers, { grant, uid }];\n    d.ticket = null;\n  }\n  d.phase",
    to: "    d.ticket = null;\n  }\n  d.phase",
  },

  {
    name: "a renewal without an answer counts as made, and nothing is read",
    breaks: "idempotence",
    from: "  noteFailure(d, failure);\n  const soon",
    to:
      '  if (purpose.kind === "renew" && failure.kind === "unknown") return acknowledge(d, flight.sentAt);\n  noteFailure(d, failure);\n  const soon',
  },
];
