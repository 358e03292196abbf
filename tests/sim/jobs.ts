/** What GitHub would say of the simulated clients' jobs: slowly, sometimes nothing, and sometimes that a job is over whose process goes on. */
import type { Fate } from "../../lib/lock/expiry.ts";
import type { HolderJob } from "../../lib/lock/record.ts";
import type { Client } from "./client.ts";
import { Violation } from "./referee.ts";
import type { World } from "./world.ts";

/** Nobody asks about one job twice within this time, in milliseconds. */
const SELDOM_MS = 2000;

/** The job that the client `name` belongs to. */
export function jobOf(name: string, heldFor: HolderJob["held_for"] = "job"): HolderJob {
  return {
    api: "https://api.github.com",
    repository: "acme/shop",
    run_id: name,
    run_attempt: 1,
    check_run_id: "1",
    runner_name: null,
    held_for: heldFor,
  };
}

/** Knows all jobs. */
export class Jobs {
  /** While it is not well it may say nothing, or lose a runner that works. */
  well = true;
  /** How long an answer takes, where a test says so. */
  answerMs: number | null = null;
  /** By job, what is told of it instead of the truth. */
  readonly told = new Map<string, Fate>();
  /** By job, where it is more than one client: whether it goes on. */
  readonly lives = new Map<string, () => boolean>();
  /** How often it was asked about each job. */
  readonly asked = new Map<string, number>();
  /** Whom it told of which job that it is over, and by whose word. */
  readonly #over = new Map<string, "runner" | "server">();
  /** Who asked about which job last, and when. */
  readonly #last = new Map<string, number>();
  /** Jobs that the server has given up, or that ended without their runner. */
  readonly #lost = new Set<string>();

  constructor(readonly world: World) {}

  /** Answers `asker`'s question. */
  ask(asker: Client, job: HolderJob, answer: (fate: Fate) => void): void {
    const { time } = this.world;
    const key = `${asker.persona.name} about ${job.run_id}`;
    if (time.now - (this.#last.get(key) ?? -Infinity) < SELDOM_MS) {
      throw new Violation(`${key}: asks too often`);
    }
    this.#last.set(key, time.now);
    this.asked.set(job.run_id, (this.asked.get(job.run_id) ?? 0) + 1);
    const question = `${key} ${this.asked.get(job.run_id)}`;
    const chance = this.world.stream(question);
    const ill = (probability: number, what: string) =>
      !this.well && chance.happens(probability) && this.world.mishaps.allows(question, what);
    const silent = ill(0.1, "no answer");
    time.after(this.answerMs ?? (silent ? 60_000 : chance.between(10, 3000)), () => {
      const fate: Fate = silent ? { kind: "unknown", why: "silence" } : this.#fateOf(job, ill);
      this.world.say("jobs", `to ${key}: ${fate.kind}${fate.kind === "over" ? fate.by : ""}`);
      if (fate.kind === "over") this.#over.set(key, fate.by);
      answer(fate);
    });
  }

  /** By whose word `asker` knows that the job is over; null when it was never told so. */
  toldOver(asker: string, job: HolderJob): "runner" | "server" | null {
    return this.#over.get(`${asker} about ${job.run_id}`) ?? null;
  }

  #fateOf({ run_id }: HolderJob, ill: (probability: number, what: string) => boolean): Fate {
    const told = this.told.get(run_id);
    if (told !== undefined) return told;
    if (ill(0.2, "500")) return { kind: "unknown", why: "500" };
    const client = this.world.clients.find(({ persona }) => persona.name === run_id);
    const works = this.lives.get(run_id)?.() ??
      (client !== undefined && !(client.over && client.working === null));
    if (ill(works ? 0.1 : 0.4, "the server has given that job up")) this.#lost.add(run_id);
    if (this.#lost.has(run_id)) return { kind: "over", by: "server", why: "its job is over" };
    return works
      ? { kind: "not_over", why: "its job works" }
      : { kind: "over", by: "runner", why: "its job is over, says its runner" };
  }
}
