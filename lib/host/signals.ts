/** What tells this process to end: signals, and the death of its parent. */
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";

/** The signals that mean: end in good order. */
export type EndSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
const END_SIGNALS: readonly EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Told of each signal: `first`, or `again` when the same one came before. */
export type OnEndSignal = (signal: EndSignal, count: "first" | "again") => void;

/**
 * From now on SIGINT, SIGTERM and SIGHUP do not end this process: they are told. A repeated one is told as such, for people
 * who press Ctrl-C twice.
 *
 * @returns lets the signals end the process again, as before.
 */
export function onEndSignals(tell: OnEndSignal): () => void {
  const seen = new Set<EndSignal>();
  const listeners = END_SIGNALS.map((name) => {
    const listener = () => {
      const count = seen.has(name) ? "again" : "first";
      seen.add(name);
      tell(name, count);
    };
    try {
      process.on(name, listener);
    } catch {
      // Windows does not have them all.
    }
    return () => process.off(name, listener);
  });
  return () => listeners.forEach((stop) => stop());
}

/** Who started this process, as early as it can be known: it may die before anybody asks. */
const PARENT = process.ppid;
/** How often the parent is looked at. */
const LOOK_MS = 200;

/**
 * Resolves when the process that started this one is dead, and never where that cannot be seen (Windows, or when it is dead
 * already). A CI that cancels a step kills its shell, and tells the shell's children nothing.
 *
 * @param signal ends the watch; the promise then rejects with its reason.
 */
export function parentGone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      // An orphan gets another parent: process 1, or whoever adopts orphans here.
      if (process.ppid === PARENT) return;
      clearInterval(timer);
      resolve();
    }, LOOK_MS);
    const stop = () => {
      clearInterval(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
