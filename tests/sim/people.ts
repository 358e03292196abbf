/**
 * What people do to a lock by hand, or with our own commands. `where` names the occasion; which of the tickets it is follows from that.
 */
import { encodeRecord, encodeTicket, parseTicket } from "../../lib/lock/record.ts";
import { bar, breakHolder, remove } from "../../lib/lock/rules.ts";
import { numberOf } from "../../lib/lock/queue.ts";
import type { StoredTicket } from "../../lib/lock/store.ts";
import { OBJECT } from "./network.ts";
import type { World } from "./world.ts";

/** A person deletes the record. */
export function deleteRecord(world: World, where = "a person"): void {
  if (world.core.readRecord(OBJECT) === null) return;
  if (!world.mishap("record deleted", where, "everybody")) return;
  world.say("person", "deletes the record");
  world.core.deleteRecord(OBJECT);
}

function someTicket(world: World, where: string): StoredTicket | undefined {
  const tickets = world.core.listTickets(OBJECT);
  return tickets[world.stream(where).below(tickets.length || 1)];
}

/** A person deletes somebody's ticket. */
export function deleteTicket(world: World, where = "a person"): void {
  const ticket = someTicket(world, where);
  if (ticket === undefined || !world.mishap("ticket deleted", where, "everybody")) return;
  world.say("person", `deletes ticket ${ticket.grant}`);
  world.core.deleteTicket(OBJECT, ticket);
}

/** A person annotates somebody's ticket: its revision moves. */
export function touchTicket(world: World, where = "a person"): void {
  const stored = someTicket(world, where);
  if (stored === undefined || !world.mishap("ticket touched", where, "everybody")) return;
  const ticket = parseTicket(stored.text);
  const extra = { ...ticket.extra, note: `${world.time.now}` };
  world.say("person", `touches ticket ${stored.grant}`);
  world.core.patchTicket(OBJECT, stored, encodeTicket({ ...ticket, extra }));
}

/** A person breaks the lock, at once or in good order. */
export function breakLock(
  world: World,
  how: "now" | "in order",
  grant?: string,
  where = "a person",
): void {
  const holder = world.referee.known?.holders.find((one) =>
    grant === undefined || one.grant === grant
  );
  if (holder === undefined || !world.mishap(`broken ${how}`, where, "everybody")) return;
  breakHold(world, how, holder.grant);
}

function breakHold(world: World, how: "now" | "in order", grant: string): void {
  const stored = world.core.readRecord(OBJECT);
  const record = world.referee.known;
  if (stored === null || record === null) return;
  world.say("person", `breaks ${grant} ${how}`);
  const tickets = world.core.listTickets(OBJECT)
    .map((one) => ({ ticket: parseTicket(one.text), uid: one.uid, revision: one.revision }));
  const ending = { outcome: "broken", by: "person", reason: "test", at: "" } as const;
  const next = how === "now"
    ? remove(record, grant, tickets, ending)
    : breakHolder(record, grant, "person", "test");
  if (typeof next === "string") return;
  if (how === "now") world.referee.works.brokenNow.add(grant);
  world.core.replaceRecord(OBJECT, stored, encodeRecord(next));
}

/** What a person may do on an occasion, which `where` names. */
type PeoplesAct = (world: World, where: string) => void;

/** What a person can do where somebody waits. */
export const ON_A_TICKET: readonly PeoplesAct[] = [deleteTicket, touchTicket, dropWaiter];

/** What a person may do on an occasion that nobody knows yet. */
export const PEOPLES_ACTS: readonly PeoplesAct[] = [
  deleteRecord,
  ...ON_A_TICKET,
  (world, where) => breakLock(world, "now", undefined, where),
  (world, where) => breakLock(world, "in order", undefined, where),
];

/** From now on a person breaks what nobody else may take off: a holder with `never` that is not at work any more. */
export function breakTheForgotten(world: World): void {
  const dead = world.referee.known?.holders.find(({ grant, on_expiry, state }) =>
    on_expiry === "never" && state === "held" && world.isForgotten(grant)
  );
  // It is what ends the trouble, and no mishap.
  if (dead !== undefined) breakHold(world, "in order", dead.grant);
  world.time.after(5000, () => breakTheForgotten(world));
}

/** A person drops a waiter from the queue: the record knows before the ticket goes. */
export function dropWaiter(world: World, where = "a person"): void {
  const stored = world.core.readRecord(OBJECT);
  const record = world.referee.known;
  const listed = world.core.listTickets(OBJECT);
  const doomed = someTicket(world, where);
  if (stored === null || record === null || doomed === undefined) return;
  if (record.holders.some(({ grant }) => grant === doomed.grant)) return;
  if (!world.mishap("waiter dropped", where, "everybody")) return;
  const tickets = listed.filter((one) => one !== doomed)
    .map((one) => ({ ticket: parseTicket(one.text), uid: one.uid, revision: one.revision }));
  const ticket = parseTicket(doomed.text);
  const { holder, link, mode } = ticket;
  world.say("person", `drops ${doomed.grant}`);
  const number = numberOf(ticket);
  const waiter = { grant: doomed.grant, holder, link, mode, waitedSeconds: 0, number };
  const next = bar(record, waiter, tickets, {
    outcome: "broken",
    by: "person",
    reason: "test",
    at: "",
  });
  world.core.replaceRecord(OBJECT, stored, encodeRecord(next));
  world.core.deleteTicket(OBJECT, doomed);
}
