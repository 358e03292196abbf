import type { Handlers } from "../../lib/cli/commands.ts";

/** Handlers that all do the same with the options they are given. */
export function handledBy(handle: (options: unknown) => Promise<number>): Handlers {
  return {
    run: handle,
    acquire: handle,
    release: handle,
    verify: handle,
    renew: handle,
    status: handle,
    list: handle,
    break: handle,
    migrate: handle,
  };
}
