/**
 * Runs in which the store itself cannot be trusted: it is restored from a backup, or emptied, in the middle of everything else. And the rarer
 * things that people do to a lock: they freeze it, and change how many may hold it.
 */
import type { Backup } from "../../lib/store/memory_store.ts";
import { encodeRecord, parseRecord, parseTicket } from "../../lib/lock/record.ts";
import type { LockRecord } from "../../lib/lock/record.ts";
import { settle } from "../../lib/lock/queue.ts";
import { chaos } from "./chaos.ts";
import { storeAway } from "./misfortunes.ts";
import { OBJECT } from "./network.ts";
import type { Chance } from "./random.ts";
import { EMPTY, restore } from "./restores.ts";
import type { World } from "./world.ts";

/** When the last of it happens, in milliseconds. */
const LAST_MS = 60_000;

/** Plays one such run. */
export function restored(world: World): void {
  const plan = world.stream("restores");
  const backups = new Backups(world, plan.between(1_000, 15_000));
  for (let i = 1 + plan.below(3); i > 0; i--) {
    const own = world.stream(`restore ${i}`);
    world.time.after(plan.between(2_000, LAST_MS), () => backups.restoreOne(own, `restore ${i}`));
  }
  for (let i = plan.below(3); i > 0; i--) {
    const own = world.stream(`change ${i}`);
    world.time.after(plan.between(0, LAST_MS), () => changeLock(world, own, `change ${i}`));
  }
  chaos(world);
}

/** What is backed up now and then. */
export class Backups {
  readonly #kept: Backup[] = [EMPTY];

  constructor(readonly world: World, everyMs: number, readonly mostKept: number = 20) {
    const one = () => {
      if (world.isCalm) return;
      this.#kept.push(world.core.backup());
      if (this.#kept.length > this.mostKept) this.#kept.splice(1, 1);
      world.time.after(everyMs, one);
    };
    world.time.after(everyMs, one);
  }

  /** The store is restored from one of them, most often from the last, after an outage or without anybody noticing. */
  restoreOne(chance: Chance, where: string): void {
    const { world } = this;
    const kept = this.#kept;
    const last = kept.length - 1;
    const which = chance.happens(0.5) ? last : chance.happens(0.3) ? 0 : chance.below(kept.length);
    const next = chance.happens(0.6) ? "as then" : "bumped";
    const watches = chance.happens(0.5) ? "broken" : "silent";
    const awayMs = chance.happens(0.5) ? chance.between(100, 10_000) : 0;
    const backup = kept[which] ?? EMPTY;
    if (world.isCalm || !world.mishaps.allows(where, `revisions ${next}, watches ${watches}`)) {
      return;
    }
    if (awayMs > 0) storeAway(world, awayMs, where);
    world.time.after(awayMs / 2, () => world.isCalm || restore(world, { backup, next, watches }));
  }
}

/** Somebody freezes the lock for a while, or changes how many may hold it. */
export function changeLock(world: World, chance: Chance, where: string): void {
  const forMs = chance.between(500, 25_000);
  const capacity = 1 + chance.below(3);
  if (chance.happens(0.5)) {
    if (world.isCalm || !world.mishaps.allows(where, "somebody freezes the lock")) return;
    const since = new Date(0).toISOString();
    edit(world, (record) => ({
      ...record,
      freeze: { by: "person", reason: "test", since, until: null },
    }));
    return thaw(world, forMs);
  }
  if (world.isCalm || !world.mishaps.allows(where, `${capacity} may hold from now on`)) return;
  // Fewer would break what those hold by who are there.
  edit(world, (record) => ({ ...record, capacity: Math.max(record.capacity, capacity) }));
}

/** It is not frozen any more, nor when a restored store brings that back. */
function thaw(world: World, afterMs: number): void {
  world.time.after(afterMs, () => {
    if ((world.record()?.freeze ?? null) !== null) {
      edit(world, (record) => ({ ...record, freeze: null }));
    }
    thaw(world, 5_000);
  });
}

/** Settled in the same write, as each that makes room. */
function edit(world: World, change: (record: LockRecord) => LockRecord): void {
  const stored = world.core.readRecord(OBJECT);
  if (stored === null) return;
  const tickets = world.core.listTickets(OBJECT)
    .map(({ text, uid, revision }) => ({ ticket: parseTicket(text), uid, revision }));
  const next = settle(change(parseRecord(stored.text)), tickets);
  world.say("person", "changes the record");
  world.core.replaceRecord(OBJECT, stored, encodeRecord(next));
}
