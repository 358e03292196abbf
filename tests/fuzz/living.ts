/** Clients of the lock in this process, over a store in its memory, in real time. */
import { runLock } from "../../lib/lock/lock.ts";
import type { Config, State } from "../../lib/lock/driver.ts";
import type { LockStore } from "../../lib/lock/store.ts";
import { CONFIG } from "../sim/world.ts";

/** One client. */
export interface Living {
  /** Resolves once its work may begin. */
  readonly holds: Promise<void>;
  /** Resolves with its last state. Its work ends when it is told to. */
  readonly over: Promise<State>;
  /** Ends its work, or its waiting. */
  end(): void;
}

/** Starts one. */
export function living(store: LockStore, holder: string, config: Partial<Config> = {}): Living {
  const holds = Promise.withResolvers<void>();
  let isHolding = false;
  const client = runLock(
    { ...CONFIG, ttlMs: 5000, holder, grantPrefix: holder, ...config },
    store,
    { now: () => performance.now(), wall: () => Date.now() },
    {
      startWork() {
        isHolding = true;
        holds.resolve();
      },
      stopWork: () => queueMicrotask(() => client.send({ kind: "work_ended" })),
      tell() {},
      changed() {},
    },
  );
  return {
    holds: holds.promise,
    over: client.over,
    end: () => client.send({ kind: isHolding ? "work_ended" : "give_up" }),
  };
}
