/** What of one client's state can tell later what happens. */
import { freshState } from "../../lib/lock/draft.ts";
import type { Hold, State } from "../../lib/lock/driver.ts";
import { signature } from "../../lib/lock/help.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import type { Form } from "./form.ts";
import type { Part } from "./world.ts";

/** Fields of a state that the form knows. Any other is taken as it is, so that a new one can make states many, but never alike. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  "config",
  "phase",
  "now",
  "wall",
  "startedAt",
  "wakeAt",
  "random",
  "ids",
  "grants",
  "grant",
  "known",
  "sight",
  "seenTtlMs",
  "embargoUntil",
  "flight",
  "clearing",
  "leftovers",
  "strays",
  "watch",
  "pollOnly",
  "ticket",
  "place",
  "position",
  "queueLength",
  "claim",
  "claimsLost",
  "mustRead",
  "mustReadTicket",
  "mustSettle",
  "readAt",
  "ticketReadAt",
  "positionAt",
  "retryAt",
  "failures",
  "conflicts",
  "outage",
  "unheardSince",
  "lastFailure",
  "firstGoodAt",
  "settledFor",
  "turnsChecked",
  "helpAt",
  "tryUntil",
  "hold",
  "leaveUntil",
  "result",
  "leftBehind",
]);

/** So long after it was looked up, its place is looked up again for people. */
const POSITION_LOOKED_UP_MS = 30_000;

/** A turn that stood for so long is stale by any roll call of a run with few faults: they stand for 3, 6 and 12 s. */
const TURN_WATCHED_MS = 15_000;

/** Puts everything that matters of `state`. */
export function putState(form: Form, state: State, part: Part): void {
  form.until(state.wakeAt);
  form.doomed(state.clearing?.tickets ?? null);
  form.doomed(state.leftovers);
  form.flag(state.leftBehind === null);
  if (state.phase === "over") return;
  others ??= Object.keys(state).filter((name) => !KNOWN_FIELDS.has(name));
  for (const name of others) putOther(form, state, name, part);
  putKnowledge(form, state);
  putFlight(form, state, form.grants.indexOf(state.grant));
  form.put(state.strays.length);
  for (const grant of state.strays) form.grant(grant);
  form.flag(state.watch.open);
  form.until(state.watch.open ? null : state.watch.retryAt);
  putPlace(form, state);
  putClaim(form, state);
  putNeeds(form, state);
  putTimes(form, state);
  putHold(form, state);
  form.until(state.leaveUntil);
  form.code(state.result?.kind);
}

function putOther(form: Form, state: State, name: string, part: Part): void {
  const value: unknown = Reflect.get(state, name);
  const fresh: unknown = Reflect.get(freshStateOf(part), name);
  const plain = typeof value !== "object" || value === null;
  form.code(plain ? value : value === fresh ? "fresh" : JSON.stringify(value));
}

function putKnowledge(form: Form, state: State): void {
  if (state.known === null) form.put(-2);
  else form.stored(state.known.stored);
  putSight(form, state);
  form.put(state.seenTtlMs);
  form.until(state.embargoUntil);
}

function putSight(
  form: Form,
  { sight: { holders, turns, call }, known, outage, unheardSince }: State,
): void {
  form.put(holders.length);
  for (const { grant, renewals, ttlMs, since } of holders) {
    form.count(renewals, form.grant(grant));
    form.put(ttlMs);
    form.until(since + ttlMs);
    // What is left of its silence when requests fail, or have failed.
    form.put(Math.round((known?.at ?? since) - since));
    form.put(outage ? Math.max(0, Math.round(unheardSince - since)) : -1);
  }
  form.put(turns.length);
  for (const { grant, since } of turns) {
    form.grant(grant);
    form.until(since + TURN_WATCHED_MS);
  }
  form.put(call?.number ?? -1);
  const stands = known?.record?.roll_call.stands_seconds ?? 0;
  if (call !== null) form.until(call.since + stands * 1000);
}

/** @param me whose renewals it may count */
function putFlight(form: Form, { flight, known, config }: State, me: number): void {
  if (flight === null) return form.put(-1);
  const { purpose, sentAt, base } = flight;
  form.code(purpose.kind);
  if (purpose.kind === "claim" || purpose.kind === "renew") form.within(sentAt, config.ttlMs);
  else form.flag((known?.at ?? sentAt) > sentAt);
  form.stored(base?.stored);
  if (purpose.kind === "renew") form.count(purpose.renewals, me);
  if (purpose.kind === "mend") form.doomed(purpose.spent);
  if (purpose.kind === "close") {
    form.put(purpose.tickets.length);
    for (const { ticket, uid, revision } of purpose.tickets) {
      form.grant(ticket.grant);
      form.uid(uid);
      form.ranked(revision);
      form.put(ticket.answered);
      form.ranked(ticket.order_revision);
    }
  }
}

function putPlace(form: Form, state: State): void {
  if (state.ticket === null) form.put(-1);
  else {
    const { uid, revision, text } = state.ticket.stored;
    form.uid(uid);
    form.ranked(revision);
    form.ticketText(text);
  }
  form.ranked(state.place);
  form.put(state.position);
  form.put(state.queueLength);
}

function putClaim(form: Form, { claim, claimsLost, config }: State): void {
  form.put(claimsLost);
  if (claim === null) return form.put(-1);
  form.grant(claim.grant);
  form.stored(claim.base);
  form.version(claim.next, claim.next);
  form.within(claim.firstSentAt, config.ttlMs);
  form.put(Math.min(2, claim.sendings));
  form.flag(claim.open);
}

function putNeeds(form: Form, state: State): void {
  form.put(
    (state.pollOnly ? 1 : 0) | (state.mustRead ? 2 : 0) | (state.mustReadTicket ? 4 : 0) |
      (state.mustSettle ? 8 : 0) | (state.outage ? 16 : 0) |
      (state.lastFailure !== null ? 32 : 0) | (state.firstGoodAt !== null ? 64 : 0),
  );
  form.put(state.failures);
  form.put(state.conflicts);
  putSettledFor(form, state);
  form.put(state.turnsChecked.length);
  for (const grant of state.turnsChecked) form.grant(grant);
}

function putSettledFor(form: Form, { settledFor, known }: State): void {
  if (settledFor === null) return form.put(-1);
  const record = known?.record ?? null;
  if (record !== null && settledFor === signatureOf(record)) return form.put(-2);
  const [held, turn, capacity, freeze] = JSON.parse(settledFor) as [
    [string, string][],
    string[],
    number,
    unknown,
  ];
  form.put(held.length);
  for (const [grant, mode] of held) {
    form.grant(grant);
    form.code(mode);
  }
  form.put(turn.length);
  for (const grant of turn) form.grant(grant);
  form.put(capacity);
  form.flag(freeze !== null);
}

function putTimes(form: Form, state: State): void {
  form.until(state.retryAt);
  // What counts from its start: how long it is tried to reach the store at all, and how long is waited in all.
  const early = state.firstGoodAt === null || state.config.timeoutMs !== null;
  if (early) form.since(state.startedAt);
  if (!["arriving", "trying", "waiting"].includes(state.phase)) return;
  form.until(state.readAt);
  form.until(state.ticketReadAt);
  form.until(state.positionAt + POSITION_LOOKED_UP_MS);
  form.until(state.helpAt);
  form.until(state.tryUntil);
}

function putHold(form: Form, { hold, phase, grant, config }: State): void {
  if (hold === null) return form.put(-1);
  form.uid(hold.uid);
  form.ranked(hold.token);
  form.put(hold.slot);
  form.flag(hold.gone);
  form.code(hold.lost?.kind);
  if (phase !== "holding") return;
  putHolding(form, hold, grant, config.ttlMs);
  if (config.maxHoldMs !== null) form.since(hold.since);
}

function putHolding(form: Form, hold: Hold, grant: string, ttlMs: number): void {
  form.within(hold.ackedAt, ttlMs);
  form.until(hold.renewAt);
  form.code(hold.work);
  form.code(hold.stage);
  form.until(hold.killAt);
  if (hold.pending === null) return form.put(-1);
  form.count(hold.pending.renewals, form.grants.indexOf(grant));
  form.within(hold.pending.firstSentAt, ttlMs);
}

let others: readonly string[] | null = null;

const signatures = new WeakMap<LockRecord, string>();

function signatureOf(record: LockRecord): string {
  let text = signatures.get(record);
  if (text === undefined) signatures.set(record, text = signature(record));
  return text;
}

const freshStates = new WeakMap<Part, State>();

function freshStateOf(part: Part): State {
  let state = freshStates.get(part);
  if (state === undefined) freshStates.set(part, state = freshState(part.config, 0, 0));
  return state;
}
