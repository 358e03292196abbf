/** What asks a command to end: signals, and in a CI the death of its parent. */
import { constants } from "node:os";
import process from "node:process";
import { onEndSignals, parentGone } from "../host/signals.ts";
import type { EndSignal } from "../host/signals.ts";
import type { Context } from "./context.ts";

/** How long the last line may take to be written where the program ends at once, in milliseconds. */
const LAST_WORDS_MS = 200;

/** The watch for what asks to end. */
export interface Endings {
  /** The first that came. */
  readonly first: EndSignal | null;
  /** Ends the watch: from then on signals do what they do by default. */
  stop(): void;
}

/**
 * Calls `act` for each signal. In a CI the death of the parent counts as a SIGTERM: the shell of a step dies at a cancel, and its
 * children get no signal.
 *
 * @param act returns `giving up` where the same signal, repeated, ends the program at once; `end` where this one does; `handled` where
 * signals are somebody else's affair
 */
export function watchEndings(
  context: Context,
  act: (signal: EndSignal) => "handled" | "giving up" | "end",
): Endings {
  let first: EndSignal | null = null;
  const abort = new AbortController();
  const take = (signal: EndSignal, count: "first" | "again") => {
    first ??= signal;
    const acted = act(signal);
    if (acted === "end" || (acted === "giving up" && count === "again")) {
      // A person who presses Ctrl-C twice does not want to wait; what stays behind is passed over by the others.
      void context.log.flush(LAST_WORDS_MS).then(() => process.exit(exitCodeOfSignal(signal)));
    }
  };
  const stop = onEndSignals(take);
  if (context.ci.product !== "none") {
    parentGone(abort.signal).then(() => {
      context.log.warn("the process that started this one is gone: ends as by SIGTERM");
      take("SIGTERM", "first");
    }, () => {});
  }
  return {
    get first() {
      return first;
    },
    stop() {
      abort.abort();
      stop();
    },
  };
}

/** The exit code of a program that a signal ended. */
export function exitCodeOfSignal(signal: EndSignal): number {
  return 128 + constants.signals[signal];
}
