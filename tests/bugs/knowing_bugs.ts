/** Bugs in what a client takes in, and how long that counts. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const KNOWING: readonly Bug[] = [
  {
    name: "a grant is used again",
    model: { scene: "two", faults: 1 },
    breaks: "no stuck lock",
    from: "  d.grants++;\n",
    to: "",
  },
  {
    name: "counts go on after an outage",
    breaks: "exclusion",
    from: "const lostMs = d.now - d.unheardSince;",
    to: "const lostMs = 0;",
  },
  {
    name: "a holder's count begins anew with each failure",
    breaks: "no stuck lock",
    from: "const lostMs = d.now - d.unheardSince;",
    to: "const lostMs = d.now;",
  },
  {
    name: "that nothing can be written is no outage",
    breaks: "exclusion",
    from: 'const since = what === "write" ? d.startedAt : d.known?.at ?? d.startedAt;',
    to: "const since = d.known?.at ?? d.startedAt;",
  },
  {
    name: "an old event is believed",
    breaks: "exclusion",
    from: 'if (older && (source !== "read" || before.at > sentAt)) return false;',
    to: "if (older && before.at > sentAt) return false;",
  },
  {
    name: "nobody waits after the deletion of a record",
    model: { scene: "two", faults: 1 },
    breaks: "exclusion",
    from: "d.embargoUntil = Math.max(d.embargoUntil ?? 0, d.now + d.seenTtlMs);",
    to: "",
  },
  {
    name: "an event of another object is believed",
    breaks: "exclusion",
    from: 'if (source === "event" && before !== null && !sameObject) {',
    to: "if (before === undefined) {",
  },
  {
    name: "a waiter that was passed over does not look after its ticket",
    breaks: "fairness",
    from:
      "if (d.ticket !== null && (afterOutage || mayBePassedOver(d, before?.record ?? null, record))) {",
    to: "if (d.ticket !== null && afterOutage && before === undefined) {",
  },
  {
    name: "nobody asks whether one that keeps others from what is free is alive",
    breaks: "no stuck lock",
    from: "const stuck = next.turn.length === 0 && idleDue(record, helper);",
    to: "const stuck = next.turn.length < 0 && idleDue(record, helper);",
  },
  {
    name: "a holder is silent after half of its TTL",
    model: { scene: "two", faults: 1 },
    breaks: "exclusion",
    from: "seen.since + seen.ttlMs;",
    to: "seen.since + seen.ttlMs / 2;",
  },
  {
    name: "a renewal does not begin the count again",
    model: { scene: "two", faults: 1 },
    breaks: "exclusion",
    from: "const stoodStill = before?.renewals === renewals && before.renewedAt === renewedAt;",
    to: "const stoodStill = before !== undefined;",
  },
  {
    name: "a call is closed as soon as it is seen",
    breaks: "fairness",
    from: "if (helper.now < seen.since + stands_seconds * 1000) return false;",
    to: "",
  },
  {
    name: "clocks that part are not noticed",
    breaks: "exclusion",
    from: "if (parted <= CLOCK_JUMP_MS) return;",
    to: "if (parted >= 0) return;",
  },
  {
    name: "an answer from before a sleep is a sign of life",
    breaks: "exclusion",
    from: "const longAgo = (sentAt: number) => sentAt - ttlMs;",
    to: "const longAgo = (sentAt: number) => sentAt - ttlMs * 0;",
  },

  {
    name: "a record that was made anew is taken for the one before",
    breaks: "exclusion",
    from: "const sameObject = before?.stored?.uid === stored.uid;",
    to: "const sameObject = before?.stored?.uid !== undefined;",
  },
  {
    name: "one that saw the record only while nobody held does not wait after its deletion",
    breaks: "exclusion",
    from: "if (record.last_token > 0) d.seenTtlMs = Math.max(d.seenTtlMs, d.config.ttlMs);",
    to: "",
  },
  {
    name: "every holder's TTL is taken for the shortest",
    breaks: "exclusion",
    from: "const ttlMs = holder.ttl_seconds * 1000;",
    to: "const ttlMs = Math.min(6, holder.ttl_seconds) * 1000;",
  },

  {
    name: "a watch event is taken for a read",
    breaks: "exclusion",
    from: 'else if (learn(d, what.record, "event", d.now)) {\n        examineHold(d, "event");',
    to: 'else if (learn(d, what.record, "read", d.now)) {\n        examineHold(d, "read");',
  },
];
