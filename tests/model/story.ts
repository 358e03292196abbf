/** The way to a state as people read it. */
import type { Effect, Request } from "../../lib/lock/driver.ts";
import { parseTicket } from "../../lib/lock/record.ts";
import { after } from "./acts.ts";
import type { Act } from "./acts.ts";
import { recordIn } from "./world.ts";
import type { Message, World } from "./world.ts";

/** A line for each act, and below it what came of that. */
export function story(start: World, path: readonly Act[]): string {
  const lines: string[] = [];
  let world = start;
  for (const act of path) {
    const told: string[] = [];
    const tell = (who: number, effect: Effect) => {
      const text = described(effect);
      if (text !== "") told.push(`${nameOf(world, who)} ${text}`);
    };
    lines.push(`${(world.now / 1000).toFixed(0).padStart(4)} s  ${describe(world, act)}`);
    let next: World;
    try {
      next = after(world, act, tell);
    } catch {
      lines.push(...told.map(indented));
      break;
    }
    lines.push(...told.map(indented));
    if (next.store !== world.store) lines.push(indented(storeOf(next)));
    world = next;
  }
  return lines.join("\n");
}

function indented(line: string): string {
  return `           ${line}`;
}

function nameOf(world: World, who: number): string {
  return world.scene.parts[who]?.name ?? `client ${who}`;
}

/** What is about to happen in `world`. */
export function describe(world: World, act: Act): string {
  switch (act.kind) {
    case "later":
      return `nothing else happens before ${act.now / 1000} s`;
    case "begin":
      return `${nameOf(world, act.who)} begins`;
    case "tick":
      return `the timer of ${nameOf(world, act.who)}`;
    case "news":
      return `an event reaches ${nameOf(world, act.who)}`;
    case "told":
      return `${nameOf(world, act.who)} learns that its work is over`;
    case "resume":
      return `${nameOf(world, act.who)} goes on after a pause`;
    case "work ends":
      return `the work of ${nameOf(world, act.who)} ends`;
    case "lifeline":
      return `the lifeline kills the work of ${nameOf(world, act.who)}`;
    case "carry":
      return `the store does ${messageOf(world, act.at)}${
        act.part === null ? "" : ` (${act.part})`
      }`;
    case "deliver":
      return `late: ${messageOf(world, act.at)}`;
    case "timeout":
      return `no answer in time: ${messageOf(world, act.at)}`;
    case "fault":
      return `FAULT ${act.fault}: ${victim(world, act)}`;
  }
}

function victim(world: World, { fault, index }: Extract<Act, { kind: "fault" }>): string {
  switch (fault) {
    case "crash":
    case "pause":
    case "signal":
    case "watch ends":
    case "late event":
      return nameOf(world, index);
    case "record deleted":
      return "by a person";
    case "broken":
    case "broken now": {
      const { record } = world.store;
      return record === null ? "" : recordIn(record.text).holders[index]?.grant ?? "";
    }
    case "ticket deleted":
    case "ticket touched":
    case "dropped":
      return world.store.tickets[index]?.grant ?? "";
    default:
      return messageOf(world, index);
  }
}

function messageOf(world: World, at: number): string {
  const message = world.wire[at];
  return message === undefined ? "" : `${nameOf(world, message.owner)}'s ${named(message)}`;
}

function named(message: Message): string {
  switch (message.kind) {
    case "request":
      return `${message.pace === "fast" ? "" : `${message.pace} `}${requestOf(message.request)}`;
    case "answer":
      return `answer${message.answer.failure === undefined ? "" : " (a failure)"}`;
    case "event":
      return `event${message.record === null ? " (deleted)" : ` of r${message.record.revision}`}`;
  }
}

function requestOf(request: Request): string {
  switch (request.kind) {
    case "replace": {
      const { holders, turn } = request.next;
      const held = holders.map(({ grant, renewals }) => `${grant}+${renewals}`);
      return `replace of r${request.base.revision} by holders=[${held}] turn=[${turn}]`;
    }
    case "delete_tickets":
      return `deletion of tickets ${request.tickets.map(({ grant }) => grant)}`;
    case "create_ticket":
      return `creation of ticket ${request.ticket.grant}`;
    case "patch_ticket":
      return `patch of ticket ${request.ticket.grant}`;
    default:
      return request.kind;
  }
}

function described(effect: Effect): string {
  switch (effect.kind) {
    case "request":
      return `sends ${requestOf(effect.request)}`;
    case "start_work":
      return "begins its work";
    case "stop_work":
      return effect.how === "term" ? "tells its work to stop" : "kills its work";
    case "tell":
      return `says: ${effect.text}`;
    default:
      return "";
  }
}

function storeOf({ store }: World): string {
  const tickets = store.tickets.map(({ text, revision }) => {
    const { grant, answered, order_revision } = parseTicket(text);
    return `${grant}@${order_revision ?? revision}${answered === 0 ? "" : ` answered ${answered}`}`;
  });
  if (store.record === null) return `no record, tickets=[${tickets}]`;
  const { holders, turn, roll_call } = recordIn(store.record.text);
  const held = holders.map(({ grant, token, renewals, state }) =>
    `${grant}#${token}+${renewals}${state === "held" ? "" : ` ${state}`}`
  );
  const call = roll_call.open ? ` call ${roll_call.number}=[${roll_call.grants}]` : "";
  return `r${store.record.revision} holders=[${held}] turn=[${turn}]${call} tickets=[${tickets}]`;
}
