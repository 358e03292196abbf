/** One simulated process: the real driver, its work, its lifeline, its clocks. */
import type { Config, Effect, Failure, Happening, State } from "../../lib/lock/driver.ts";
import type { Fate } from "../../lib/lock/expiry.ts";
import { begin, step } from "../../lib/lock/step.ts";
import { compareRevisions } from "../../lib/lock/store.ts";
import type { StoredRecord } from "../../lib/lock/store.ts";
import { frozen } from "../lock/rules_model.ts";
import { OBJECT } from "./network.ts";
import type { Fate as WireFate } from "./network.ts";
import type { Fault } from "./mishaps.ts";
import type { Chance } from "./random.ts";
import type { Step } from "./steps.ts";
import { seconds } from "./story.ts";
import type { World } from "./world.ts";

/** How a client differs from another. */
export interface Persona {
  readonly name: string;
  readonly config: Config;
  /** Its clocks run this much faster than true time. */
  readonly rate: number;
  readonly wallOffsetMs: number;
  /** How long its work takes, in true milliseconds. */
  readonly workMs: number;
  /** How long the work takes to end after TERM, in true milliseconds. */
  readonly stubbornMs: number;
  /** A helper kills the work when this process cannot. */
  readonly lifeline: boolean;
}

/** A watch that a client has begun. */
interface Watch {
  /** Nothing more comes of it. */
  readonly stop: () => void;
  /** The store ends it. */
  readonly broken: () => void;
  /** What it brought last comes once more. */
  readonly again: () => void;
  /** It has brought something. */
  readonly hasBrought: () => boolean;
}

/** How soon the lifeline has killed the work of a process that died, in true milliseconds. */
const LIFELINE_MS = 1000;

/** A process of the simulation. */
export class Client {
  state: State;
  alive = true;
  /** The token it works with, or null. */
  working: number | null = null;
  /** The grant, the record's uid and the slot that it works or worked with. */
  grantAtWork = "";
  uidAtWork = "";
  slotAtWork = 0;
  /** Its machine slept while it worked: nobody can keep such work apart from that of others. */
  sleptAtWork = false;
  /** True time of its start. */
  readonly startedAt: number;
  /** The uids of the records that it ever saw held. */
  readonly sawHeld = new Set<string>();
  /** The grants that it ever saw holding. */
  readonly sawHolding = new Set<string>();
  /** When its machine woke last. */
  wokeAt = -Infinity;
  /** The same by its own monotonic clock. */
  wokeAtClock = -Infinity;
  /** What begins when it holds, in the place of work of its own. */
  onHold: (() => void) | null = null;
  /** Is told when it is done, or killed. */
  onEnd: () => void = () => {};
  /** Is told each effect. */
  onEffect: (effect: Effect) => void = () => {};
  /** A signal made it give up. */
  signalled = false;
  /** The step of its last request. */
  lastStep: Step = "read";
  /** Where its own delays come from. */
  readonly #chance: Chance;
  #pausedUntil: number | null = null;
  /** Since when its machine sleeps, and for how long it slept before that: its monotonic clock stands still then. */
  #asleepSince: number | null = null;
  #slept = 0;
  readonly #inbox: Happening[] = [];
  #timer = 0;
  #workId = 0;
  #wallOffset: number;
  #watch: Watch | null = null;

  constructor(readonly world: World, readonly persona: Persona) {
    this.#wallOffset = persona.wallOffsetMs;
    this.#chance = world.stream(`${persona.name} itself`);
    this.startedAt = world.time.now;
    world.say(persona.name, "comes");
    this.state = begin(persona.config, this.clock, this.wall);
    this.#step({ kind: "tick" });
  }

  get clock(): number {
    return ((this.#asleepSince ?? this.world.time.now) - this.#slept) * this.persona.rate;
  }
  get wall(): number {
    return 1_700_000_000_000 + this.world.time.now * this.persona.rate + this.#wallOffset;
  }
  /** Its machine sleeps. */
  get asleep(): boolean {
    return this.#asleepSince !== null;
  }
  get paused(): boolean {
    return this.#pausedUntil !== null;
  }
  /** The step of the protocol that it is in: its request under way, else the watch where it waits for news, else what it did last. */
  get step(): Step {
    const { flight, clearing, watch } = this.state;
    return flight === null && clearing === null && watch.open ? "watch" : this.lastStep;
  }
  get over(): boolean {
    return !this.alive || (this.state.phase === "over" && this.working === null);
  }

  /** SIGKILL: nothing of it goes on but its lifeline. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#watch?.stop();
    this.onEnd();
    if (this.working === null) return;
    this.world.time.after(
      this.#chance.between(0, LIFELINE_MS),
      () => this.#endWork("its lifeline"),
    );
  }

  /** It does `step` now, whatever its clocks are like. */
  noteStep(step: Step): void {
    this.lastStep = step;
    if (this.persona.rate !== 1) this.world.mishaps.meet("clock rate", step);
  }

  /** SIGSTOP for so long. */
  pause(ms: number): void {
    if (!this.alive || this.#pausedUntil !== null) return;
    this.world.say(this.persona.name, `does nothing for ${seconds(ms)} s`);
    this.#pausedUntil = this.world.time.now + ms;
    this.world.time.after(ms, () => {
      this.#pausedUntil = null;
      this.#wake();
      for (const happening of this.#inbox.splice(0)) this.#step(happening);
      this.#step({ kind: "tick" });
    });
  }

  /** Its machine sleeps for so long: nothing of it runs, and its monotonic clock stands still. */
  sleep(ms: number): void {
    if (!this.alive || this.#pausedUntil !== null) return;
    this.#asleepSince = this.world.time.now;
    this.sleptAtWork = true;
    this.pause(ms);
  }

  #wake(): void {
    if (this.#asleepSince === null) return;
    this.#slept += this.world.time.now - this.#asleepSince;
    this.#asleepSince = null;
    this.wokeAt = this.world.time.now;
    this.wokeAtClock = this.clock;
  }

  /** SIGTERM: gives up, or has its work end. */
  signal(): void {
    this.signalled = true;
    if (this.working !== null) {
      this.world.time.after(this.persona.stubbornMs, () => this.#endWork("a signal"));
    } else this.happen({ kind: "give_up" });
  }

  /** Somebody sets the wall clock. */
  setWall(byMs: number): void {
    this.#wallOffset += byMs;
  }

  /** Whether it watches, as far as it knows. */
  get watches(): boolean {
    return this.alive && this.#watch !== null && this.state.watch.open;
  }

  /** Whether its watch has brought something. */
  get hasNews(): boolean {
    return this.watches && (this.#watch?.hasBrought() ?? false);
  }

  /** Its watch breaks, falls silent, or brings once more what it brought last. */
  spoilWatch(how: "broken" | "silent" | "again"): void {
    if (how === "silent") this.#watch?.stop();
    else this.#watch?.[how]();
  }

  /** Something happens to the process, now or when it runs again. */
  happen(what: Happening): void {
    if (!this.alive) return;
    if (this.#pausedUntil !== null) this.#inbox.push(what);
    else this.#step(what);
  }

  #step(what: Happening): void {
    if (!this.alive) return;
    const before = this.state.hold?.ackedAt;
    const wasOver = this.state.phase === "over";
    const { state, effects } = step(this.state, { now: this.clock, wall: this.wall, what });
    if (state.phase === "over" && !wasOver) {
      this.world.say(this.persona.name, `is done: ${state.result?.kind}`);
    }
    this.state = this.world.freezes ? frozen(state) : state;
    // Its work goes on, and is another's from now on.
    if (state.result?.kind === "handed_over") this.working = null;
    const { stored, record } = state.known ?? {};
    if (stored && record && record.holders.length > 0) {
      this.sawHeld.add(stored.uid);
      for (const { grant } of record.holders) this.sawHolding.add(grant);
    }
    for (const effect of effects) this.#run(effect);
    if (state.phase === "over" && !wasOver) this.onEnd();
    if (state.hold !== null && state.hold.ackedAt !== before) this.#armLifeline(state.hold.ackedAt);
    if (state.wakeAt === null) return;
    const timer = ++this.#timer;
    // A little late, as timers are.
    const wait = (state.wakeAt - this.clock) / this.persona.rate + this.#chance.between(0, 3);
    this.world.time.after(Math.max(0.01, wait), () => {
      if (timer === this.#timer) this.happen({ kind: "tick" });
    });
  }

  #run(effect: Effect): void {
    const { world } = this;
    this.onEffect(effect);
    switch (effect.kind) {
      case "request":
        world.network.send(
          effect.request,
          effect.id,
          this,
          effect.timeoutMs / this.persona.rate,
          (answer) => this.happen({ kind: "answer", id: effect.id, answer }),
        );
        return;
      case "watch":
        return this.#startWatch(effect.id, effect.from);
      case "unwatch":
        this.#watch?.stop();
        this.#watch = null;
        return;
      case "start_work":
        return this.#startWork();
      case "stop_work":
        world.time.after(
          effect.how === "kill" ? this.#chance.between(0, 20) : this.persona.stubbornMs,
          () => this.#endWork(effect.how),
        );
        return;
      case "tell":
        world.say(this.persona.name, effect.text);
        return;
      case "ask_job": {
        const { id, job } = effect;
        world.jobs.ask(this, job, (fate) => this.happen({ kind: "job_told", id, fate }));
        return;
      }
      case "ask_run": {
        const { number } = effect;
        const told = () => {
          const kind = world.fateOf(number);
          const why = `run ${number} is ${kind}`;
          const fate: Fate = kind === "over" ? { kind, by: "server", why } : { kind, why };
          this.happen({ kind: "run_told", number, fate });
        };
        world.time.after(this.#chance.between(10, 2000), told);
        return;
      }
      case "move":
        return;
    }
  }

  #startWatch(id: number, from: string): void {
    const { world } = this;
    const { network, mishaps } = world;
    this.#watch?.stop();
    const name = network.named({ client: this, step: "watch" });
    this.noteStep("watch");
    const chance = world.stream(name);
    let isOpen = false;
    let isOver = false;
    let events = 0;
    const stop = () => {
      isOver = true;
      unsubscribe();
    };
    const deliver = (happening: Happening, delay: number) =>
      world.time.after(delay, () => isOver || this.happen(happening));
    const strikes = (probability: number, fault: Fault) =>
      chance.happens(probability) && mishaps.strikes(fault, `${name} event ${events}`, this);
    let last: Happening | null = null;
    const broken = () => {
      isOpen = false;
      unsubscribe();
      deliver({ kind: "watch_ended", id, failure: null }, chance.between(0, 50));
    };
    const again = () => last !== null && deliver(last, chance.between(1, 5000));
    const hasBrought = () => last !== null;
    const report = (record: StoredRecord | null) => {
      if (!isOpen || isOver || network.down) return;
      events++;
      const { faults } = network;
      if (strikes(faults.watchSilent, "watch silent")) return stop();
      if (strikes(faults.watchBroken, "watch broken")) return broken();
      const event: Happening = { kind: "watched", id, record };
      last = event;
      deliver(event, chance.between(0.2, 3));
      if (strikes(faults.eventLate, "event late")) deliver(event, chance.between(1, 5000));
    };
    // A store that was set back has nothing to tell to one that waits for what comes after a revision of the future.
    const isNews = () => from === "" || compareRevisions(world.core.revision, from) > 0;
    const unsubscribe = world.core.subscribe((change) => {
      if (change.kind === "record" && isNews()) report(change.record);
    });
    this.#watch = { stop, broken, again, hasBrought };
    const open = () => {
      if (isOver) return;
      if (network.down) {
        mishaps.meet("store away", "watch");
        const failure = { kind: "unknown", message: "refused" } as const;
        return deliver({ kind: "watch_ended", id, failure }, 1);
      }
      isOpen = true;
      const record = world.core.readRecord(OBJECT);
      if (
        record === null
          ? from !== "" && isNews()
          : from === "" || compareRevisions(record.revision, from) > 0
      ) {
        report(record);
      }
    };
    const fate = network.chanceFate({ name, step: "watch" }, chance);
    const failure = whyNotWatched(fate);
    if (failure !== null) {
      deliver({ kind: "watch_ended", id, failure }, chance.between(0.5, 5));
    } else if (fate === "lost" || fate === "unanswered") unsubscribe();
    else {
      const lateMs = typeof fate !== "object" || fate === null
        ? 0
        : "lateMs" in fate
        ? fate.lateMs
        : fate.answerAfterMs;
      world.time.after(lateMs + chance.between(0.5, 5), open);
      if (fate === "twice") world.time.after(chance.between(0.5, 5), open);
    }
  }

  #startWork(): void {
    const hold = this.state.hold;
    if (hold === null) return;
    if (this.onHold !== null) return this.onHold();
    this.working = hold.token;
    this.grantAtWork = this.state.grant;
    this.uidAtWork = hold.uid;
    this.slotAtWork = hold.slot;
    this.sleptAtWork = false;
    this.world.referee.workStarted(this);
    const work = ++this.#workId;
    this.world.time.after(this.persona.workMs, () => {
      if (this.#workId === work) this.#endWork("its own end");
    });
  }

  #endWork(by: string): void {
    if (this.working === null) return;
    this.#workId++;
    this.working = null;
    this.world.say(this.persona.name, `work ended by ${by}`);
    this.happen({ kind: "work_ended" });
  }

  /** The lifeline kills the work at 5/6 of the TTL after the last acknowledged renewal, whatever became of the holder. */
  #armLifeline(ackedAt: number): void {
    const { ttlMs, onLost, work } = this.persona.config;
    if (onLost === "warn" || work === "steps" || !this.persona.lifeline) return;
    const killAt = ackedAt + ttlMs * 5 / 6;
    this.world.time.after((killAt - this.clock) / this.persona.rate, () => {
      if (this.working === null || this.state.hold?.ackedAt !== ackedAt) return;
      // While the machine slept it did not come nearer.
      if (this.clock < killAt - 1) this.#armLifeline(ackedAt);
      else this.#endWork("its lifeline");
    });
  }
}

/** What a watch is answered with that does not begin. */
function whyNotWatched(fate: WireFate | null): Failure | null {
  switch (fate) {
    case "throttled":
      return { kind: "throttled", message: "429", retryAfterMs: 1000 };
    case "failed":
    case "failed_applied":
      return { kind: "unknown", message: "500" };
    case "refused":
      return { kind: "refused", message: "403" };
    default:
      return null;
  }
}
