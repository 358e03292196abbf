/**
 * Bugs thought up from docs/protocol.md and the code by somebody who had not seen the tests. `file` says where, as some are outside of what
 * simulation and model run.
 */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const STRANGERS: readonly Bug[] = [
  {
    name:
      "a waiter that answers a roll call writes its old place only with a second patch: until that has succeeded it looks like the youngest of all",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/wait.ts",
    from: "    order_revision: d.place,\n    answered: called ? call.number : ticket.answered,",
    to:
      "    order_revision: touched ? d.place : ticket.order_revision,\n    answered: called ? call.number : ticket.answered,",
  },
  {
    name: "hasRoom has forgotten that shared holders do not fill places",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/queue.ts",
    from: '  if (taken.includes("shared")) return record.turn.length === 0;\n',
    to: "",
  },
  {
    name:
      "arrival lists tickets 'lately' instead of 'now', so a newcomer that looks a second time may miss a ticket that stands",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/lock.ts",
    from: "        store.readRecord(signal),\n        store.listTickets(signal),",
    to: '        store.readRecord(signal),\n        store.listTickets(signal, "lately"),',
  },
  {
    name:
      "what a list was for no longer includes the freeze: a lock that is thawed is not looked at by one that settled while it was frozen",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/help.ts",
    from:
      "  const { holders, turn, capacity, freeze, next_build } = record;\n  const held = holders.map(({ grant, mode }) => [grant, mode]);\n  return JSON.stringify([held, turn, capacity, freeze, next_build]);",
    to:
      "  const { holders, turn, capacity, next_build } = record;\n  const held = holders.map(({ grant, mode }) => [grant, mode]);\n  return JSON.stringify([held, turn, capacity, next_build]);",
  },
  {
    name: "a waiter answers only calls with a number greater than the last one it answered",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/wait.ts",
    from: "    ticket.answered !== call.number;",
    to: "    ticket.answered < call.number;",
  },
  {
    name: "a ticket that changed between list and deletion counts as deleted",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/lock.ts",
    from: '        if (error.kind === "missing") continue;',
    to: '        if (error.kind === "missing" || error.kind === "conflict") continue;',
  },
  {
    name: "the short counts of turns and of the call go on through an outage",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/observer.ts",
    from: "  return see({ ...NOTHING_SEEN, holders }, record, now);",
    to: "  return see({ ...sight, holders }, record, now);",
  },
  {
    name: "ages are counted from when the read was sent, not from when its answer came",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/learn.ts",
    from: "    : see(d.sight, record, d.now);",
    to: "    : see(d.sight, record, sentAt);",
  },
  {
    name: "a count of renewals that went back is no sign of life",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/observer.ts",
    from: "const stoodStill = before?.renewals === renewals && before.renewedAt === renewedAt;",
    to: "const stoodStill = before !== undefined && before.renewals >= renewals;",
  },
  {
    name: "a renewal that is sent again counts from its last sending",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/hold.ts",
    from: "    ? hold.pending\n    : { renewals, at",
    to: "    ? { ...hold.pending, firstSentAt: d.now }\n    : { renewals, at",
  },
  {
    name: "when the clocks part, a renewal whose answer is still missing keeps its time of sending",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/step.ts",
    from:
      "    renewAt: Math.min(hold.renewAt, d.now),\n    pending: hold.pending === null\n      ? null\n      : { ...hold.pending, firstSentAt: longAgo(hold.pending.firstSentAt) },",
    to: "    renewAt: Math.min(hold.renewAt, d.now),",
  },
  {
    name: "a hold that is found ended in any way while it is given back is told as given back",
    breaks: "people",
    stranger: true,
    file: "lib/lock/give_back.ts",
    from: '  const own = past?.outcome === "released" || past?.outcome === "gave_up";',
    to: "  const own = past !== undefined;",
  },
  {
    name: "withdrawing a grant that neither holds nor has a ticket writes nothing",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/people.ts",
    from: "if (record === null || pastOf(record, grant) !== undefined) {",
    to:
      "if (\n    record === null || pastOf(record, grant) !== undefined ||\n    (holderOf(record, grant) === undefined && ticket === undefined)\n  ) {",
  },
  {
    name: "acquire does not look again for a signal or a release once its renewer is up",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/cli/acquire.ts",
    from: "      this.#demandWanted();\n      this.#held = state;",
    to: "      this.#held = state;",
  },
  {
    name: "the renewer takes any process with the pid of --watch-pid for the one that it watches",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/cli/renewer_main.ts",
    from: "processAlive(pid, watchStarted) },",
    to: "processAlive(pid, null) },",
  },
  {
    name: "a record whose revision went back is never believed",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/learn.ts",
    from:
      '  sentAt: number,\n): boolean {\n  const before = d.known;\n  if (stored === null) return learnMissing(d);\n  const sameObject = before?.stored?.uid === stored.uid;\n  if (before?.stored && sameObject) {\n    const older = compareRevisions(stored.revision, before.stored.revision) < 0;\n    if (older && (source !== "read" || before.at > sentAt)) return false;\n  }',
    to:
      "  _sentAt: number,\n): boolean {\n  const before = d.known;\n  if (stored === null) return learnMissing(d);\n  const sameObject = before?.stored?.uid === stored.uid;\n  if (before?.stored && sameObject) {\n    const older = compareRevisions(stored.revision, before.stored.revision) < 0;\n    if (older) return false;\n  }",
  },
  {
    name: "a new grant begins with a clean count of lost claims",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/draft.ts",
    from: "  d.claim = null;\n  d.mustReadTicket = false;\n  d.ticketGone = false;",
    to:
      "  d.claim = null;\n  d.claimsLost = 0;\n  d.mustReadTicket = false;\n  d.ticketGone = false;",
  },
  {
    name: "a holder's policy is heeded also after a person broke it",
    breaks: "no stuck lock",
    stranger: true,
    file: "lib/lock/expiry.ts",
    from: '  if (holder.state !== "held") return { kind: "at", at: silent, why: "" };',
    to: '  if (holder.state === "cooling") return { kind: "at", at: silent, why: "" };',
  },
  {
    name:
      "In version 3's form a hold's end moves the number on only when it is still exactly its own",
    breaks: "order by number",
    stranger: true,
    file: "lib/lock/sequential.ts",
    from: "record.holders.length === 0 && record.next_build <= done;",
    to: "record.holders.length === 0 && record.next_build === done;",
  },
  {
    name: "only a command that was killed is waited for, not one that was told to stop and ended",
    breaks: "exclusion",
    stranger: true,
    file: "lib/cli/work.ts",
    from: "    if (this.#stopping !== null) await this.#reap();",
    to: '    if (this.#stopping === "kill") await this.#reap();',
  },
  {
    name: "a second sending of a claim that is turned away makes the first one forgotten",
    breaks: "idempotence",
    stranger: true,
    file: "lib/lock/wait.ts",
    from:
      '    const applied = failure.kind === "unknown" || (d.claim.sendings > 1 && d.claim.open);\n    d.claim = { ...d.claim, open: applied || d.claim.open };',
    to: '    d.claim = { ...d.claim, open: failure.kind === "unknown" };',
  },
  {
    name: "a failed write counts as an outage only since the last read",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/draft.ts",
    from: '  const since = what === "write" ? d.startedAt : d.known?.at ?? d.startedAt;',
    to: '  const since = d.known?.at ?? (what === "write" ? d.startedAt : d.now);',
  },
  {
    name: "a ticket found gone is made again before the record is read",
    breaks: "people",
    stranger: true,
    file: "lib/lock/wait.ts",
    from: "  d.ticketGone = true;\n  d.mustRead = true;",
    to: "  replaceTicket(d);\n  d.mustRead = true;",
  },
  {
    name:
      "after the deletion of a record one waits for one's own TTL, not for that of the holder that was seen",
    breaks: "exclusion",
    stranger: true,
    file: "lib/lock/learn.ts",
    from: "    d.embargoUntil = Math.max(d.embargoUntil ?? 0, d.now + d.seenTtlMs);",
    to: "    d.embargoUntil = Math.max(d.embargoUntil ?? 0, d.now + d.config.ttlMs);",
  },
  {
    name: "an answer to the roll call does not protect a turn that was named while the call stood",
    breaks: "fairness",
    stranger: true,
    file: "lib/lock/mend.ts",
    from: "  const timeout = TURN_PATIENCE_MS + record.roll_call.stands_seconds * 1000;",
    to: "  const timeout = TURN_PATIENCE_MS;",
  },
];
