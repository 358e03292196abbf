/** `migrate`: a record of version 3 into today's form, and back. */
import { migrateLock } from "../lock/migrate.ts";
import type { Form, Migrated } from "../lock/migrate.ts";
import { StoreError } from "../lock/store.ts";
import { ofStore, openStores, patienceFor } from "./connect.ts";
import type { OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit, usage } from "./errors.ts";
import { describeIdentity } from "./names.ts";
import type { MigrateOptions } from "./options.ts";
import { neutral } from "./text.ts";
import { howToMendNumber, ownFlags, secretOf } from "./v3.ts";

/** Resolves with 0 when the record is in the form that was asked for, or there is none. Throws {@link CliError}. */
export async function migrateCommand(
  options: MigrateOptions,
  context: Context,
  open: OpenStores = openStores,
): Promise<number> {
  const { target, how } = options;
  const { stores } = await open(options, context);
  try {
    const store = stores.open(target.object, target.lock);
    const { nextBuild, runNumber } = options;
    const to: Form = options.to === "today" ? "today" : { nextBuild, runNumber };
    const order = { to, identity: target.identity, how };
    const migrated = await migrateLock(
      store,
      order,
      patienceFor(options.requestTimeoutMs, context),
    );
    return told(options, context, store.object, migrated);
  } catch (error) {
    if (error instanceof StoreError && error.kind === "unusable") {
      const mend = howToMendNumber(error.message, secretOf(options));
      if (mend !== null) throw new CliError(Exit.unusable, `${error.message}; ${mend}`);
    }
    throw ofStore(error, options.store);
  } finally {
    stores.close();
  }
}

function told(
  options: MigrateOptions,
  context: Context,
  object: string,
  migrated: Migrated,
): number {
  const { target, to, how } = options;
  const lock = neutral(target.lock);
  const form = to === "today" ? "today's form" : "version 3's form";
  switch (migrated.kind) {
    case "changed":
      for (const line of warnings(migrated)) context.log.warn(line);
      context.stdout(
        `${object}: ${how === "look" ? "would be brought" : "brought"} into ${form}${
          numberOf(migrated)
        }`,
      );
      return Exit.done;
    case "missing":
      context.stdout(`${object}: there is no record, and nothing to do`);
      return Exit.done;
    case "there":
      context.stdout(`${object}: is in ${form} already`);
      return Exit.done;
    case "in_use": {
      const holders = migrated.before?.holders.map(({ holder }) => neutral(holder)) ?? [];
      const waiters = migrated.queue.map(({ ticket }) => neutral(ticket.holder));
      const who = holders.length > 0
        ? `held by ${holders.join(", ")}`
        : `waited for by ${waiters.join(", ") || "one whose turn it is"}`;
      throw new CliError(
        Exit.notInTime,
        `${lock} is ${who}: nothing was changed. Those that hold or wait go by the form that they found; run this again when nobody does. One that is dead may stay until a person takes it off: ${
          howToTakeOff(options, migrated)
        }`,
      );
    }
    case "nameless":
      throw usage(
        `a record of version 3 does not say which lock it is: name it instead of --object, for example: k8s-lock migrate deploy --repo OWNER/REPO`,
      );
    case "another":
      throw new CliError(
        Exit.unusable,
        `${object} keeps another lock: ${
          describeIdentity(migrated.identity)
        }; name that one, or use --object to mean the record itself`,
      );
    case "numberless":
      throw usage(
        "which run is next? Version 3 waits for exactly one number: say --next-build with that of the next run of the workflow",
      );
    case "too_big":
      throw new CliError(
        Exit.unusable,
        `${lock} has more than one place, or a pool: version 3 knows neither`,
      );
  }
}

/** By its number a dead one may stand for ever: nobody's turn comes before its own. */
function howToTakeOff(options: MigrateOptions, { before, queue }: Migrated & { kind: "in_use" }) {
  const first = before?.holders[0]?.grant ?? queue[0]?.ticket.grant ?? before?.turn[0] ?? "GRANT";
  return `k8s-lock break ${ownFlags(options)} --grant ${neutral(first)}`;
}

function numberOf({ before, after }: Extract<Migrated, { kind: "changed" }>): string {
  return after.next_build === undefined
    ? ` (run ${before.next_build} was next)`
    : `: run ${after.next_build} is next`;
}

/** What nobody can see from here. */
function warnings({ before, after }: Extract<Migrated, { kind: "changed" }>): string[] {
  if (after.next_build !== undefined) {
    return [
      `version 3 lets run ${after.next_build} in and no other: if that run never takes the lock, all later ones wait for it`,
    ];
  }
  return [
    `a job of version 3 holds by the number alone and cannot be seen: make sure that run ${before.next_build} is not at work, and that no job of version 3 uses this lock any more (one that waits would wait until its job's timeout; one that ends may wipe the record, which counts as its deletion)`,
  ];
}
