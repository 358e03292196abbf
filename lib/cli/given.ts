/** What was given: options as they were typed, environment variables where they were not. */
import type { Env } from "../ci/detect.ts";
import { MAX_DURATION_MS, parseDurationWithin } from "./durations.ts";
import { usage } from "./errors.ts";
import { longName } from "./flags.ts";
import type { Flag } from "./flags.ts";
import { neutral } from "./text.ts";

/** A text, and what to call its origin when it is wrong: `--ttl`, `K8S_LOCK_TTL`. */
export interface GivenText {
  /** As it was given, blanks included. */
  readonly text: string;
  /** The option's long name, or the variable's. */
  readonly from: string;
  /** True when it was typed as an option. */
  readonly typed: boolean;
}

/** An option that takes only these words. */
export type ChoiceFlag<T extends string> = Omit<Flag, "choices"> & {
  readonly choices: readonly T[];
};

/** Reads options with their variables: what is typed comes first, an empty variable counts as unset. */
export class Given {
  #values: ReadonlyMap<string, unknown>;
  #env: Env;

  /** `values` is as commander keeps them: by the option's long name in camel case. */
  constructor(values: Readonly<Record<string, unknown>>, env: Env) {
    this.#values = new Map(Object.entries(values));
    this.#env = env;
  }

  /** The value of an option, or null. */
  text(flag: Flag): GivenText | null {
    const name = longName(flag);
    const typed = this.#values.get(key(name));
    if (typeof typed === "string") return { text: typed, from: name, typed: true };
    const variable = flag.env === undefined ? undefined : this.#env[flag.env];
    if (flag.env === undefined || variable === undefined || variable.trim() === "") return null;
    return { text: variable, from: flag.env, typed: false };
  }

  /** True when an option without a value was typed. */
  has(flag: Flag): boolean {
    const name = longName(flag);
    // commander keeps `--no-renew` as `renew`, which is true until it is typed.
    return name.startsWith("--no-")
      ? this.#values.get(key(name.replace("--no-", "--"))) === false
      : this.#values.get(key(name)) === true;
  }

  /**
   * One of the words that the option takes.
   *
   * @throws {CliError} (exit 2) for any other
   */
  choice<T extends string>(
    flag: ChoiceFlag<T>,
    fallback: T,
    refusals: ReadonlyMap<string, string> = new Map(),
  ): T {
    const given = this.text(flag);
    if (given === null) return fallback;
    const word = given.text.trim();
    const found = flag.choices.find((choice) => choice === word);
    if (found !== undefined) return found;
    const shown = neutral(word, 40);
    throw usage(
      refusals.get(word) ?? `${given.from}: "${shown}" is none of ${flag.choices.join(", ")}`,
    );
  }

  /**
   * A duration in milliseconds, or null when none was given.
   *
   * @throws {CliError} (exit 2)
   */
  duration(flag: Flag, leastMs: number, mostMs = MAX_DURATION_MS): number | null {
    const given = this.text(flag);
    if (given === null) return null;
    return parseDurationWithin({ leastMs, mostMs }, given.text, given.from);
  }

  /**
   * A whole number, or null when none was given.
   *
   * @throws {CliError} (exit 2)
   */
  integer(flag: Flag, least: number, most = Number.MAX_SAFE_INTEGER): number | null {
    const given = this.text(flag);
    if (given === null) return null;
    const written = given.text.trim();
    const value = /^\d+$/.test(written) ? Number(written) : NaN;
    if (!(value >= least && value <= most)) {
      const bounds = most === Number.MAX_SAFE_INTEGER
        ? `a whole number of at least ${least}`
        : `a whole number from ${least} to ${most}`;
      throw usage(`${given.from}: "${neutral(written, 40)}" is not ${bounds}`);
    }
    return value;
  }
}

/** `--local-path` as commander keeps it: `localPath`. */
function key(name: string): string {
  return name.replace(/^--/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
