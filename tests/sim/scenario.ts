/** Small words for tests that play one scene: a calm network, and faults only where the test puts them. */
import type { Config, Request } from "../../lib/lock/driver.ts";
import { encodeRecord, encodeTicket, parseRecord } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { queued } from "../lock/rules_model.ts";
import type { Client, Persona } from "./client.ts";
import { OBJECT } from "./network.ts";
import { World } from "./world.ts";

/** Work that does not end by itself. */
export const ENDLESS: Partial<Persona> = { workMs: 1e8 };

/** A world in which every request takes 1 ms each way and arrives. */
export function calmWorld(): World {
  const world = new World(1);
  world.network.wayMs = 1;
  return world;
}

/** Goes on until `client` works. @returns when that was */
export function untilItWorks(world: World, client: Client, withinMs = 600_000): number {
  world.run(() => client.working !== null, withinMs, `${client.persona.name} does not work`);
  return world.time.now;
}

/** Goes on until `client` is over. @returns when that was */
export function untilItIsOver(world: World, client: Client, withinMs = 600_000): number {
  world.run(() => client.over, withinMs, `${client.persona.name} does not end`);
  return world.time.now;
}

/** Goes on until `client` has its ticket and nothing under way. */
export function untilItWaits(world: World, client: Client): void {
  const waits = () => {
    const { ticket, flight, watch, pollOnly } = client.state;
    return ticket !== null && flight === null && (watch.open || pollOnly);
  };
  world.run(waits, 60_000, `${client.persona.name} does not wait`);
}

/** One that has its ticket and waits. */
export function waiter(world: World, name: string, config: Partial<Config> = {}): Client {
  const client = world.start(name, config);
  untilItWaits(world, client);
  return client;
}

/** One that holds, with work that does not end by itself. */
export function holderOf(world: World, name: string, config: Partial<Config> = {}): Client {
  const client = world.start(name, config, ENDLESS);
  untilItWorks(world, client);
  return client;
}

/** The kinds of the requests of `client` since `from`, as they were seen on the wire. */
export function requests(world: World, client: Client, from = 0): Request["kind"][] {
  return world.network.sent
    .filter(({ sender, at }) => sender === client.persona.name && at >= from)
    .map(({ request }) => request.kind);
}

/** How many writes of the record `client` sent since `from`. */
export function writes(world: World, client: Client, from = 0): number {
  return requests(world, client, from).filter((kind) => kind === "replace").length;
}

/** True for the request by which `sender` claims. */
export function isClaim(request: Request): boolean {
  return request.kind === "replace" &&
    request.next.holders.length > parseRecord(request.base.text).holders.length;
}

/** True for a renewal. */
export function isRenewal(request: Request): boolean {
  if (request.kind !== "replace") return false;
  const before = parseRecord(request.base.text).holders;
  return request.next.holders.some((holder) =>
    before.some((old) => old.grant === holder.grant && old.renewals < holder.renewals)
  );
}

/** True for the request by which somebody gives the lock back. */
export function isRelease(request: Request): boolean {
  return request.kind === "replace" &&
    request.next.holders.length < parseRecord(request.base.text).holders.length;
}

/** Somebody changes the record by hand. */
export function edit(world: World, change: (record: LockRecord) => LockRecord): void {
  const stored = world.core.readRecord(OBJECT);
  if (stored === null) throw new Error("there is no record to edit");
  world.core.editRecord(OBJECT, encodeRecord(change(parseRecord(stored.text))));
}

/** A ticket without a waiter. */
export function ghostTicket(world: World, grant: string): void {
  const text = encodeTicket(queued(grant, 0).ticket);
  world.core.createTicket(OBJECT, { grant, holder: grant, text });
}

/** The grants of all tickets that stand. */
export function ticketsStanding(world: World): string[] {
  return world.core.listTickets(OBJECT).map(({ grant }) => grant);
}
