/** The steps of the protocol, as they are seen on the wire: what a request of a client is for. */
import type { Request, State } from "../../lib/lock/driver.ts";
import { parseRecord } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";

/** All of them, in the order in which they are told. */
export const STEPS = [
  "read",
  "list",
  "create record",
  "create ticket",
  "watch",
  "settle",
  "claim",
  "call the roll",
  "answer the roll",
  "close the roll",
  "renew",
  "release",
  "remove",
  "cancel",
  "clear away",
] as const;

/** One of them. */
export type Step = typeof STEPS[number];

/**
 * The step that a request belongs to, which a client in `state` has under way as `id`.
 *
 * A write of the record that does several things at once belongs to the rarest of them: who removes a silent holder settles as well. A
 * ticket that its waiter puts back in its place counts as made.
 */
export function stepOf(request: Request, id: number, state: State): Step {
  switch (request.kind) {
    case "read":
    case "read_ticket":
    case "look":
    case "survey":
      return "read";
    case "list":
      return "list";
    case "create_record":
      return "create record";
    case "create_ticket":
      return "create ticket";
    case "patch_ticket":
      return request.ticket.answered === state.ticket?.ticket.answered
        ? "create ticket"
        : "answer the roll";
    case "delete_tickets":
      if (state.clearing?.id === id) return "clear away";
      return state.phase === "giving_up" ? "cancel" : "close the roll";
    case "replace":
      if (state.phase === "giving_up") return "cancel";
      if (state.phase === "releasing") return "release";
      return change(before(request.base, state), request.next);
  }
}

function before(base: { readonly text: string }, { known }: State): LockRecord {
  const isKnown = known?.stored?.text === base.text && known.record !== null;
  return isKnown ? known.record : parseRecord(base.text);
}

/** What a client that waits or holds does to the record. */
function change(before: LockRecord, next: LockRecord): Step {
  const old = new Map(before.holders.map((holder) => [holder.grant, holder]));
  if (next.holders.some(({ grant }) => !old.has(grant))) return "claim";
  if (next.holders.length < old.size) return "remove";
  if (next.holders.some(({ grant, renewals }) => old.get(grant)?.renewals !== renewals)) {
    return "renew";
  }
  if (next.roll_call.open !== before.roll_call.open) {
    return next.roll_call.open ? "call the roll" : "close the roll";
  }
  return "settle";
}
