/**
 * The key of a state: 64 bits of a form in which two states are alike when nothing that can happen later tells them apart.
 *
 * What the form leaves out or renames, and why nothing is lost by it, is said in the README of this folder.
 */
import type { Request } from "../../lib/lock/driver.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { Form } from "./form.ts";
import { putState } from "./key_state.ts";
import { WALL_MS } from "./turn.ts";
import type { Actor, Message, Part, Work, World } from "./world.ts";

/** Makes the keys of states. One is used for all of an exploration, one state after the other. */
export class Keys {
  /** The last key: two halves. */
  low = 0;
  high = 0;
  readonly #form = new Form();

  /** Makes the key of `world`. Where two clients differ in nothing but their names, those do not count. */
  of(world: World): void {
    const form = this.#form;
    this.low = this.high = Infinity;
    for (const order of orders(world)) {
      put(form, world, order);
      if (form.high > this.high || (form.high === this.high && form.low >= this.low)) continue;
      this.low = form.low;
      this.high = form.high;
    }
  }
}

/** The orders in which the clients may be put: where their names do not count, all that leave those apart that differ at a glance. */
function orders({ scene, actors, now }: World): readonly (readonly number[])[] {
  const names = [...actors.keys()];
  if (!scene.alike) return [names];
  const glances = actors.map(({ state, life, work }) =>
    `${state?.phase} ${life} ${work === null} ${state?.flight?.purpose.kind} ${
      (state?.wakeAt ?? 0) - now
    }`
  );
  return arranged(names.sort((a, b) => compare(glances[a], glances[b])), glances);
}

function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All arrangements of a sorted list, those that are the same at a glance in any order. */
function arranged(sorted: readonly number[], glances: readonly string[]): number[][] {
  if (sorted.length <= 1) return [[...sorted]];
  const [first] = sorted;
  const same = sorted.filter((one) => glances[one] === glances[first ?? 0]);
  return same.flatMap((one) =>
    arranged(sorted.filter((other) => other !== one), glances).map((rest) => [one, ...rest])
  );
}

/** Puts the state as it looks when its clients are told apart by their places in `order`. */
function put(form: Form, world: World, order: readonly number[]): void {
  form.begin(world.now);
  const { scene, actors, fresh, wire, store } = world;
  const late = actors.some(({ state }) => state === null) ? world.now : -1;
  form.put(Math.min(late, scene.arriveByMs));
  form.flag(fresh);
  form.stored(store.record);
  form.put(store.tickets.length);
  for (const ticket of store.tickets) form.ticket(ticket);
  for (const who of order) {
    const [one, part] = [actors[who], scene.parts[who]];
    if (one !== undefined && part !== undefined) putActor(form, one, part);
  }
  for (const one of wire) putMessage(form, one, actors, order);
  // Whether anybody looks at what the wall clock said.
  const wall = scene.parts.some(({ config }) => config.timeoutMs === 0);
  for (let i = 0; i < form.records.length; i++) putRecord(form, form.records[i]!, wall);
  putPast(form, world, order);
  for (let i = 0; i < form.records.length; i++) putHistory(form, form.records[i]!);
  form.end();
}

function putRecord(form: Form, record: LockRecord, wall: boolean): void {
  form.put(record.capacity);
  form.flag(record.freeze !== null);
  form.ranked(record.last_token);
  form.put(record.holders.length);
  for (const holder of record.holders) {
    const grant = form.grant(holder.grant);
    form.code(holder.mode);
    form.code(holder.state);
    form.put(holder.slot);
    form.ranked(holder.token);
    form.put(holder.ttl_seconds);
    form.count(holder.renewals, grant);
    if (wall) form.since(Date.parse(holder.renewed_at) - WALL_MS);
  }
  form.put(record.turn.length);
  for (const grant of record.turn) form.grant(grant);
  const { number, open, stands_seconds, calls, grants } = record.roll_call;
  form.put(number);
  form.flag(open);
  form.put(stands_seconds);
  form.put(calls);
  form.put(grants.length);
  for (const grant of grants) form.grant(grant);
}

/** Whoever is in the history and nowhere else is never asked about again. */
function putHistory(form: Form, { history }: LockRecord): void {
  for (const past of history) {
    const index = form.grants.indexOf(past.grant);
    if (index < 0) continue;
    form.put(index);
    form.code(past.outcome);
  }
  form.put(-3);
}

function putWork(form: Form, work: Work | null, workMs: number): void {
  if (work === null) return form.put(-1);
  form.grant(work.grant);
  form.ranked(work.token);
  form.uid(work.uid);
  form.put(work.slot);
  form.until(work.since + workMs);
  form.flag(work.since === form.now);
}

function putActor(
  form: Form,
  { state, life, work, untold, watch, stood }: Actor,
  part: Part,
): void {
  form.code(life);
  putWork(form, work, part.workMs);
  if (state === null) return form.put(-1);
  form.grant(state.grant);
  form.code(state.phase);
  const { now } = form;
  // The times in a state are of its client's own clock.
  form.now = now * part.rate;
  if (life === "dead") {
    // Its work goes on until its lifeline notices.
    if (work !== null && state.hold !== null) form.within(state.hold.ackedAt, part.config.ttlMs);
  } else putState(form, state, part);
  form.now = now;
  if (life === "dead") return;
  form.flag(untold);
  form.put(watch?.news.length ?? -1);
  for (const news of watch?.news ?? []) form.stored(news);
  form.put(stood.length);
  for (const { uid, place } of stood) {
    form.uid(uid);
    form.ranked(place);
  }
}

function putMessage(
  form: Form,
  message: Message,
  actors: readonly Actor[],
  order: readonly number[],
): void {
  const { owner, id } = message;
  const state = actors[owner]?.state;
  form.code(message.kind);
  form.put(order.indexOf(owner));
  if (message.kind === "event") return form.stored(message.record);
  form.put(state?.flight?.id === id ? 1 : state?.clearing?.id === id ? 2 : 0);
  form.until(message.until);
  if (message.kind === "answer") return putAnswer(form, message.answer);
  form.code(message.pace);
  if (message.part === null) form.put(-2);
  else putAnswer(form, message.part);
  putRequest(form, message.request);
}

function putAnswer(form: Form, { record, tickets, ticket, undeleted, failure }: Extract<
  Message,
  { kind: "answer" }
>["answer"]): void {
  form.code(failure?.kind);
  if (record !== undefined) form.stored(record);
  form.put(tickets?.length ?? -1);
  for (const one of tickets ?? []) form.ticket(one);
  if (ticket !== undefined) {
    if (ticket === null) form.put(-5);
    else form.ticket(ticket);
  }
  form.put(undeleted?.length ?? -1);
  for (const grant of undeleted ?? []) form.grant(grant);
}

function putRequest(form: Form, request: Request): void {
  form.code(request.kind);
  switch (request.kind) {
    case "replace":
      form.stored(request.base);
      return form.version(request.next, request.next);
    case "create_ticket":
      form.grant(request.ticket.grant);
      return form.ranked(request.ticket.order_revision);
    case "read_ticket":
      form.grant(request.grant);
      return;
    case "patch_ticket":
      form.ticket(request.base);
      form.put(request.ticket.answered);
      return form.ranked(request.ticket.order_revision);
    case "delete_tickets":
      form.doomed(request.tickets);
      for (const { revision = null } of request.tickets) form.ranked(revision);
  }
}

function putPast(form: Form, { past, actors }: World, order: readonly number[]): void {
  form.ranked(past.lastToken);
  for (const grant of past.held) form.mention(grant);
  form.put(-4);
  for (const grant of past.brokenNow) form.mention(grant);
  for (const work of past.begun) {
    form.uid(work.uid);
    form.put(work.slot);
    form.code(work.mode);
    form.ranked(work.token);
    form.mention(work.grant);
    form.flag(past.brokenNow.includes(work.grant));
  }
  for (const who of order) {
    form.flag(past.dropped.includes(who));
    for (const uid of actors[who]?.sawHeld ?? []) {
      const index = form.uids.indexOf(uid);
      if (index >= 0) form.put(index);
    }
  }
}
