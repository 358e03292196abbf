/** `break`: a person takes the lock away from its holder, or drops a waiter. */
import process from "node:process";
import { createInterface } from "node:readline";
import { breakLock, untilGivenUp } from "../lock/people.ts";
import type { Broken } from "../lock/people.ts";
import type { LockStore } from "../lock/store.ts";
import { ofStore, openStores, patienceFor, persistently } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { formatDuration } from "./durations.ts";
import { CliError, Exit, usage } from "./errors.ts";
import type { BreakOptions } from "./options.ts";
import { describeHolder } from "./prose.ts";
import { readLock } from "./read_lock.ts";
import type { SeenLock } from "./read_lock.ts";
import { neutral } from "./text.ts";
import { resetCommand, secretOf } from "./v3.ts";

/** Resolves with 0 when the place is free. Throws {@link CliError}. */
export async function breakCommand(
  options: BreakOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { stores } = await open(options, context);
  try {
    const store = stores.open(options.target.object, options.target.lock);
    const seen = await persistently(
      () => readLock(store, options.target),
      options.requestTimeoutMs,
      options.store,
      context,
    );
    const grants = chosen(options, seen);
    if (grants.length === 0) {
      const { next_build: number } = seen.record;
      const byNumber = number === undefined
        ? ""
        : ` (in version 3's form run ${number} may be at work all the same, which cannot be seen; to say that another run is next: ${
          resetCommand(secretOf(options), "NUMBER")
        })`;
      context.log.info(
        `nobody holds ${neutral(options.target.lock)}: there is nothing to break${byNumber}`,
      );
      return Exit.done;
    }
    for (const line of describe(seen, grants, context.wall())) context.stdout(line);
    await agreed(options, context);
    return await carryOut(options, context, store, grants);
  } finally {
    stores.close();
  }
}

/** Whose grants are to be broken. */
function chosen({ whom, target }: BreakOptions, { record, queue }: SeenLock): string[] {
  const holders = record.holders.map(({ grant }) => grant);
  if (whom.kind === "all") return holders;
  if (whom.kind === "grant") {
    const known = [...holders, ...queue.map(({ ticket }) => ticket.grant)];
    const found = known.filter((grant) => grant === whom.grant);
    const several = known.filter((grant) => grant.startsWith(whom.grant));
    // The beginning of a grant is enough where it says which.
    const [only, ...others] = found.length > 0 ? found : several;
    if (only === undefined) {
      throw new CliError(
        Exit.notHolder,
        `nobody with the grant ${neutral(whom.grant)} holds ${
          neutral(target.lock)
        } or waits for it (k8s-lock status shows the grants)`,
      );
    }
    if (others.length > 0) {
      throw usage(
        `${neutral(whom.grant)} is the beginning of several grants: ${several.join(", ")}`,
      );
    }
    return [only];
  }
  if (holders.length > 1) {
    throw usage(
      `${neutral(target.lock)} has ${holders.length} holders; say --all, or --grant with one of ${
        holders.join(", ")
      }`,
    );
  }
  return holders;
}

function describe({ record, queue }: SeenLock, grants: readonly string[], wall: Date): string[] {
  const lines: string[] = [];
  for (const holder of record.holders.filter(({ grant }) => grants.includes(grant))) {
    lines.push(
      `${describeHolder(holder, wall)} (grant ${neutral(holder.grant)}, token ${holder.token})`,
    );
    if (holder.link !== "") lines.push(`  ${neutral(holder.link)}`);
  }
  for (const { ticket } of queue.filter(({ ticket }) => grants.includes(ticket.grant))) {
    lines.push(`waiting: ${neutral(ticket.holder)} (grant ${neutral(ticket.grant)})`);
    if (ticket.link !== "") lines.push(`  ${neutral(ticket.link)}`);
  }
  return lines;
}

/** Asks at a terminal. Throws {@link CliError} where the answer is no, or nobody can be asked. */
async function agreed({ ask, how }: BreakOptions, context: Context): Promise<void> {
  if (ask === "no") return;
  if (!context.stdinIsTerminal) {
    throw usage("nobody can be asked without a terminal; say --yes to break it all the same");
  }
  const question = how === "now"
    ? "Take it away at once? Its work may still run while the next one begins [y/N] "
    : "Break it? [y/N] ";
  const answer = await answerTo(question);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(Exit.usage, "nothing was changed");
}

/** What a person types; nothing when the input ends. Ctrl-C ends this program as ever. */
async function answerTo(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    process.stderr.write(question);
    return await new Promise((resolve) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(""));
    });
  } finally {
    lines.close();
  }
}

async function carryOut(
  options: BreakOptions,
  context: Context,
  store: LockStore,
  grants: readonly string[],
): Promise<number> {
  const { log, monotonicMs } = context;
  const lock = neutral(options.target.lock);
  const order = {
    grants,
    how: options.how === "now" ? "now" : "in order",
    by: options.by,
    reason: options.reason,
  } as const;
  try {
    const patience = patienceFor(options.requestTimeoutMs, context);
    const broken: Broken = await breakLock(store, order, patience);
    for (const { ticket } of broken.waiters) {
      log.info(`dropped ${neutral(ticket.holder)} from the queue of ${lock}`);
    }
    for (const holder of broken.holders) {
      const name = neutral(holder.holder);
      if (options.how === "now") {
        log.warn(`took ${lock} away from ${name} at once; its work may still run until it notices`);
        continue;
      }
      log.info(
        `told ${name} to stop; waiting until it has given ${lock} up, at most ${
          formatDuration(holder.ttl_seconds * 1000)
        } after its last sign of life`,
      );
      const way = await untilGivenUp(store, holder, options.by, monotonicMs);
      log.info(
        way === "given up"
          ? `${name} gave ${lock} up`
          : `${name} did not answer for its whole TTL and was removed`,
      );
    }
    if (broken.holders.length + broken.waiters.length === 0) {
      log.info(`${lock} was given back in the meantime: there was nothing left to break`);
    }
    return Exit.done;
  } catch (error) {
    throw ofStore(error, options.store);
  }
}
