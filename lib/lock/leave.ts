/** Giving up: nothing of this client stays behind that somebody would have to wait for. */
import type { Answer, Flight } from "./driver.ts";
import {
  ask,
  at,
  backOff,
  backOffConflict,
  clearAway,
  due,
  finish,
  noteFailure,
  openClaim,
  record as knownRecord,
} from "./draft.ts";
import { learn, learnTicket, learnTickets } from "./learn.ts";
import type { Draft } from "./draft.ts";
import { enterHold } from "./hold.ts";
import { bar } from "./rules.ts";
import { holderOf, isSpent, pastOf } from "./queue.ts";
import type { Queued } from "./queue.ts";
import { helpedOn, isV3 } from "./sequential.ts";

/** What to do next on the way out. */
export function decideLeaving(d: Draft): void {
  const result = d.result ?? { kind: "gave_up" };
  if (d.leaveUntil !== null && due(d, d.leaveUntil)) {
    if (d.ticket !== null) d.leftBehind = "its ticket may stay until the next roll call";
    if (d.flight?.purpose.kind === "claim" || openClaim(d) !== null) {
      d.leftBehind = "its claim may still come true and then blocks the lock for one TTL";
    }
    d.flight = null;
    return finish(d, result);
  }
  clearAway(d);
  if (d.flight !== null || !due(d, d.retryAt)) return;
  const involved = d.place !== null || d.claim !== null || d.mustReadTicket || owesNumber(d);
  if (!involved) return finish(d, result);
  if (openClaim(d) !== null) return decideOpenClaim(d);
  if (d.ticket === null && d.mustReadTicket) {
    return ask(d, { kind: "read_ticket", grant: d.grant }, { kind: "ticket_check" });
  }
  if (owesNumber(d)) {
    // Before the ticket goes: should this process die now, the ticket is seen to be dead, and the number is passed by that.
    return d.mustRead
      ? ask(d, { kind: "read" }, { kind: "read" })
      : ask(d, { kind: "survey" }, { kind: "bar" });
  }
  if (d.ticket !== null) {
    const { grant, uid } = d.ticket.stored;
    return ask(d, { kind: "delete_tickets", tickets: [{ grant, uid }] }, { kind: "leave" });
  }
  if (d.known === null || d.mustRead) return ask(d, { kind: "read" }, { kind: "read" });
  const known = knownRecord(d.known);
  if (known === null) return finish(d, result);
  const mine = holderOf(known.record, d.grant);
  if (mine !== undefined) {
    enterHold(d, mine, d.now);
    d.phase = "releasing";
    return;
  }
  if (!known.record.turn.includes(d.grant)) return finish(d, result);
  // My turn was named before my ticket went: whoever comes next is named by me.
  ask(d, { kind: "survey" }, { kind: "leave" });
}

/** True when others would wait for this client's number in vain, as far as is known: it has to be said that nobody comes with it. */
export function owesNumber(d: Draft): boolean {
  const known = knownRecord(d.known);
  const { orderKey } = d.config;
  return d.order === "sequential" && known !== null && orderKey !== null &&
    isV3(known.record) &&
    known.record.next_build <= orderKey && !isSpent(known.record, d.grant);
}

/** A claim without an answer: its end is found out, or it is barred by a write of mine that comes first. */
function decideOpenClaim(d: Draft): void {
  if (d.known === null || d.mustRead) return ask(d, { kind: "read" }, { kind: "read" });
  const sent = openClaim(d);
  const known = knownRecord(d.known);
  const ended = known === null || known.stored.uid !== sent?.base.uid ||
    known.stored.revision !== sent.base.revision || pastOf(known.record, d.grant) !== undefined;
  if (sent === null || ended) {
    d.claim = sent === null ? null : { ...sent, open: false };
    // It may have come true in what is known now: the record is looked at as ever.
    return decideLeaving(d);
  }
  ask(d, { kind: "survey" }, { kind: "bar" });
}

/** The answers to what was asked on the way out. */
export function answerLeaving(d: Draft, flight: Flight, answer: Answer): void {
  const { purpose } = flight;
  const failure = answer.failure;
  if (failure !== undefined) {
    const claim = purpose.kind === "claim" && d.claim !== null;
    if (claim && failure.kind === "unknown" && d.claim !== null) {
      d.claim = { ...d.claim, open: true };
    }
    if (purpose.kind === "ticket") d.mustReadTicket = true;
    if (failure.kind === "refused" || failure.kind === "unusable") {
      d.leftBehind = `not everything could be given back (${failure.message})`;
      return finish(d, d.result ?? { kind: "gave_up" });
    }
    d.mustRead = true;
    if (failure.kind === "unknown" || failure.kind === "throttled") noteFailure(d, failure);
    else backOffConflict(d);
    return;
  }
  if (answer.record !== undefined) {
    const wrote = ["claim", "mend", "renew", "create"].includes(purpose.kind);
    const learned = learn(d, answer.record, wrote ? "write" : "read", flight.sentAt);
    if (d.phase !== "giving_up" || !learned) return;
  }
  if (answer.ticket !== undefined) {
    d.mustReadTicket = false;
    if (answer.ticket !== null) learnTicket(d, answer.ticket);
    d.mustRead = true;
    return;
  }
  if (purpose.kind === "leave" && answer.undeleted !== undefined) {
    if (answer.undeleted.length === 0) d.ticket = null;
    else if (answer.hindered !== undefined) backOff(d, answer.hindered);
    else d.retryAt = d.now + 100;
    d.mustRead = true;
    return;
  }
  if (answer.tickets !== undefined) settleWithoutMe(d, purpose.kind, answer.tickets);
}

function settleWithoutMe(
  d: Draft,
  purpose: string,
  listed: NonNullable<Answer["tickets"]>,
): void {
  const tickets = learnTickets(d, listed);
  const known = knownRecord(d.known);
  if (tickets === null || known === null || d.phase !== "giving_up") return;
  const others: Queued[] = tickets.filter(({ ticket }) => ticket.grant !== d.grant);
  if (purpose !== "bar") {
    const next = helpedOn(known.record, others);
    return ask(d, { kind: "replace", base: known.stored, next }, {
      kind: "mend",
      spent: [],
      told: "",
    });
  }
  const sent = openClaim(d);
  const isDue = sent === null ? owesNumber(d) : sent.base.revision === known.stored.revision;
  if (!isDue) return;
  const me = {
    grant: d.grant,
    holder: d.config.holder,
    link: d.config.link,
    mode: d.config.mode,
    waitedSeconds: Math.round(d.now - d.startedAt) / 1000,
    number: d.config.orderKey,
  };
  const ending = { outcome: "gave_up", by: null, reason: null, at: at(d) } as const;
  const next = bar(known.record, me, others, ending);
  ask(d, { kind: "replace", base: known.stored, next }, { kind: "mend", spent: [], told: "" });
}
