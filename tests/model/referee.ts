/** Checks each write of the record, and all work that begins, against what the lock promises. */
import { placeOf, readTickets } from "../../lib/lock/queue.ts";
import { isSpent } from "../../lib/lock/queue.ts";
import { compareRevisions } from "../../lib/lock/store.ts";
import type { StoredRecord, StoredTicket } from "../../lib/lock/store.ts";
import { ownerOf, recordIn, Violation } from "./world.ts";
import type { Actor, Past, Stood, Work, World } from "./world.ts";

/** What is remembered after a record was written over `before`. Throws {@link Violation}. */
export function judgeWrite(
  world: World,
  before: StoredRecord | null,
  after: StoredRecord | null,
): Past {
  const { past } = world;
  if (after === null) return past;
  const record = recordIn(after.text);
  const { holders, turn, capacity, last_token } = record;
  const exclusive = holders.filter(({ mode }) => mode === "exclusive").length;
  if (exclusive > capacity || (exclusive > 0 && exclusive < holders.length)) {
    throw new Violation(`${holders.length} hold where ${capacity} may`);
  }
  const old = before === null ? null : recordIn(before.text);
  if (old !== null && before?.uid === after.uid && last_token < old.last_token) {
    throw new Violation("the last token went back");
  }
  const held = [...past.held];
  for (const { grant, token } of holders) {
    if (old?.holders.some((one) => one.grant === grant)) continue;
    if (held.includes(grant)) throw new Violation(`the grant ${grant} is used twice`);
    if (token <= past.lastToken) {
      throw new Violation(`token ${token} of ${grant} comes after ${past.lastToken}`);
    }
    held.push(grant);
    judgeWanted(world, grant);
    if (!old?.turn.includes(grant)) judgeOrder(world, after, grant);
  }
  for (const grant of turn) if (!old?.turn.includes(grant)) judgeOrder(world, after, grant);
  if (held.length === past.held.length && last_token <= past.lastToken) return past;
  return { ...past, held, lastToken: Math.max(past.lastToken, last_token) };
}

/** One that gave everything back never comes to hold. */
function judgeWanted(world: World, grant: string): void {
  const actor = world.actors[ownerOf(world, grant)];
  if (actor === undefined || actor.life !== "alive") return;
  if (actor.state?.phase === "over" && actor.state.leftBehind === null) {
    throw new Violation(`${grant} holds after its client has gone in good order`);
  }
}

/** What stands when a newcomer's list is made, with the place of each. */
export function standing(tickets: readonly StoredTicket[]): Stood[] {
  return readTickets(tickets).tickets.map((queued) => ({
    uid: queued.uid,
    place: placeOf(queued),
  }));
}

/** Nobody is named, or claims, before a ticket that stood when its list was made. */
function judgeOrder(world: World, { text }: StoredRecord, grant: string): void {
  const newcomer = ownerOf(world, grant);
  const stood = world.actors[newcomer]?.stood ?? [];
  if (stood.length === 0) return;
  const record = recordIn(text);
  for (const queued of readTickets(world.store.tickets).tickets) {
    const { ticket, uid } = queued;
    const then = stood.find((one) => one.uid === uid);
    const owner = ownerOf(world, ticket.grant);
    const state = world.actors[owner]?.state;
    if (then === undefined || owner === newcomer || state == null) continue;
    if (state.phase !== "waiting" || state.grant !== ticket.grant) continue;
    if (record.turn.includes(ticket.grant) || isSpent(record, ticket.grant)) continue;
    if (ticket.priority < (world.scene.parts[newcomer]?.config.priority ?? 0)) continue;
    // Somebody touched it, and its waiter has not written down yet which place it had.
    if (compareRevisions(placeOf(queued), then.place) > 0) continue;
    throw new Violation(`${grant} overtakes ${ticket.grant}`);
  }
}

/** True when the two may not go on at the same time. */
function exclude(a: Work, b: Work): boolean {
  if (a.mode === "shared" && b.mode === "shared") return false;
  return a.mode !== b.mode || a.slot === b.slot;
}

/** What is remembered when `work` of the client `who` begins. Throws {@link Violation}. */
export function judgeWork(world: World, who: number, work: Work): Past {
  const { past, actors, scene } = world;
  const me = actors[who];
  if (me === undefined) return past;
  if (past.dropped.includes(who)) {
    throw new Violation(
      `${scene.parts[who]?.name} works although a person dropped it from the queue`,
    );
  }
  if (past.begun.some(({ grant }) => grant === work.grant)) {
    throw new Violation(`work begins twice with the grant ${work.grant}`);
  }
  actors.forEach((actor, other) => {
    const theirs = actor.work;
    if (theirs === null || other === who) return;
    if (exclude(work, theirs) && !excused(past, me, work, theirs)) {
      throw new Violation(`${scene.parts[who]?.name} works while ${scene.parts[other]?.name} does`);
    }
  });
  for (const earlier of past.begun) {
    if (!exclude(work, earlier) || excused(past, me, work, earlier)) continue;
    if (work.token <= earlier.token) {
      throw new Violation(
        `work begins with token ${work.token} after work with token ${earlier.token}`,
      );
    }
  }
  return { ...past, begun: [...past.begun.filter((one) => !isOutdone(one, work)), work] };
}

/** True when whatever is compared with `later` need not be compared with `earlier`. */
function isOutdone(earlier: Work, later: Work): boolean {
  return earlier.uid === later.uid && earlier.mode === later.mode && earlier.slot === later.slot &&
    earlier.token < later.token;
}

/** `break --now` takes it on itself; and a newcomer cannot know of a holder whose record was deleted before it came. */
function excused(past: Past, me: Actor, work: Work, other: Work): boolean {
  if (past.brokenNow.includes(other.grant) || past.brokenNow.includes(work.grant)) return true;
  return other.uid !== work.uid && !me.sawHeld.includes(other.uid);
}
