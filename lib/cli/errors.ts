/** How the program ends: the exit codes that scripts rely on, and the error that carries one. */

/** What each exit code means. `run` passes its command's own code on; a signal N gives 128 + N. */
export const Exit = {
  /** Done. */
  done: 0,
  /** Anything else: a bug. */
  bug: 1,
  /** Wrong usage or configuration. */
  usage: 2,
  /** Did not get the lock in time, or was dropped from the queue by a person. */
  notInTime: 10,
  /** The cluster cannot be reached, or refuses. */
  unreachable: 11,
  /** The lock was lost while it was held. */
  lost: 12,
  /** A newer waiter took the place. */
  superseded: 13,
  /** This job does not hold the lock and never did. */
  notHolder: 14,
  /** The record or the local state cannot be used. */
  unusable: 15,
  /** `run`: the command cannot be executed. */
  notExecutable: 126,
  /** `run`: the command is not found. */
  notFound: 127,
  /** Ended by SIGINT. */
  interrupted: 130,
  /** Ended by SIGTERM. */
  terminated: 143,
} as const;

/** Ends the program with `code`; `message` is one sentence for people: what happened, why, what helps. */
export class CliError extends Error {
  /** What traces call it. */
  override readonly name = "CliError";
  /** `code` is one of {@link Exit}, or what `--conflict-exit-code` says. */
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** Wrong usage or configuration: exit 2. */
export function usage(message: string): CliError {
  return new CliError(Exit.usage, message);
}
