/** A store that is restored from a backup of some time ago, or emptied. */
import type { Backup } from "../../lib/store/memory_store.ts";
import type { World } from "./world.ts";

/** What an etcd holds that nobody has written to. */
export const EMPTY: Backup = { revision: 0n, places: new Map() };

/** How a store is restored. */
export interface Restore {
  readonly backup: Backup;
  /** Whether its revisions go on from then, or beyond all that there were. */
  readonly next: "as then" | "bumped";
  /** What becomes of the watches: they break, as with the API server, or stand and wait for a revision of the future. */
  readonly watches: "broken" | "silent";
}

/** The store is as it was then, in one moment. */
export function restore(world: World, { backup, next, watches }: Restore): void {
  const what = backup.places.size === 0 ? "is emptied" : "is restored from a backup";
  world.say("store", `${what}; its revisions go on ${next}`);
  world.core.restore(backup, next);
  world.network.forgetPast();
  world.referee.restored(next);
  if (watches === "silent") return;
  for (const client of world.clients) if (client.watches) client.spoilWatch("broken");
}
