/** What may go wrong in a state, and what people may do to it. */
import type { Answer, Failure } from "../../lib/lock/driver.ts";
import { parseTicket } from "../../lib/lock/record.ts";
import { readTickets } from "../../lib/lock/queue.ts";
import type { Queued } from "../../lib/lock/queue.ts";
import { bar, breakHolder, remove } from "../../lib/lock/rules.ts";
import { deleteRecord } from "./store.ts";
import { isAwaited, isRead } from "./turn.ts";
import type { Turn } from "./turn.ts";
import { carried, NO_ANSWER, partsLeft } from "./wire.ts";
import { recordIn } from "./world.ts";
import type { FaultKind, Message, World } from "./world.ts";

/** One thing that goes wrong. `index` is a place on the wire, a client, or a ticket or holder in its list. */
export interface Fault {
  readonly kind: "fault";
  readonly fault: FaultKind;
  readonly index: number;
}

/** Everything that may go wrong in this state. */
export function faultsIn(world: World): Fault[] {
  const faults: Fault[] = [];
  const may = (fault: FaultKind, index: number) => {
    if (world.scene.faults.has(fault)) faults.push({ kind: "fault", fault, index });
  };
  world.wire.forEach((message, at) => {
    if (message.kind !== "request" || message.pace !== "fast") return;
    if (!isAwaited(world.actors[message.owner], message.id)) return;
    may("late", at);
    may("throttled", at);
    const last = partsLeft(message).length === 1 && (message.part !== null || !isTwo(message));
    if (last) may("slow answer", at);
    if (isRead(message.request)) return;
    may("slow", at);
    may("unanswered", at);
    may("twice", at);
  });
  world.actors.forEach(({ state, life, watch }, who) => {
    if (state === null || life !== "alive") return;
    if (watch !== null) may("watch ends", who);
    if ((watch?.news.length ?? 0) > 0) may("late event", who);
    if (state.phase === "over") return;
    may("crash", who);
    may("pause", who);
    const idle = state.phase === "holding" && state.hold?.work === "none";
    if (idle || ["arriving", "trying", "waiting"].includes(state.phase)) may("signal", who);
  });
  peoplesActs(world, may);
  return faults;
}

function isTwo({ request }: Extract<Message, { kind: "request" }>): boolean {
  return request.kind === "look" || request.kind === "survey";
}

function peoplesActs(world: World, may: (fault: FaultKind, index: number) => void): void {
  const { record: stored, tickets } = world.store;
  const record = stored === null ? null : recordIn(stored.text);
  tickets.forEach(({ grant }, index) => {
    may("ticket deleted", index);
    may("ticket touched", index);
    const holds = record?.holders.some((holder) => holder.grant === grant);
    if (record !== null && !holds) may("dropped", index);
  });
  if (record === null) return;
  may("record deleted", 0);
  record.holders.forEach(({ state }, index) => {
    if (state === "held") may("broken", index);
    may("broken now", index);
  });
}

/** Lets it go wrong. */
export function go(turn: Turn, { fault, index }: Fault): void {
  switch (fault) {
    case "crash":
      return turn.change(index, { life: "dead", watch: null, untold: false, stood: [] });
    case "pause":
      return turn.change(index, { life: "paused" });
    case "signal":
      return turn.step(index, { kind: "give_up" });
    case "watch ends": {
      const { watch } = turn.actor(index);
      turn.change(index, { watch: null });
      if (watch === null) return;
      return turn.step(index, { kind: "watch_ended", id: watch.id, failure: null });
    }
    case "late event": {
      const { watch } = turn.actor(index);
      const [record, ...news] = watch?.news ?? [];
      if (watch === null || record === undefined) return;
      turn.change(index, { watch: { ...watch, news } });
      turn.wire.push({ kind: "event", owner: index, id: watch.id, record });
      return;
    }
    case "record deleted":
      return turn.write(deleteRecord(turn.store));
    case "ticket deleted":
    case "ticket touched":
    case "dropped":
      return onTicket(turn, fault, index);
    case "broken":
    case "broken now":
      return breakLock(turn, fault, index);
    default: {
      const message = turn.wire[index];
      if (message?.kind === "request") onRequest(turn, fault, message);
    }
  }
}

type RequestMessage = Extract<Message, { kind: "request" }>;

function onRequest(turn: Turn, fault: FaultKind, message: RequestMessage): void {
  const { owner, id, until, request } = message;
  const become = (...others: Message[]) => {
    turn.wire = turn.wire.flatMap((one) => one === message ? others : [one]);
  };
  const orphan: Message = { ...message, pace: "orphan", until: 0 };
  const answer = (what: Answer) => turn.step(owner, { kind: "answer", id, answer: what });
  switch (fault) {
    case "late":
      become(...isRead(request) ? [] : [orphan]);
      return answer(failedAnswer(message, NO_ANSWER));
    case "slow":
      return become({ ...message, pace: "slow" });
    case "throttled": {
      become();
      const failure = { kind: "throttled", message: "429", retryAfterMs: 1000 } as const;
      return answer(failedAnswer(message, failure));
    }
  }
  const brought = carried(turn, message, partsLeft(message)[0] ?? null);
  if (brought === null) return;
  switch (fault) {
    case "unanswered":
      become();
      return answer(failedAnswer(message, NO_ANSWER));
    case "slow answer":
      return become({ kind: "answer", owner, id, answer: brought, until });
    case "twice":
      become(orphan);
      return answer(brought);
  }
}

/** How it looks to its sender that a request failed. Deletions tell which of them have no result. */
function failedAnswer({ request }: RequestMessage, failure: Failure): Answer {
  return request.kind === "delete_tickets"
    ? { undeleted: request.tickets.map(({ grant }) => grant), hindered: failure }
    : { failure };
}

function onTicket(turn: Turn, fault: FaultKind, index: number): void {
  const { tickets, record: stored } = turn.store;
  const ticket = tickets[index];
  if (ticket === undefined) return;
  if (fault === "ticket touched") {
    const touched = parseTicket(ticket.text);
    const next = { ...touched, extra: { ...touched.extra, note: turn.store.revision } };
    turn.execute({ kind: "patch_ticket", base: ticket, ticket: next });
    return;
  }
  if (fault === "dropped" && stored !== null) {
    const { holder, link, mode, grant } = parseTicket(ticket.text);
    const waiter = { grant, holder, link, mode, waitedSeconds: 0, number: null };
    const ending = { outcome: "broken", by: "person", reason: "", at: "" } as const;
    const others = queue(turn).filter((one) => one.ticket.grant !== grant);
    // The record knows before the ticket goes.
    const next = bar(recordIn(stored.text), waiter, others, ending);
    turn.execute({ kind: "replace", base: stored, next });
    noteDropped(turn, grant);
  }
  turn.execute({ kind: "delete_tickets", tickets: [{ grant: ticket.grant, uid: ticket.uid }] });
}

function noteDropped(turn: Turn, grant: string): void {
  const who = turn.actors.findIndex(({ state }) => state?.grant === grant && state.hold === null);
  if (who >= 0) turn.past = { ...turn.past, dropped: [...turn.past.dropped, who] };
}

function breakLock(turn: Turn, fault: FaultKind, index: number): void {
  const { record: stored } = turn.store;
  const record = stored === null ? null : recordIn(stored.text);
  const grant = record?.holders[index]?.grant;
  if (stored === null || record === null || grant === undefined) return;
  const ending = { outcome: "broken", by: "person", reason: "", at: "" } as const;
  const next = fault === "broken now"
    ? remove(record, grant, queue(turn), ending)
    : breakHolder(record, grant, "person", "");
  if (typeof next === "string") return;
  if (fault === "broken now") {
    turn.past = { ...turn.past, brokenNow: [...turn.past.brokenNow, grant] };
  }
  turn.execute({ kind: "replace", base: stored, next });
}

function queue(turn: Turn): Queued[] {
  return readTickets(turn.store.tickets).tickets;
}
