/** Messages on their way to the store: which part of them is next, and what comes of it. */
import type { Answer, Failure } from "../../lib/lock/driver.ts";
import { standing } from "./referee.ts";
import type { Plain } from "./store.ts";
import type { Turn } from "./turn.ts";
import type { Message } from "./world.ts";

/** What says nothing about the request. */
export const NO_ANSWER: Failure = { kind: "unknown", message: "no answer" };

/** Which requests of a message can be carried out now. */
export function partsLeft(
  { request, part }: Extract<Message, { kind: "request" }>,
): readonly ("read" | "list" | null)[] {
  if (request.kind !== "look" && request.kind !== "survey") return [null];
  if (part !== null) return part.tickets === undefined ? ["list"] : ["read"];
  return request.kind === "look" ? ["read", "list"] : ["read"];
}

/** Carries out a message, or the first part of it: then there is no answer yet. */
export function carried(
  turn: Turn,
  message: Extract<Message, { kind: "request" }>,
  part: "read" | "list" | null,
): Answer | null {
  if (part === null) return turn.execute(message.request as Plain);
  const one = turn.execute(part === "read" ? { kind: "read" } : { kind: "list", when: "now" });
  if (part === "list" && message.request.kind === "look") {
    turn.change(message.owner, { stood: standing(turn.store.tickets) });
  }
  if (message.part !== null) return { ...message.part, ...one };
  turn.wire = turn.wire.map((other) => other === message ? { ...message, part: one } : other);
  return null;
}
