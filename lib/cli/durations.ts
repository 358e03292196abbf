/** Durations as people write and read them. Inside the program they are milliseconds. */
import { usage } from "./errors.ts";
import { neutral } from "./text.ts";

/** The longest duration that is taken: 365 days. Anything above is a slip, and far from what timers can do. */
export const MAX_DURATION_MS = 365 * 24 * 3600 * 1000;

/** The least time to live: with less, one slow request costs a living holder its lock. */
export const LEAST_TTL_MS = 5000;

const UNITS: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
]);

const EXAMPLES = "write it as 90s, 15m, 2h, 1h30m or whole seconds";

/**
 * `text` in milliseconds: `90s`, `15m`, `2h`, `1h30m`, `500ms`, or whole seconds.
 *
 * @param from what was read, for the message: `--timeout`, `K8S_LOCK_TIMEOUT`
 * @throws {CliError} (exit 2) when it is no duration, or too long
 */
export function parseDuration(text: string, from: string): number {
  const written = text.trim();
  const refused = (why: string) => usage(`${from}: ${quoted(text)} ${why}; ${EXAMPLES}`);
  if (written === "") throw refused("is empty");
  if (/^-\s*\d/.test(written)) throw refused("is negative");

  let milliseconds: number;
  if (/^\d+$/.test(written)) {
    milliseconds = Number(written) * 1000;
  } else {
    // The largest unit first, each at most once.
    const parts = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(written);
    if (parts === null) throw refused("is not a duration");
    milliseconds = [...UNITS.values()].reduce(
      (sum, unit, index) => sum + Number(parts[index + 1] ?? 0) * unit,
      0,
    );
  }
  if (milliseconds > MAX_DURATION_MS) throw refused("is longer than 365 days");
  return milliseconds;
}

/** As it may stand in a sentence. */
function quoted(text: string): string {
  return JSON.stringify(neutral(text, 40));
}

/**
 * {@link parseDuration}, but not less than `leastMs` and not more than `mostMs`.
 *
 * @throws {CliError} (exit 2)
 */
export function parseDurationWithin(
  { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number },
  text: string,
  from: string,
): number {
  const milliseconds = parseDuration(text, from);
  const refused = (why: string) => usage(`${from}: ${quoted(text)} is too ${why}`);
  if (milliseconds < leastMs) throw refused(`short; at least ${exact(leastMs)}`);
  if (milliseconds > mostMs) throw refused(`long; at most ${formatDuration(mostMs)}`);
  return milliseconds;
}

/** A bound in the words of the option it is for. */
function exact(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}

/** A duration for people, rounded down to what they care about: `less than 1 s`, `41 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "less than 1 s";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** `, after 3 s` of a wait; nothing where there was none to speak of. */
export function afterWait(milliseconds: number): string {
  return milliseconds < 1000 ? "" : `, after ${formatDuration(milliseconds)}`;
}

function withRest(whole: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${restUnit}`;
}
