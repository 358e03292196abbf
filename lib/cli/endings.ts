/** What asks a command to end: signals, and in a CI the death of its parent. */
import { constants } from "node:os";
import process from "node:process";
import { onEndSignals, parentGone } from "../host/signals.ts";
import type { EndSignal } from "../host/signals.ts";
import type { Context } from "./context.ts";

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
 * @param act returns `handled` where a repeated signal is somebody's affair, else the program ends at once
 */
export function watchEndings(
  context: Context,
  act: (signal: EndSignal) => "handled" | "giving up",
): Endings {
  let first: EndSignal | null = null;
  const abort = new AbortController();
  const take = (signal: EndSignal, count: "first" | "again") => {
    first ??= signal;
    if (act(signal) === "giving up" && count === "again") {
      // A person who presses Ctrl-C twice does not want to wait; what stays behind is passed over by the others.
      process.exit(128 + constants.signals[signal]);
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
