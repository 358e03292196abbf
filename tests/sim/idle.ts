/** Sees to it that a lock does not stand free for long while somebody waits for it and nothing goes wrong. */
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/**
 * The longest that it may, in milliseconds: the TTL that is waited out after a deletion (10 s), twice the claim timeout with its
 * random waits, and a request or two that somebody still waits for. Half of it was seen.
 */
const MOST_IDLE_MS = 40_000;
const LOOK_MS = 500;

/** Begins to look. @returns its end */
export function watchIdle(world: World): () => void {
  let since: number | null = null;
  let isOver = false;
  const look = () => {
    if (isOver) return;
    const { now } = world.time;
    since = isIdle(world) ? since ?? now : null;
    if (since !== null && now - since > MOST_IDLE_MS) {
      throw new Violation(`the lock is free for ${MOST_IDLE_MS / 1000} s, and somebody waits`);
    }
    world.time.after(LOOK_MS, look);
  };
  look();
  return () => isOver = true;
}

/** By number those of another run wait although it is free. */
function isIdle(world: World): boolean {
  const record = world.record();
  if (record === null || record.freeze !== null || record.next_build !== undefined) return false;
  return record.holders.length === 0 &&
    world.atLarge.some(({ over, paused, state }) => !over && !paused && state.phase === "waiting");
}
