/** `acquire`: takes the lock and leaves a renewer in the background, for a later `release` of the same job. */
import { resolve } from "node:path";
import process from "node:process";
import { setOutputs } from "../ci/github.ts";
import { processAlive, processStatus } from "../host/processes.ts";
import {
  readState,
  removeStale,
  removeState,
  renewerLog,
  stopRenewer,
  tombstones,
  writeState,
} from "../host/state.ts";
import type { LockState } from "../host/state.ts";
import { RenewerError, startRenewer } from "../host/renewer.ts";
import type { State } from "../lock/driver.ts";
import { runLock, SYSTEM_CLOCK } from "../lock/lock.ts";
import type { LockClient } from "../lock/lock.ts";
import { holderOf } from "../lock/queue.ts";
import type { LockStore } from "../lock/store.ts";
import { bypassed } from "./bypass.ts";
import { openStores } from "./connect.ts";
import type { Address, OpenStores } from "./connect.ts";
import type { Context } from "./context.ts";
import type { JournalKeeper } from "./journal.ts";
import { afterWait, formatDuration } from "./durations.ts";
import { exitCodeOfSignal, watchEndings } from "./endings.ts";
import type { EndSignal } from "../host/signals.ts";
import { CliError, Exit, usage } from "./errors.ts";
import { addressText, jobFolder, usable } from "./job.ts";
import type { AcquireOptions } from "./options.ts";
import { questionsBy } from "./questions.ts";
import type { RenewerJob } from "./renewer_main.ts";
import { summarizeTaken } from "./summary.ts";
import { configFor, endOf, tellBy, WaitTeller } from "./take.ts";
import { neutral } from "./text.ts";

/** Resolves with 0 when the lock is held, or with `--on-busy skip` when it is not. Throws {@link CliError}. */
export async function acquireCommand(
  options: AcquireOptions,
  context: Context,
  open: OpenStores = openStores,
  keep: KeepJournal | null = null,
): Promise<number> {
  if (bypassed(context, "acquire", options.target.lock)) {
    outputs(context, new Map([["acquired", "true"], ["token", ""], ["grant", ""]]));
    if (options.output === "json") {
      const { holder, target: { lock } } = options;
      const none = { object: null, grant: null, holder, token: null, slot: null, slot_name: null };
      context.stdout(JSON.stringify({ lock, ...none, mode: null, waited_seconds: 0 }));
    }
    return Exit.done;
  }
  const { watchPid } = options;
  if (watchPid !== null && !processAlive(watchPid, null)) {
    throw usage(
      `--watch-pid: there is no process ${watchPid}, so nothing would be renewed; a shell says --watch-pid $$`,
    );
  }
  const { stores, address } = await open(options, context);
  try {
    const store = stores.open(options.target.object, options.target.lock);
    const journal = await keep?.(address, jobFolder(context, address), store) ?? null;
    return await new Acquiring(options, context, store, address, journal).run();
  } finally {
    stores.close();
  }
}

/**
 * Makes the journal of a use of the GitHub action, once it is known where the lock is kept. Throws where this use is one too
 * many.
 */
export type KeepJournal = (
  address: Address,
  stateFolder: string,
  store: LockStore,
) => Promise<JournalKeeper>;

/** One acquire under way. */
class Acquiring {
  readonly #folder: string;
  #written: string | null = null;
  /** All grants that were asked for. */
  readonly #asked: string[] = [];
  #failure: unknown = null;
  #signal: EndSignal | null = null;
  #held: State | null = null;

  constructor(
    readonly options: AcquireOptions,
    readonly context: Context,
    readonly store: LockStore,
    readonly address: Address,
    readonly journal: JournalKeeper | null,
  ) {
    this.#folder = jobFolder(context, address);
  }

  async run(): Promise<number> {
    const { options, context, store } = this;
    usable(() => removeStale(this.#folder));
    const config = configFor(options, { work: "steps", onLost: "warn", resumed: null });
    const waits = new WaitTeller(context, options, store, this.address);
    let client: LockClient | null = null;
    let early: "give_up" | null = null;
    let buried = false;
    const giveUp = () => {
      if (client === null) early = "give_up";
      else client.send({ kind: "give_up" });
    };
    client = runLock(config, store, SYSTEM_CLOCK, {
      tell: tellBy(context.log),
      ...questionsBy(context),
      prepare: (state) => this.#remember(state),
      changed: (state) => {
        waits.changed(state);
        // Once: this is called again by the step that giving up is.
        if (!buried && state.phase !== "over" && this.#isBuried()) {
          buried = true;
          giveUp();
        }
      },
      startWork: (state) => {
        waits.end();
        // In a later turn of the event loop, as the client may be still under construction.
        queueMicrotask(() => void this.#handOver(state, () => client));
      },
      stopWork() {},
    });
    if (early !== null) client.send({ kind: "give_up" });
    const endings = watchEndings(context, (signal) => {
      this.#signal ??= signal;
      giveUp();
      return "giving up";
    });
    try {
      const state = await usableAsync(client.over);
      if (this.#failure !== null) {
        this.#forget(state);
        outputs(context, new Map([["acquired", "false"]]));
        throw this.#failure;
      }
      return this.#end(state, endings.first === null ? null : exitCodeOfSignal(endings.first));
    } finally {
      endings.stop();
      waits.end();
    }
  }

  /** A `release` of this job has begun in the meantime. */
  #isBuried(): boolean {
    if (this.journal?.isGivenBack) return true;
    // It may have been about an earlier grant of this acquire, taken back in the meantime.
    return this.#asked.some((grant) => tombstones(this.#folder, [grant]) !== "");
  }

  /** Throws when nobody wants the lock any more that was got. */
  #demandWanted(): void {
    if (this.#isBuried()) throw this.#released();
    if (this.#signal === null) return;
    const lock = neutral(this.options.target.lock);
    throw new CliError(
      exitCodeOfSignal(this.#signal),
      `ended by ${this.#signal}; ${lock} is given back`,
    );
  }

  #released(): CliError {
    return new CliError(
      Exit.terminated,
      `gave up waiting for ${neutral(this.options.target.lock)}: a release of this job has begun`,
    );
  }

  /** Each grant is in the state file before the first request that carries it. */
  #remember(state: State): void {
    if (state.phase === "over" || state.phase === "giving_up") return;
    if (this.#written === state.grant) return;
    const before = this.#written;
    this.journal?.ask(state.grant);
    writeState(this.#folder, this.#state(state, "asking"));
    this.#written = state.grant;
    this.#asked.push(state.grant);
    if (before !== null) removeState(this.#folder, before);
  }

  #state(state: State, phase: LockState["phase"]): LockState {
    const { options, context, address, store } = this;
    const held = phase === "held";
    return {
      version: 1,
      lock: options.target.lock,
      object: store.object,
      store_address: addressText(address),
      namespace: address.store === "local" ? null : address.namespace,
      grant: state.grant,
      holder: options.holder,
      token: held ? state.hold?.token ?? null : null,
      phase,
      ttl_seconds: Math.max(1, Math.round(options.ttlMs / 1000)),
      acquired_at: held ? new Date().toISOString() : null,
      renewer_pid: null,
      renewer_started: null,
      watch_pid: options.watchPid,
      job: context.ci.jobId,
      connection: { kubeconfig: [], context: options.context },
      last_renewed_at: held ? new Date().toISOString() : null,
      last_error: null,
      lost: null,
    };
  }

  /** The lock is held: a renewer goes on with it, and this process ends. */
  async #handOver(state: State, client: () => LockClient | null): Promise<void> {
    const { options } = this;
    let held = this.#state(state, "held");
    try {
      this.#demandWanted();
      writeState(this.#folder, held);
      if (options.renewal === "background") {
        const { kubeconfigData } = options;
        const started = await startRenewer({
          job: { ...this.#job(state.grant) },
          secrets: kubeconfigData ?? "",
          log: renewerLog(this.#folder, state.grant),
        });
        // The renewer writes here, too: only what it cannot know is added to what stands there now.
        held = readState(this.#folder, state.grant) ?? held;
        writeState(this.#folder, {
          ...held,
          renewer_pid: started.pid,
          renewer_started: started.startedAt,
        });
      }
      this.#demandWanted();
      this.#held = state;
      this.journal?.hold();
      client()?.send({ kind: "hand_over" });
    } catch (error) {
      // Never left held silently: without a renewer or a state to find it by, it is given back.
      this.#failure = error instanceof RenewerError
        ? new CliError(Exit.bug, `${error.message}; the lock was given back`)
        : usableError(error);
      client()?.send({ kind: "work_ended" });
    }
  }

  /** What the renewer needs, without secrets. */
  #job(grant: string): RenewerJob {
    const { options, context } = this;
    const { kubeconfigData: secret, ...where } = options;
    const given = where.kubeconfigPaths ?? (secret === null ? context.env["KUBECONFIG"] : null);
    const separator = process.platform === "win32" ? ";" : ":";
    return {
      grant,
      folder: this.#folder,
      watchStarted: options.watchPid === null
        ? null
        : processStatus(options.watchPid)?.startedAt ?? null,
      options: {
        ...where,
        // Its folder is another: paths must not depend on it.
        kubeconfigPaths: given
          ? given.split(separator).filter((path) => path !== "").map((path) => resolve(path))
            .join(separator)
          : null,
      },
    };
  }

  #end(state: State, signalCode: number | null): number {
    const { options, context } = this;
    const result = state.result ?? { kind: "gave_up" };
    if (result.kind === "handed_over" && this.#held !== null) return this.#report(this.#held);
    this.#forget(state);
    const end = endOf(result, options, state, Exit.notInTime);
    outputs(context, new Map([["acquired", "false"]]));
    if (result.kind === "busy" && options.onBusy === "skip") {
      context.log.info(`${end.message}; goes on without it (--on-busy skip)`);
      if (options.output === "json") {
        context.stdout(JSON.stringify({ lock: options.target.lock, acquired: false }));
      }
      return Exit.done;
    }
    if (result.kind === "gave_up" && signalCode === null && this.#isBuried()) {
      throw this.#released();
    }
    const code = result.kind === "gave_up" ? signalCode ?? Exit.terminated : end.code;
    throw new CliError(code, end.message);
  }

  /** Nothing is held: nor is anything left on this machine, unless something was left in the store. */
  #forget(state: State): void {
    if (state.leftBehind !== null) {
      // What could not be given back ends with its TTL: a renewer that was started for it would keep it.
      usable(() => stopRenewer(this.#folder, state.grant));
      const lock = neutral(this.options.target.lock);
      return this.context.log.warn(`${lock}: ${neutral(state.leftBehind, 2000)}`);
    }
    if (this.#written !== null) usable(() => removeState(this.#folder, this.#written ?? ""));
    this.journal?.end();
  }

  /** Says what was got: on stdout, and to GitHub. */
  #report(state: State): number {
    const { options, context, store } = this;
    const mine = state.known?.record ? holderOf(state.known.record, state.grant) : undefined;
    const waited = mine?.waited_seconds ?? 0;
    const got = {
      lock: options.target.lock,
      object: store.object,
      grant: state.grant,
      holder: options.holder,
      token: state.hold?.token ?? 0,
      slot: state.hold?.slot ?? 0,
      slot_name: null,
      mode: mine?.mode ?? "exclusive",
      waited_seconds: waited,
    };
    if (options.output === "json") context.stdout(JSON.stringify(got));
    else {
      context.stdout(
        `${neutral(got.lock)}: held with token ${got.token}, grant ${got.grant}${
          afterWait(waited * 1000)
        }`,
      );
    }
    outputs(
      context,
      new Map([
        ["acquired", "true"],
        ["token", String(got.token)],
        ["grant", got.grant],
        ["slot", String(got.slot)],
        ["slot_name", ""],
        ["waited_seconds", String(waited)],
        ["holder", got.holder],
        ["lock_object", got.object],
        ["locks", JSON.stringify([got])],
      ]),
    );
    summarizeTaken(
      context,
      got.lock,
      { token: got.token, waited_seconds: waited },
      state.known?.record ?? null,
    );
    this.#tellLimits();
    return Exit.done;
  }

  #tellLimits(): void {
    const { options, context } = this;
    const ttl = formatDuration(options.ttlMs);
    if (options.renewal === "none") {
      context.log.info(`it is not renewed: others may take it in ${ttl} (--no-renew)`);
    } else if (options.maxHoldMs !== null) {
      const most = formatDuration(options.maxHoldMs);
      context.log.info(`it is renewed in the background for ${most} at most (--max-hold)`);
    }
  }
}

function outputs(context: Context, values: ReadonlyMap<string, string>): void {
  const written = setOutputs(context.env, values);
  if (written.outcome === "failed") {
    context.log.warn(`cannot write the step's outputs: ${neutral(written.why)}`);
  }
}

/** What is wrong with the local state, as exit 15. */
function usableError(error: unknown): unknown {
  try {
    usable(() => {
      throw error;
    });
  } catch (told) {
    return told;
  }
  return error;
}

async function usableAsync<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw usableError(error);
  }
}
