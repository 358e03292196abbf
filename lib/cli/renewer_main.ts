import { CliError, Exit } from "./errors.ts";

/** The background renewer of `acquire`, in a process of its own. Resolves with its exit code. */
export function renewerMain(_args: readonly string[]): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "the renewer is not built yet"));
}
