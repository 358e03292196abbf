/** Runs the pure driver over a store: the only place where its effects become requests, timers and watches. */
import type { Answer, Config, Effect, Failure, Happening, Request, State } from "./driver.ts";
import type { Fate } from "./expiry.ts";
import { encodeRecord, encodeTicket } from "./record.ts";
import type { HolderJob } from "./record.ts";
import { begin, step } from "./step.ts";
import { StoreError } from "./store.ts";
import type { LockStore, Watch, WatchEvent } from "./store.ts";

/** A client's own clocks, in milliseconds. */
export interface Clock {
  /** Monotonic: it never goes back and nobody can set it. */
  now(): number;
  /** The wall clock, for people only. */
  wall(): number;
}

/** The clocks of this process. */
export const SYSTEM_CLOCK: Clock = { now: () => performance.now(), wall: () => Date.now() };

/** What the program does when the driver asks for it. Every call returns at once. */
export interface Actions {
  /**
   * Before the requests of a step are sent: what has to be on record before a grant is used for the first time.
   * When it throws nothing is sent, and `over` rejects.
   */
  prepare?(state: State): void;
  /** The lock is held: the protected work may start. */
  startWork(state: State): void;
  /** TERM or KILL to the work; `work_ended` is due when all of it is reaped. */
  stopWork(how: "term" | "kill", state: State): void;
  /** What became of that run, for numbers that nobody comes with. Without this nobody knows. */
  askRun?(number: number): Promise<Fate>;
  /** What became of that job, for holders that may be taken off only when it is over. Without this nobody knows. */
  askJob?(job: HolderJob): Promise<Fate>;
  /** Something for people. */
  tell(level: "debug" | "info" | "warn", text: string): void;
  /** After each step: for status lines, and to get ready for one's turn. */
  changed(state: State): void;
}

/** A client of the lock under way. */
export interface LockClient {
  /** As it is now. */
  readonly state: State;
  /** Tells it of a signal, of the end of the work, or of a hand-over to another process. */
  send(what: Extract<Happening, { kind: "give_up" | "work_ended" | "hand_over" }>): void;
  /** Resolves when it is over; `state.result` says how. Never rejects but for a bug. */
  readonly over: Promise<State>;
}

/** How many tickets are deleted at the same time. */
const DELETES_AT_ONCE = 8;
/** How long the end waits for deletions of tickets that nobody waits for, in milliseconds: others find them, too. */
const LAST_CLEARING_MS = 2000;
/** The longest timer that the runtimes take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Acquires (or with `config.resumed` goes on with) a lock, until it is given back, lost or given up. */
export function runLock(
  config: Config,
  store: LockStore,
  clock: Clock,
  actions: Actions,
): LockClient {
  let state = begin(config, clock.now(), clock.wall());
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watch: Watch | undefined;
  let stepping = false;
  let lastWait: ReturnType<typeof setTimeout> | undefined;
  const queue: Happening[] = [];
  const ended = Promise.withResolvers<State>();

  function dispatch(what: Happening): void {
    queue.push(what);
    if (stepping) return;
    stepping = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) one(next);
    } catch (error) {
      ended.reject(error);
    } finally {
      stepping = false;
    }
  }

  function one(what: Happening): void {
    const after = step(state, { now: clock.now(), wall: clock.wall(), what });
    state = after.state;
    if (after.effects.length > 0) actions.prepare?.(state);
    for (const effect of after.effects) carryOut(effect);
    clearTimeout(timer);
    timer = undefined;
    if (state.wakeAt !== null) {
      const wait = Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(state.wakeAt - clock.now())));
      timer = setTimeout(() => dispatch({ kind: "tick" }), wait);
    }
    actions.changed(state);
    if (state.phase !== "over") return;
    if (state.clearing === null) ended.resolve(state);
    else lastWait ??= setTimeout(() => ended.resolve(state), LAST_CLEARING_MS);
  }

  function carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "request":
        answered(store, effect.request, effect.timeoutMs).then((answer) =>
          dispatch({ kind: "answer", id: effect.id, answer })
        );
        return;
      case "watch": {
        watch?.close();
        const { id } = effect;
        watch = store.watchRecord(effect.from, effect.place, (event) => watched(id, event));
        return;
      }
      case "unwatch":
        watch?.close();
        watch = undefined;
        return;
      case "move":
        watch?.move?.(effect.place);
        return;
      case "ask_job": {
        const { id, job } = effect;
        const asked = toldBy(() => actions.askJob?.(job), "nobody here can ask about its job");
        asked.then((fate) => dispatch({ kind: "job_told", id, fate }));
        return;
      }
      case "start_work":
        return actions.startWork(state);
      case "stop_work":
        return actions.stopWork(effect.how, state);
      case "ask_run": {
        const { number } = effect;
        const asked = toldBy(() => actions.askRun?.(number), "nobody here can ask about runs");
        asked.then((fate) => dispatch({ kind: "run_told", number, fate }));
        return;
      }
      case "tell":
        return actions.tell(effect.level, effect.text);
    }
  }

  function watched(id: number, event: WatchEvent): void {
    if (event.kind === "ended") {
      const failure = event.error === undefined ? null : failureOf(event.error);
      dispatch({ kind: "watch_ended", id, failure });
    } else {
      dispatch({ kind: "watched", id, record: event.kind === "record" ? event.record : null });
    }
  }

  dispatch({ kind: "tick" });
  return {
    get state() {
      return state;
    },
    send: dispatch,
    over: ended.promise.finally(() => {
      clearTimeout(timer);
      clearTimeout(lastWait);
      watch?.close();
    }),
  };
}

/** The answer to a question about a job or a run. Whatever goes wrong is no answer. */
async function toldBy(
  question: () => Promise<Fate> | undefined,
  unasked: string,
): Promise<Fate> {
  try {
    return await question() ?? { kind: "unknown", why: unasked };
  } catch {
    return { kind: "unknown", why: "asking about it went wrong" };
  }
}

/** A failure as the driver knows it. */
export function failureOf(error: StoreError): Failure {
  const { kind, message, retryAfterMs } = error;
  return retryAfterMs === undefined ? { kind, message } : { kind, message, retryAfterMs };
}

/** The answer to `request`: a failure, too, is one, and none takes longer than `timeoutMs`. */
export async function answered(
  store: LockStore,
  request: Request,
  timeoutMs: number,
): Promise<Answer> {
  const abort = new AbortController();
  const late = Promise.withResolvers<Answer>();
  const message = `no answer within ${Math.round(timeoutMs) / 1000} s`;
  const noAnswer: Answer = { failure: { kind: "unknown", message } };
  const timer = setTimeout(() => {
    abort.abort();
    // A store that knows that nothing was done says so at once.
    setTimeout(() => late.resolve(noAnswer), 0);
  }, timeoutMs);
  try {
    return await Promise.race([late.promise, carried(store, request, abort.signal)]);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (!abort.signal.aborted || error.kind !== "unknown") return { failure: failureOf(error) };
    // What it waited for says more than how long that was.
    return { failure: { kind: "unknown", message: `${message}: ${error.message}` } };
  } finally {
    clearTimeout(timer);
  }
}

/** Who is refused both is told of both: whoever mends the one would meet the other next. */
function withOther(error: unknown, other: PromiseSettledResult<unknown>): unknown {
  const refused = (one: unknown): one is StoreError =>
    one instanceof StoreError && one.kind === "refused";
  if (other.status === "fulfilled" || !refused(error) || !refused(other.reason)) return error;
  return new StoreError("refused", `${error.message}; and ${other.reason.message}`);
}

async function carried(store: LockStore, request: Request, signal: AbortSignal): Promise<Answer> {
  switch (request.kind) {
    case "read":
      return { record: await store.readRecord(signal) };
    case "list":
      return { tickets: await store.listTickets(signal, request.when) };
    case "look": {
      const [record, tickets] = await Promise.allSettled([
        store.readRecord(signal),
        store.listTickets(signal),
      ]);
      if (record.status === "rejected") throw withOther(record.reason, tickets);
      if (tickets.status === "rejected") throw tickets.reason;
      return { record: record.value, tickets: tickets.value };
    }
    case "survey": {
      const record = await store.readRecord(signal);
      return { record, tickets: await store.listTickets(signal) };
    }
    case "create_record":
      return { record: await store.createRecord(encodeRecord(request.record), signal) };
    case "replace":
      return {
        record: await store.replaceRecord(request.base, encodeRecord(request.next), signal),
      };
    case "create_ticket": {
      const { grant, holder } = request.ticket;
      const text = encodeTicket(request.ticket);
      return { ticket: await store.createTicket({ grant, holder, text }, signal) };
    }
    case "read_ticket":
      return { ticket: await store.readTicket(request.grant, signal) };
    case "patch_ticket":
      return {
        ticket: await store.patchTicket(request.base, encodeTicket(request.ticket), signal),
      };
    case "delete_tickets":
      return await deleteAll(store, request.tickets, signal);
  }
}

/** Deletes all of them; tells the grants of those that could not be, or that are not as they were asked about. */
async function deleteAll(
  store: LockStore,
  tickets: Extract<Request, { kind: "delete_tickets" }>["tickets"],
  signal: AbortSignal,
): Promise<Answer> {
  const left = [...tickets];
  const undeleted: string[] = [];
  let hindered: Failure | undefined;
  async function worker(): Promise<void> {
    for (let ticket = left.shift(); ticket !== undefined; ticket = left.shift()) {
      try {
        await store.deleteTicket(ticket, signal);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.kind === "missing") continue;
        undeleted.push(ticket.grant);
        if (error.kind === "throttled" || error.kind === "unknown") hindered = failureOf(error);
      }
    }
  }
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, worker));
  return hindered === undefined ? { undeleted } : { undeleted, hindered };
}
