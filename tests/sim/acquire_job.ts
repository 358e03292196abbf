/**
 * A job that takes the lock with `acquire`: one process that acquires and hands over, one in the background that renews, steps that
 * work in the meantime and that nobody can stop, and one that gives back.
 */
import type { Config } from "../../lib/lock/driver.ts";
import { standing, withdrawal } from "../../lib/lock/people.ts";
import { encodeRecord, parseRecord } from "../../lib/lock/record.ts";
import { readTickets } from "../../lib/lock/queue.ts";
import { StoreError } from "../../lib/lock/store.ts";
import { LOOK_MS, noteOfEnd, renewing, whyToStop } from "../../lib/cli/renewing.ts";
import type { Client, Persona } from "./client.ts";
import { befalls, MISFORTUNES } from "./misfortunes.ts";
import { OBJECT } from "./network.ts";
import type { Chance } from "./random.ts";
import type { World } from "./world.ts";

/** How long the last step tries to give back, in milliseconds: as long as that of the action. */
const GIVE_BACK_MS = 40_000;
/** How long `verify` and the taking back of a ticket try to reach the store, in milliseconds. */
const PATIENCE_MS = 10_000;

/** How a job differs from another. */
export interface Job {
  readonly name: string;
  readonly config: Partial<Config>;
  readonly persona: Partial<Persona>;
  /** How long each step works, in true milliseconds. */
  readonly stepsMs: readonly number[];
  /** Before each step it asks whether it still holds, and ends when it does not. */
  readonly verifies: boolean;
  /** The renewer ends with the runner's process. */
  readonly watches: boolean;
}

/** One of them, from the start of its `acquire` to the end of its last step. */
export class AcquireJob {
  readonly acquirer: Client;
  renewer: Client | null = null;
  releaser: Client | null = null;
  over = false;
  /** What its state file says. */
  phase: "asking" | "held" | "lost" = "asking";
  /** A step works. */
  isWorking = false;
  #machine: "runs" | "dead" = "runs";
  #runner: "runs" | "dead" = "runs";
  #stopped = false;
  #wasTold = false;
  /** The steps are over, or never begin. */
  #ends = false;
  readonly #chance: Chance;

  constructor(readonly world: World, readonly job: Job) {
    this.#chance = world.stream(`${job.name} as a job`);
    world.jobs.lives.set(job.name, () => !this.over);
    world.acquireJobs.push(this);
    this.acquirer = world.start(job.name, { ...job.config, work: "steps", onLost: "warn" }, {
      ...job.persona,
      lifeline: false,
    });
    this.acquirer.onHold = () => this.#handOver();
    this.acquirer.onEnd = () => this.#acquired();
  }

  /** Its present grant. */
  get grant(): string {
    return this.acquirer.state.grant;
  }

  /** All its processes that are there. */
  get processes(): Client[] {
    return [this.acquirer, this.renewer, this.releaser].filter((one) => one !== null)
      .filter((one) => !one.over);
  }

  /** It knows that others may have worked beside it, or nobody of it is left. */
  get wasTold(): boolean {
    return this.#wasTold || this.phase === "lost" || this.#machine === "dead" ||
      this.#runner === "dead";
  }

  /** Everything of it is gone at once. */
  die(): void {
    this.world.say(this.job.name, "its machine dies");
    this.#machine = "dead";
    this.isWorking = false;
    this.#ends = true;
    for (const one of this.processes) one.kill();
    this.over = true;
  }

  /** It is cancelled: its steps end, and the last one gives back all the same. */
  cancel(): void {
    if (this.#ends || this.over) return;
    this.world.say(this.job.name, "is cancelled");
    if (!this.acquirer.over) return this.acquirer.kill();
    this.#endSteps();
  }

  /** The runner's process ends, and with it the steps; what is in the background is left alone. */
  endRunner(): void {
    if (this.over) return;
    this.world.say(this.job.name, "its runner is gone");
    this.#runner = "dead";
    this.isWorking = false;
    this.#ends = true;
    if (!this.acquirer.over) this.acquirer.kill();
    if (!(this.releaser?.over ?? true)) this.releaser?.kill();
    this.over = true;
  }

  #after(ms: number, act: () => void): void {
    this.world.time.after(ms, () => this.over || act());
  }

  /** It is held: a renewer comes up, whatever becomes of this process, and then gets the hold. */
  #handOver(): void {
    this.phase = "held";
    const slow = this.#chance.happens(0.1) ? this.#chance.between(0, 15_000) : 0;
    this.#after(this.#chance.between(30, 1500) + slow, () => {
      this.#startRenewer();
      const { acquirer } = this;
      this.#after(this.#chance.between(0, 50), () => {
        // A signal that came meanwhile: nobody wants the lock any more.
        acquirer.happen({ kind: acquirer.signalled ? "work_ended" : "hand_over" });
      });
    });
  }

  #startRenewer(): void {
    const { world, job } = this;
    const name = `${job.name} renewer`;
    if (world.cut.without.has(name)) return;
    const renewer = world.start(name, { ...job.config, ...renewing(this.grant) }, {
      ...job.persona,
      lifeline: false,
    });
    // It renews, and nothing else begins.
    renewer.onHold = () => {};
    this.renewer = renewer;
    const look = () => {
      if (renewer.over) return;
      if (!renewer.paused && this.#whyToStop() !== null) renewer.happen({ kind: "hand_over" });
      world.time.after(LOOK_MS / renewer.persona.rate, look);
    };
    renewer.onEnd = () => {
      const note = noteOfEnd(renewer.state.result);
      if (this.#whyToStop() === null && note !== null && "phase" in note) this.phase = "lost";
    };
    look();
  }

  #whyToStop(): string | null {
    const watched = this.job.watches ? { pid: 1, alive: this.#runner === "runs" } : null;
    return whyToStop({ stopped: this.#stopped, watched });
  }

  /** The `acquire` has ended. */
  #acquired(): void {
    if (this.over || this.#ends) return;
    const { result } = this.acquirer.state;
    const isHeld = this.acquirer.alive && result?.kind === "handed_over";
    if (!isHeld) return this.#endSteps();
    this.world.referee.works.handedOver(this.acquirer, this.grant);
    this.#after(this.#chance.between(5, 500), () => this.#beginSteps());
  }

  #beginSteps(): void {
    const { world, job, acquirer, grant } = this;
    const { known } = acquirer.state;
    const mine = known?.record?.holders.find((one) => one.grant === grant);
    if (this.#ends || mine === undefined) return this.#endSteps();
    world.referee.works.begin({
      name: job.name,
      token: mine.token,
      at: world.time.now,
      mode: mine.mode,
      slot: mine.slot,
      grant,
      uid: known?.stored?.uid ?? "",
      kind: "steps",
      client: acquirer,
      isRunning: () => this.isWorking,
      wasTold: () => this.wasTold,
    });
    this.#step(0);
  }

  #step(index: number): void {
    const ms = this.job.stepsMs[index];
    if (this.#ends) return;
    if (ms === undefined) return this.#endSteps();
    const work = () => {
      this.isWorking = true;
      this.#after(ms, () => this.#step(index + 1));
    };
    this.isWorking = false;
    if (this.job.verifies) this.#verify(work, this.world.time.now + PATIENCE_MS);
    else work();
  }

  /** Goes on with `then` if it still holds, as far as the record and the job's state tell. */
  #verify(then: () => void, until: number): void {
    const { world } = this;
    this.#after(this.#chance.between(1, 50), () => {
      if (this.#ends) return;
      if (world.network.down) {
        if (world.time.now > until) return this.#endSteps();
        return this.#after(500, () => this.#verify(then, until));
      }
      const stored = world.core.readRecord(OBJECT);
      const record = stored === null ? null : parseRecord(stored.text);
      if (standing(record, this.grant).kind === "held" && this.phase !== "lost") return then();
      world.say(this.job.name, "is told by verify that the lock is lost");
      this.#wasTold = true;
      this.#endSteps();
    });
  }

  #endSteps(): void {
    if (this.#ends) return;
    this.#ends = true;
    this.isWorking = false;
    this.#after(this.#chance.between(10, 2000), () => {
      // First of all: the renewer, and an acquire that is still there, must not undo what comes now.
      this.#stopped = true;
      if (!this.acquirer.over) this.acquirer.kill();
      this.#giveBack(this.world.time.now + GIVE_BACK_MS, 0);
    });
  }

  /** What was asked for is taken back, and what is held given back. */
  #giveBack(until: number, tries: number): void {
    const { world, job } = this;
    if (this.phase === "asking") return this.#withdraw(until, 1);
    const name = `${job.name} release${tries === 0 ? "" : ` ${tries}`}`;
    if (world.cut.without.has(name)) {
      this.#wasTold = true;
      return this.#end();
    }
    const resumed = { grant: this.grant, then: "release" } as const;
    const releaser = world.start(
      name,
      {
        ...job.config,
        timeoutMs: null,
        maxHoldMs: null,
        expiry: "takeover",
        work: "steps",
        onLost: "warn",
        resumed,
      },
      { ...job.persona, lifeline: false },
    );
    this.releaser = releaser;
    releaser.onEnd = () => {
      const { result, leftBehind } = releaser.state;
      const failed = !releaser.alive || leftBehind !== null || result?.kind === "unreachable";
      if (failed && releaser.alive && world.time.now < until) {
        return this.#after(1000, () => this.#giveBack(until, tries + 1));
      }
      if (failed || result?.kind !== "released") this.#wasTold = true;
      this.#end();
    };
  }

  #end(): void {
    this.world.say(this.job.name, `is over${this.wasTold ? ", told that it lost the lock" : ""}`);
    this.over = true;
  }

  /** Takes grant number `index` back, which may wait or hold, and then those after it. */
  #withdraw(until: number, index: number): void {
    const { world } = this;
    if (index > this.acquirer.state.grants) return this.#end();
    const again = () => {
      if (world.time.now > until) return this.#end();
      this.#after(this.#chance.between(50, 2000), () => this.#withdraw(until, index));
    };
    if (world.network.down) return again();
    const grant = `${this.acquirer.persona.config.grantPrefix}-${index}`;
    const stored = world.core.readRecord(OBJECT);
    const record = stored === null ? null : parseRecord(stored.text);
    const { tickets } = readTickets(world.core.listTickets(OBJECT));
    const holder = this.job.name;
    const { next, ticket } = withdrawal({ record, tickets }, { grant, holder }, "");
    this.#after(this.#chance.between(1, 20), () => {
      if (world.network.down) return again();
      try {
        if (stored !== null && next !== null) {
          world.core.replaceRecord(OBJECT, stored, encodeRecord(next));
        }
        if (ticket !== undefined) world.core.deleteTicket(OBJECT, { grant, uid: ticket.uid });
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.kind !== "missing") return again();
      }
      this.#withdraw(until, index + 1);
    });
  }
}

/** What can happen to such a job, beside what happens to each of its processes. */
export function jobSuffers(world: World, job: AcquireJob, chance: Chance, withinMs: number): void {
  const { name } = job.job;
  const some = (probability: number, act: () => void) => {
    const at = chance.between(0, withinMs);
    if (chance.happens(probability)) world.time.after(at, () => job.over || act());
  };
  const strikes = (what: "killed" | "signalled", where: string) => {
    const client = job.processes[0] ?? job.acquirer;
    return world.mishap(what, `${name} ${where}`, client.over ? "nobody" : client);
  };
  some(0.12, () => strikes("killed", "machine") && job.die());
  some(0.15, () => strikes("signalled", "job") && job.cancel());
  // What is left of a job whose runner dies is the affair of those who watch that, or of its machine.
  if (job.job.watches) some(0.08, () => strikes("killed", "runner") && job.endRunner());
  const paused = MISFORTUNES.paused(chance);
  const sleepMs = chance.between(1_000, 40_000);
  some(
    0.2,
    () => job.renewer && befalls(job.renewer, "killed", `${name} renewer`, (c) => c.kill()),
  );
  some(0.2, () => job.renewer && befalls(job.renewer, "paused", `${name} renewer`, paused));
  some(
    0.1,
    () => job.releaser && befalls(job.releaser, "killed", `${name} release`, (c) => c.kill()),
  );
  some(0.1, () => {
    const awake = job.processes.filter((one) => !one.paused);
    if (awake.length === 0 || !world.mishap("asleep", `${name} machine`, awake[0] ?? "nobody")) {
      return;
    }
    for (const one of awake) one.sleep(sleepMs);
  });
}
