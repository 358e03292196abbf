/** What can happen to one client and its machine, and to the store. */
import type { Client } from "./client.ts";
import type { Fault } from "./mishaps.ts";
import type { Chance } from "./random.ts";
import type { World } from "./world.ts";

/** Of all faults, those of one client. */
export type ClientFault = Extract<
  Fault,
  | "killed"
  | "paused"
  | "asleep"
  | "signalled"
  | "wall clock set"
  | "watch broken"
  | "watch silent"
  | "event late"
>;

/** It happens to this client, if it can, and unless it is cut. */
export function befalls(
  client: Client,
  fault: ClientFault,
  where: string,
  misfortune: (client: Client) => void,
): void {
  if (client.over || !canBefall(client, fault)) return;
  if (client.world.mishap(fault, where, client)) misfortune(client);
}

function canBefall(client: Client, fault: ClientFault): boolean {
  if (fault === "watch broken" || fault === "watch silent") return client.watches;
  return fault !== "event late" || client.hasNews;
}

/** By fault: how it happens to a client, with whatever chance has to decide decided before. */
export const MISFORTUNES: Readonly<
  Record<ClientFault, (chance: Chance) => (client: Client) => void>
> = {
  killed: () => (client) => client.kill(),
  paused: (chance) => {
    const ms = chance.between(10, 30_000);
    return (client) => client.pause(ms);
  },
  asleep: (chance) => {
    const ms = chance.between(1_000, 40_000);
    return (client) => client.sleep(ms);
  },
  signalled: () => (client) => client.signal(),
  "wall clock set": (chance) => {
    const ms = chance.between(-1e8, 1e8);
    return (client) => client.setWall(ms);
  },
  "watch broken": () => (client) => client.spoilWatch("broken"),
  "watch silent": () => (client) => client.spoilWatch("silent"),
  "event late": () => (client) => client.spoilWatch("again"),
};

/** The store cannot be reached for so long. */
export function storeAway(world: World, forMs: number, where: string): void {
  if (world.network.down || !world.mishap("store away", where, "nobody")) return;
  world.say("store", "away");
  world.network.down = true;
  world.time.after(forMs, () => {
    world.say("store", "back");
    world.network.down = false;
  });
}
