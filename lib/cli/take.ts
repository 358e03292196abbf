/** Taking a lock, as `run` and `acquire` do: from their options to a client of the lock, and from its end to an exit code. */
import { randomBytes, randomInt } from "node:crypto";
import { clearInterval, setInterval } from "node:timers";
import type { Config, Lost, Result, State } from "../lock/driver.ts";
import type { Fate } from "../lock/expiry.ts";
import type { Holder } from "../lock/record.ts";
import type { LockStore } from "../lock/store.ts";
import type { Address } from "./connect.ts";
import type { Context } from "./context.ts";
import { formatDuration } from "./durations.ts";
import { Exit } from "./errors.ts";
import { StatusLine } from "./log.ts";
import type { Level, Logger } from "./log.ts";
import { howToLook } from "./look.ts";
import type { TakeOptions } from "./options.ts";
import { describeHolder, isStuck, waitLine } from "./prose.ts";
import { HELP } from "./read_lock.ts";
import { enclosingOf } from "./resolve.ts";
import { neutral, shellQuote } from "./text.ts";
import {
  describeOtherOrder,
  describePassed,
  howToMendNumber,
  howToMigrate,
  NO_RUN_NUMBER,
  secretOf,
} from "./v3.ts";

/** What `run` and `acquire` ask of the lock differently. */
export type Manner = Pick<Config, "work" | "onLost" | "resumed">;

/** The driver's configuration for what was asked. */
export function configFor(options: TakeOptions, manner: Manner): Config {
  const { target, holder, description, link } = options;
  return {
    identity: target.by === "object" ? null : target.identity,
    holder,
    description,
    link,
    mode: "exclusive",
    priority: 0,
    order: options.order,
    orderKey: options.runNumber,
    skipAfterMs: options.skipAfterMs,
    ttlMs: options.ttlMs,
    timeoutMs: options.timeoutMs,
    requestTimeoutMs: options.requestTimeoutMs,
    maxHoldMs: options.maxHoldMs,
    expiry: options.expiry,
    news: "watch",
    ...manner,
    grantPrefix: newGrantPrefix(),
    seed: randomInt(2 ** 31),
  };
}

/** 80 random bits in the letters that every store takes in a name. */
export function newGrantPrefix(): string {
  return BigInt(`0x${randomBytes(10).toString("hex")}`).toString(36).padStart(16, "0");
}

/** The driver's levels as the log's. */
export const LOG_LEVELS = {
  debug: "debug",
  info: "info",
  warn: "warning",
} as const satisfies Record<string, Level>;

/** Says what the driver tells. */
export function tellBy(log: Logger): (level: keyof typeof LOG_LEVELS, text: string) => void {
  return (level, text) => log[level](text);
}

/** Tells who waits how the wait goes on. */
export class WaitTeller {
  readonly #line: StatusLine;
  #begun = false;
  #ticker: ReturnType<typeof setInterval> | null = null;

  /** Says nothing before the first step that waits. */
  constructor(
    readonly context: Context,
    readonly options: TakeOptions,
    readonly store: LockStore,
    readonly address: Address,
  ) {
    this.#line = new StatusLine(context.log, context.monotonicMs);
  }

  /** Called after each step of the driver. */
  changed(state: State): void {
    const record = state.known?.record;
    const waits = state.phase === "waiting" || state.phase === "trying";
    if (state.phase === "arriving" && state.outage && state.lastFailure !== null) {
      const { message } = state.lastFailure;
      // What changes with each try is no news.
      const key = message.replace(/\d[\d.]*/g, "");
      return this.#line.update(`not in line yet: ${neutral(message)}`, key);
    }
    if (!waits || (state.phase === "waiting" && state.ticket === null)) {
      if (!waits) this.end();
      return;
    }
    if (!this.#begun && state.phase === "waiting") {
      this.#begun = true;
      for (const line of howToLook(this.options.target.object, this.address)) {
        this.context.log.info(line);
      }
      void this.#warnOfOwn(record?.holders ?? []);
    }
    this.#show(state, 0);
    this.#keepShowing(state);
  }

  /** Ages grow also where nothing happens: at a terminal second by second, in a log seldom. */
  #keepShowing(state: State): void {
    const { monotonicMs, log } = this.context;
    const since = monotonicMs();
    clearInterval(this.#ticker ?? undefined);
    this.#ticker = setInterval(
      () => this.#show(state, monotonicMs() - since),
      log.updates ? 1000 : 15_000,
    );
    this.#ticker.unref();
  }

  /** @param ageMs how old that state is */
  #show(state: State, ageMs: number): void {
    const record = state.known?.record;
    if (!record) return this.#line.update("waiting: there is no record yet", "none");
    const turnMs = turnAge(state);
    const { text, key } = waitLine(
      record,
      {
        grant: state.grant,
        position: state.position,
        length: Math.max(state.queueLength, state.position),
      },
      this.context.wall(),
      { turnMs: turnMs === null ? null : turnMs + ageMs, fates: fatesOf(state) },
    );
    const away = state.outage && state.lastFailure !== null ? " (the store does not answer)" : "";
    this.#line.update(`${text}${away}`, `${key}${away}`);
  }

  /** Whoever waits for oneself is told so. */
  async #warnOfOwn(holders: readonly Holder[]): Promise<void> {
    const { context, address, store, options } = this;
    const lock = neutral(options.target.lock);
    // Loaded here, as most never wait.
    const { grantsOf, jobFolder } = await import("./job.ts");
    const around = enclosingOf(context.env).grants;
    const own = grantsOf(context, jobFolder(context, address), store.object);
    for (const { grant } of holders) {
      if (around.includes(grant)) {
        context.log.warn(
          `the run around this command holds ${lock} (grant ${grant}) and waits for this one to end: neither goes on before the other`,
        );
      } else if (own.includes(grant)) {
        context.log.warn(
          `this job holds ${lock} already (grant ${grant}): this one waits until that is given back (k8s-lock release ${
            shellQuote(options.target.lock)
          })`,
        );
      }
    }
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#ticker ?? undefined);
    this.#ticker = null;
    this.#line.end();
  }
}

/** By grant, what is known of the holders' jobs. */
function fatesOf({ inquiries }: State): ReadonlyMap<string, Fate> {
  return new Map(inquiries.flatMap(({ grant, fate }) => fate === null ? [] : [[grant, fate]]));
}

function turnAge(state: State): number | null {
  const first = state.sight.turns[0];
  return first === undefined ? null : state.now - first.since;
}

/** Why a lock was lost, in one line. */
export function describeLost(lost: Lost): string {
  const by = (who: string | null) => who === null || who === "" ? "somebody" : neutral(who);
  switch (lost.kind) {
    case "silent":
      return `it was not renewed for ${formatDuration(lost.seconds * 1000)}: ${
        neutral(lost.cause)
      }`;
    case "expired":
      return `${by(lost.by)} took it over because this holder was silent for its TTL${
        lost.token === null ? "" : ` (the last token is ${lost.token} now)`
      }`;
    case "broken":
      return `it was broken by ${by(lost.by)}${lost.reason ? `: ${neutral(lost.reason)}` : ""}`;
    case "deleted":
      return "its record was deleted";
    case "wiped":
      return `somebody wrote over the record without knowing this hold, as version 3 does (its number is ${lost.next} now)`;
    case "passed":
      return `its number was moved on from ${lost.number} to ${lost.next} while it was held`;
    case "gone":
      return "the record does not name this hold any more";
    case "damaged":
      return `its record cannot be used any more: ${neutral(lost.message)}`;
    case "max_hold":
      return `it was held for the longest time allowed (--max-hold ${
        formatDuration(lost.seconds * 1000)
      })`;
  }
}

/** How a client's end is said, and the exit code for it. */
export interface End {
  /** The exit code. */
  readonly code: number;
  /** `debug` where nobody has to be told. */
  readonly level: "error" | "warn" | "info" | "debug";
  /** Harmless, one sentence. */
  readonly message: string;
}

/**
 * The end of a client that was to take a lock.
 *
 * @param busyCode what "not in time" exits with
 */
export function endOf(result: Result, options: TakeOptions, state: State, busyCode: number): End {
  const lock = neutral(options.target.lock);
  const waited = formatDuration(state.now - state.startedAt);
  switch (result.kind) {
    case "released":
      return { code: Exit.done, level: "debug", message: `gave ${lock} back` };
    case "handed_over":
      return { code: Exit.done, level: "debug", message: `holds ${lock}` };
    case "busy":
      return {
        code: busyCode,
        level: "error",
        message: options.timeoutMs === 0
          ? `${lock} is not free${holders(state)}`
          : `did not get ${lock} within ${formatDuration(options.timeoutMs ?? 0)}${holders(state)}`,
      };
    case "dropped":
      return {
        code: busyCode,
        level: "error",
        message: `dropped from the queue of ${lock} by ${neutral(result.by ?? "") || "somebody"}${
          result.reason ? `: ${neutral(result.reason)}` : ""
        }`,
      };
    case "gave_up":
      return {
        code: Exit.terminated,
        level: "warn",
        message: `gave up waiting for ${lock} after ${waited}`,
      };
    case "lost":
      return {
        code: Exit.lost,
        level: "error",
        message: `lost ${lock}: ${describeLost(result.lost)}`,
      };
    case "not_holder":
      return { code: Exit.notHolder, level: "error", message: `this job does not hold ${lock}` };
    case "unreachable":
    case "refused":
      return {
        code: options.store === "local" ? Exit.unusable : Exit.unreachable,
        level: "error",
        message: neutral(result.message, 2000),
      };
    case "passed":
    case "other_order":
    case "no_number":
      return { level: "error", ...orderEnd(result, options) };
    case "unusable":
      return {
        code: Exit.unusable,
        level: "error",
        // A local file's message is a sentence of its own.
        message: options.store === "local" && result.message.includes(options.localPath)
          ? neutral(result.message, 2000)
          : `the record of ${lock} cannot be used: ${neutral(result.message, 2000)}${
            whatHelps(result.message, options)
          }`,
      };
  }
}

/** The end of one that cannot take turns in the order of the record. */
function orderEnd(
  result: Extract<Result, { kind: "passed" | "other_order" | "no_number" }>,
  options: TakeOptions,
): Pick<End, "code" | "message"> {
  const lock = neutral(options.target.lock);
  switch (result.kind) {
    case "passed": {
      const why = describePassed(result, options, options.runAttempt);
      return { code: Exit.unusable, message: `${lock}: ${why}` };
    }
    case "other_order": {
      const why = describeOtherOrder(result.stands, options);
      return { code: Exit.unusable, message: `${lock}: ${why}` };
    }
    case "no_number":
      return {
        code: Exit.usage,
        message: `${lock}: the record is in version 3's form; ${NO_RUN_NUMBER}. ${
          howToMigrate(options, "today")
        } brings it into today's form`,
      };
  }
}

/** What helps where the record cannot be used, if the message does not say it itself. */
function whatHelps(message: string, options: TakeOptions): string {
  if (/\.$|another name$/.test(message)) return "";
  const number = howToMendNumber(message, secretOf(options));
  if (number !== null) return `; ${number}`;
  return `; ${HELP[/ newer k8s-lock /.test(message) ? "newer" : "damaged"]}`;
}

function holders(state: State): string {
  const fates = fatesOf(state);
  const wall = new Date(state.wall);
  const names = state.known?.record?.holders.map((one) => {
    const link = one.link === "" ? "" : ` (${neutral(one.link)})`;
    const stuck = isStuck(one, wall) || fates.has(one.grant);
    const why = stuck ? `; ${describeHolder(one, wall, fates.get(one.grant))}` : "";
    return `${neutral(one.holder)}${link}${why}`;
  }) ?? [];
  return names.length === 0 ? "" : `: held by ${names.join(", ")}`;
}
