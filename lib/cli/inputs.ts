/**
 * The inputs of the GitHub action, which reach the program as variables: `K8S_LOCK_INPUT_TIMEOUT` for `timeout`. An input that was
 * left out is an empty variable; then the option's own variable counts, and then its default.
 */
import type { Env } from "../ci/detect.ts";
import { usage } from "./errors.ts";
import { longName } from "./flags.ts";
import type { Flag } from "./flags.ts";
import { Given } from "./given.ts";
import type { GivenText } from "./given.ts";
import { neutral } from "./text.ts";

const PREFIX = "K8S_LOCK_INPUT_";

/** Inputs that are not called as their options are. */
const RENAMED: ReadonlyMap<string, string> = new Map([["context", "kube_context"]]);

/** Options that are no inputs, and why they need not be. */
export const NO_INPUTS: ReadonlyMap<string, string> = new Map([
  ["--local", "store: local says it"],
  ["--watch-pid", "the action watches the runner's process of the job"],
  ["--no-renew", "release: never says it"],
  ["--output", "the results are the step's outputs"],
  ["--quiet", "a job's log is short as it is"],
  ["--verbose", "GitHub's own debug logging does it"],
  ["--log-format", "in a job of GitHub it is GitHub's"],
]);

/** The name of the input that stands for an option. */
export function inputName(flag: Flag): string {
  const name = longName(flag).slice(2).replaceAll("-", "_");
  return RENAMED.get(name) ?? name;
}

/** Which of its three things the action does, and how its lock ends. */
export interface Deeds {
  /** What the step is to do. */
  readonly command: "acquire" | "release" | "verify";
  /** `post`: the lock is given back when the job ends. `never`: it stays, for one TTL. */
  readonly release: "post" | "never";
}

/** The options as the action's inputs give them. */
export class Inputs extends Given {
  #env: Env;
  /** What the action itself says, by the option's long name. */
  #said = new Map<string, string>();

  /** Those that the variables of the step hold. */
  constructor(env: Env) {
    super({}, env);
    this.#env = env;
  }

  /** The value of an input, or null. */
  value(name: string): string | null {
    const value = this.#env[`${PREFIX}${name.toUpperCase()}`] ?? "";
    return value.trim() === "" ? null : value;
  }

  /** The input, else the option's variable. */
  override text(flag: Flag): GivenText | null {
    const said = this.#said.get(longName(flag));
    if (said !== undefined) return { text: said, from: longName(flag), typed: true };
    const text = this.value(inputName(flag));
    return text === null ? super.text(flag) : { text, from: inputName(flag), typed: true };
  }

  /** An input that is `true`, or what the action itself has said. */
  override has(flag: Flag): boolean {
    if (this.#said.has(longName(flag))) return true;
    if (NO_INPUTS.has(longName(flag))) return false;
    return this.word(inputName(flag), ["true", "false"], "false") === "true";
  }

  /** From now on {@link has} is true of that option. */
  set(flag: Flag): void {
    this.#said.set(longName(flag), "");
  }

  /** From now on that option has this value. */
  give(flag: Flag, value: string): void {
    this.#said.set(longName(flag), value);
  }

  /** The lock's name, where one was given. */
  get lock(): string | null {
    return this.value("lock_name");
  }

  /**
   * What is to be done.
   *
   * @throws {CliError} (exit 2)
   */
  get deeds(): Deeds {
    return {
      command: this.word("command", ["acquire", "release", "verify"], "acquire"),
      release: this.word("release", ["post", "never"], "post"),
    };
  }

  /**
   * One of the words that an input takes.
   *
   * @throws {CliError} (exit 2) for any other
   */
  word<T extends string>(name: string, words: readonly [T, ...T[]], fallback: T): T {
    const given = this.value(name);
    if (given === null) return fallback;
    const found = words.find((word) => word === given.trim());
    if (found !== undefined) return found;
    throw usage(`${name}: "${neutral(given, 40)}" is none of ${words.join(", ")}`);
  }
}
