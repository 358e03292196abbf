/** Many jobs, much that goes wrong, one lock: for as long as one likes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LockRecord } from "../../lib/lock/record.ts";
import { allProcesses, environmentOf, processStatus } from "../../lib/host/processes.ts";
import { Chance } from "../sim/random.ts";
import type { Cluster } from "../support/cluster/cluster.ts";
import type { KubeObject } from "../support/cluster/api.ts";
import { WallClock } from "../support/faketime.ts";
import { LockOutside, recordIn } from "../support/lock_outside.ts";
import { runToEnd, within } from "../support/program.ts";
import { CalmLock, type Memory } from "./calm.ts";
import { Hazards } from "./hazards.ts";
import { type Fate, FATES, Job, processesOf, type Report } from "./job.ts";
import { Journal } from "./journal.ts";

/** What is to be done. */
export interface Soak {
  /** For how long jobs start and things go wrong, in milliseconds. */
  readonly lastsMs: number;
  /** How many jobs there are at a time. */
  readonly clients: number;
  /** Decides what is done to whom. (When exactly it meets them is the machine's business: two runs are not the same.) */
  readonly seed: number;
}

/** What came of it. */
export interface Result {
  readonly reports: readonly Report[];
  readonly holds: number;
  readonly journalLines: number;
  readonly hazards: ReadonlyMap<string, number>;
  readonly records: number;
  /** Overlaps of an `acquire`'s steps, which nobody can stop, that were told to its job. */
  readonly toldOverlaps: number;
  readonly jumpingClocks: number;
  readonly longestWaitMs: number;
  readonly memory: readonly Memory[];
  readonly violations: readonly string[];
}

const TTL_SECONDS = 6;
/** One in so many jobs has a wall clock of its own that jumps. */
const CLOCKS = 6;
/** Nobody waits for longer, in milliseconds: with everything that goes wrong a hold takes some seconds on an idle machine, and all wait for all. */
const FORGOTTEN_MS = 420_000;
/** A request that a proxy holds back comes at last after 30 s; a ghost of it stays for a TTL or a claim timeout, in milliseconds. */
const GHOSTS_MS = 60_000;
/** Memory may grow by so much and is flat, in MiB: what a garbage collector leaves lying. */
const FLAT_MIB = 8;
/** Below that time nothing can be said about memory, in milliseconds. */
const MEMORY_MS = 5 * 60_000;

/** Runs it to its end. */
export async function soak(
  options: Soak,
  cluster: Cluster,
  tell: (line: string) => void,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-soak-"));
  try {
    return await new Soaking(options, cluster, folder, tell).run();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Soaking {
  readonly #chance: Chance;
  readonly #journal: Journal;
  readonly #reports: Report[] = [];
  readonly #violations: string[] = [];
  readonly #jobs = new Set<Job>();
  readonly #fates = new Map<string, Fate>();
  /** Of jobs whose hold was lost, and were told so or had no time to be. */
  readonly #excused = new Set<string>();
  #started = 0;
  #clocks = 0;
  #isOver = false;

  constructor(
    readonly options: Soak,
    readonly cluster: Cluster,
    readonly folder: string,
    readonly tell: (line: string) => void,
  ) {
    this.#chance = new Chance(options.seed);
    this.#journal = new Journal(join(folder, "journal"));
  }

  async run(): Promise<Result> {
    const { cluster, options: { lastsMs, clients }, folder, tell } = this;
    const namespace = await cluster.createNamespace();
    const request = { user: "soak", groups: ["system:masters"], namespace };
    const kubeconfig = await cluster.kubeconfigFor(request);
    using outside = await LockOutside.open(cluster.kubeconfig, namespace, "k8s-lock-soak");
    await using calm = await CalmLock.begin(join(folder, "calm"), kubeconfig.path);
    await using hazards = await Hazards.begin({
      cluster,
      namespace,
      folder,
      chance: new Chance(this.#chance.below(2 ** 31)),
      ttlMs: 1000 * TTL_SECONDS,
      kubeconfig,
    });
    const reader = setInterval(() => this.#look(), 20);
    const teller = setInterval(() => tell(this.#progress(outside)), 30_000);
    try {
      const slots = Array.from({ length: clients }, () => this.#slot(hazards));
      await new Promise((resolve) => setTimeout(resolve, lastsMs));
      this.#isOver = true;
      await hazards.calm();
      tell("calm: all that still wait get on");
      await this.#allGetOn(slots);
      await this.#nothingIsLeft(namespace, kubeconfig.path);
      const memory = await calm.end();
      this.#look();
      const toldOverlaps = this.#judgeOverlaps(outside);
      this.#judgeRecords(outside);
      this.#judgeMemory(memory);
      return {
        reports: this.#reports,
        holds: this.#journal.holds,
        journalLines: this.#journal.lines,
        hazards: hazards.counts,
        records: outside.records.length,
        toldOverlaps,
        jumpingClocks: this.#clocks,
        longestWaitMs: Math.max(0, ...this.#reports.map(({ waitedMs }) => waitedMs ?? 0)),
        memory,
        violations: [
          ...this.#violations,
          ...this.#journal.violations,
          ...hazards.violations,
          ...calm.violations,
          ...this.#reports.flatMap(({ violations }) => violations),
        ],
      };
    } finally {
      clearInterval(reader);
      clearInterval(teller);
      this.#isOver = true;
      await Promise.all([...this.#jobs].map((job) => job.destroy()));
    }
  }

  /** One job after the other. */
  async #slot(hazards: Hazards): Promise<void> {
    await hazards.pause(this.#chance.between(0, 5000));
    while (!this.#isOver) {
      const job = await this.#start(hazards);
      const report = await job.over;
      this.#jobs.delete(job);
      this.#reports.push(report);
      this.#look();
      if (report.toldLost || report.fate.includes("machine dies")) {
        for (const grant of this.#journal.grantsOf(job.name)) this.#excused.add(grant);
      }
      // Nobody tries again at once in a loop that only costs time.
      await hazards.pause(this.#chance.between(50, 1500));
    }
  }

  async #start(hazards: Hazards): Promise<Job> {
    const chance = new Chance(this.#chance.below(2 ** 31));
    const name = `job-${++this.#started}`;
    const wantsClock = chance.below(CLOCKS) === 0;
    const clock = wantsClock ? await WallClock.off(chance.between(-90_000, 90_000) | 0) : null;
    if (clock !== null) this.#clocks++;
    const job = new Job(name, someFate(chance), {
      chance,
      journal: this.#journal,
      ttlSeconds: TTL_SECONDS,
      folder: join(this.folder, name),
      kubeconfig: hazards.ways[chance.below(hazards.ways.length)] ?? "",
      clock,
    });
    this.#jobs.add(job);
    this.#fates.set(name, job.fate);
    return job;
  }

  #look(): void {
    this.#journal.read();
    for (const job of this.#jobs) {
      const waitedMs = performance.now() - job.startedAt;
      if (waitedMs < FORGOTTEN_MS) continue;
      this.#violations.push(
        `${job.name} (${job.fate}) was forgotten: after ${
          Math.round(waitedMs / 1000)
        } s it says\n${job.words}`,
      );
      this.#jobs.delete(job);
      void job.destroy();
    }
  }

  async #allGetOn(slots: readonly Promise<void>[]): Promise<void> {
    await within(Promise.all(slots), () => "the end of all jobs", FORGOTTEN_MS + 60_000)
      .catch((error) => this.#violations.push(String(error)));
  }

  /** One that comes last passes over what died before it; then there is nobody, and nothing. */
  async #nothingIsLeft(namespace: string, kubeconfig: string): Promise<void> {
    const home = join(this.folder, "last");
    const env = { HOME: home, KUBECONFIG: kubeconfig, K8S_LOCK_HOLDER: "last" };
    const args = ["run", "soak", "--ttl", `${TTL_SECONDS}s`, "--", "true"];
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const secret = `/api/v1/namespaces/${namespace}/secrets/k8s-lock-soak`;
    const limit = performance.now() + GHOSTS_MS;
    for (;;) {
      const last = await runToEnd(args, { env });
      if (last.code !== 0) {
        this.#violations.push(`the last one ended with ${last.code}: ${last.stderr}`);
      }
      const record = recordIn(await this.cluster.api.must("GET", secret));
      const listed = await this.cluster.api.must("GET", leases);
      const tickets = (listed["items"] as readonly KubeObject[]).map(({ metadata }) =>
        metadata?.name ?? ""
      );
      const left = [
        ...tickets.filter((name) => name.startsWith("k8s-lock-soak-t-")),
        ...record?.holders.map(({ holder }) => `the hold of ${holder}`) ?? ["no record"],
        ...record?.turn.map((grant) => `the turn of ${grant}`) ?? [],
      ];
      if (left.length === 0) break;
      // A write that a proxy held back may have landed after the last one had gone.
      if (performance.now() > limit) {
        this.#violations.push(`something is left: ${left.join(", ")}`);
        break;
      }
    }
    const alive = allProcesses().filter((pid) =>
      environmentOf(pid).includes(`HOME=${this.folder}/job-`) &&
      processStatus(pid)?.zombie === false
    );
    for (const pid of [...alive, ...processesOf(home)]) {
      this.#violations.push(`process ${pid} is left`);
    }
  }

  /** Returns how many there were of which the job was told. */
  #judgeOverlaps(outside: LockOutside): number {
    let told = 0;
    const lost = new Set<string>();
    for (const { record } of outside.records) {
      for (const { grant, outcome } of record?.history ?? []) {
        if (outcome === "expired" || outcome === "broken") lost.add(grant);
      }
    }
    for (const { older, olderJob, newerJob, seconds } of this.#journal.overlaps.values()) {
      const fate = this.#fates.get(olderJob);
      // The steps of a job cannot be stopped by `acquire`, but the job is told.
      if (fate?.startsWith("acquire") && lost.has(older) && this.#excused.has(older)) told++;
      else {this.#violations.push(
          `${olderJob} (${fate}) worked on for ${seconds.toFixed(2)} s after ${newerJob} had begun`,
        );}
    }
    return told;
  }

  #judgeRecords(outside: LockOutside): void {
    let before: LockRecord | null = null;
    for (const { record } of outside.records) {
      if (record === null) continue;
      if (record.holders.length > record.capacity) {
        this.#violations.push(
          `the record named ${record.holders.map(({ holder }) => holder).join(" and ")}`,
        );
      }
      if (before !== null && record.last_token < before.last_token) {
        this.#violations.push(
          `the last token went from ${before.last_token} back to ${record.last_token}`,
        );
      }
      before = record;
    }
  }

  #judgeMemory(memory: readonly Memory[]): void {
    if (this.options.lastsMs < MEMORY_MS) return;
    for (const { who, first, last } of memory) {
      if (last > first + FLAT_MIB) {
        this.#violations.push(`${who} grew from ${first.toFixed(1)} to ${last.toFixed(1)} MiB`);
      }
    }
  }

  #progress(outside: LockOutside): string {
    const holder = outside.record?.holders[0]?.holder ?? "nobody";
    return `${this.#started} jobs, ${this.#reports.length} over, ${this.#journal.holds} holds, ` +
      `${outside.waiting} tickets, ${holder} holds, ${this.#journal.overlaps.size} overlaps`;
  }
}

function someFate(chance: Chance): Fate {
  const fates = Object.entries(FATES) as [Fate, number][];
  let left = chance.below(fates.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [fate, weight] of fates) {
    if (left < weight) return fate;
    left -= weight;
  }
  return "run: left alone";
}
