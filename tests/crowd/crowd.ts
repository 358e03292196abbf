/**
 * A crowd: very many who want one lock of a real API server at the same time, some of whom die. The real driver, store and connections,
 * each member with its own, but many members in a process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Chance } from "../sim/random.ts";
import { Journal } from "../soak/journal.ts";
import type { Rule } from "../support/cluster/rights.ts";
import type { TestCluster } from "../support/cluster/test_cluster.ts";
import { byRevision, LockOutside } from "../support/lock_outside.ts";
import { within } from "../support/program.ts";
import type { Membership } from "./members.ts";

/** What is to be done. */
export interface Crowd {
  /** How many wait behind the first one, who holds until all are there. */
  readonly waiters: number;
  readonly processes: number;
  /** How many of them die: half of them together with their process, a quarter alone before the first hand-over, a quarter alone after it. */
  readonly dying: number;
  readonly seed: number;
  /** Nothing takes longer, in milliseconds. */
  readonly limitMs: number;
}

/** What came of it. */
export interface Outcome {
  readonly holds: number;
  /** Until all had their tickets; from the first hand-over until the last one had given back; in seconds. */
  readonly joinSeconds: number;
  readonly servedSeconds: number;
  /** From the end of one's work to the begin of the next one's, in milliseconds. */
  readonly handOverMs: { readonly half: number; readonly nineInTen: number; readonly most: number };
  readonly rollCalls: number;
  /** Living ones that a call passed over: they may come later than their place. */
  readonly passedOver: number;
  readonly requests: number;
  /** Requests that the server answered so, by status. */
  readonly refused: ReadonlyMap<number, number>;
  readonly violations: readonly string[];
}

const OBJECT = "k8s-lock-crowd";
const USER = "crowd";
const MEMBERS = fileURLToPath(new URL("members.ts", import.meta.url));
/** What it is where nobody says another. */
const TTL_MS = 60_000;
const WORK_MS = 10;
/** What the README says that it takes, and no more. */
const RULES: readonly Rule[] = [
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    verbs: ["list", "get", "create", "patch", "delete"],
  },
  {
    resources: ["secrets"],
    resourceNames: [OBJECT],
    verbs: ["get", "watch", "update", "create", "patch"],
  },
];

/** Runs it to its end. */
export async function crowd(
  options: Crowd,
  cluster: TestCluster,
  tell: (line: string) => void,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-crowd-"));
  const processes: ChildProcess[] = [];
  try {
    const gathering = new Gathering(options, cluster, join(folder, "journal"), processes, tell);
    const run = Promise.race([gathering.run(), gathering.broken.promise]);
    return await within(run, () => gathering.words, options.limitMs);
  } finally {
    for (const child of processes) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

/** Members in one process. */
interface Group {
  readonly names: readonly string[];
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

class Gathering {
  readonly #journal: Journal;
  readonly #chance: Chance;
  readonly #violations: string[] = [];
  readonly #dead = new Set<string>();
  /** Rejects where a process ends that should not. */
  readonly broken = Promise.withResolvers<never>();

  constructor(
    readonly options: Crowd,
    readonly cluster: TestCluster,
    readonly path: string,
    readonly processes: ChildProcess[],
    readonly tell: (line: string) => void,
  ) {
    this.#journal = new Journal(path);
    this.#chance = new Chance(options.seed);
  }

  get words(): string {
    return `the end of a crowd with ${this.#journal.holds} holds; ${this.#violations.join("; ")}`;
  }

  async run(): Promise<Outcome> {
    const { cluster, options: { waiters, processes, dying, limitMs }, tell } = this;
    const namespace = await cluster.createNamespace();
    await cluster.grant({ namespace, to: { user: USER }, rules: RULES });
    const kubeconfig = (await cluster.kubeconfigFor({ user: USER, namespace })).path;
    using outside = await LockOutside.open(cluster.kubeconfig, namespace, OBJECT);
    const mark = await cluster.auditMark();
    const names = shuffled(Array.from({ length: waiters }, (_, i) => `m${i}`), this.#chance);
    const together = Math.floor(dying / 2);
    const [doomed, alone] = [names.slice(0, together), names.slice(together, dying)];

    const first = this.#group(kubeconfig, ["first"]);
    await outside.seen("the first hold", ({ holders }) => holders.length === 1);
    const began = performance.now();
    const groups = split(names.slice(together), processes - 1).map((part) =>
      this.#group(kubeconfig, part)
    );
    const lost = this.#group(kubeconfig, doomed);
    await outside.queued(waiters, limitMs);
    const joinSeconds = (performance.now() - began) / 1000;
    tell(`${waiters} wait, after ${joinSeconds.toFixed(1)} s`);

    const die = (name: string) => {
      this.#dead.add(name);
      groups.find((group) => group.names.includes(name))?.child.stdin?.write(`die ${name}\n`);
    };
    for (const name of doomed) this.#dead.add(name);
    lost.child.kill("SIGKILL");
    await lost.ended;
    const early = alone.slice(0, alone.length / 2);
    early.forEach(die);
    const opened = performance.now();
    for (const { child } of [first, ...groups]) child.stdin?.write("open\n");
    await this.#watchOver(alone.slice(early.length), die, [first, ...groups], tell);
    const servedSeconds = (performance.now() - opened) / 1000;
    // Who comes last finds what the dead have left.
    const last = this.#group(kubeconfig, ["last"]);
    last.child.stdin?.write("open\n");
    await last.ended;
    this.#journal.read();
    await outside.queued(0, limitMs);
    await outside.seen("nobody", ({ holders, turn }) => holders.length + turn.length === 0);

    const passed = this.#judge(outside);
    const entries = (await cluster.auditSince(mark)).filter(({ user }) => user === USER);
    const refused = new Map<number, number>();
    for (const { code } of entries) {
      if (code >= 400) refused.set(code, (refused.get(code) ?? 0) + 1);
    }
    return {
      holds: this.#journal.holds,
      joinSeconds,
      servedSeconds,
      handOverMs: this.#handOvers(),
      rollCalls: outside.record?.roll_call.number ?? 0,
      passedOver: passed,
      requests: entries.length,
      refused,
      violations: [...this.#violations, ...this.#journal.violations],
    };
  }

  #group(kubeconfig: string, names: readonly string[]): Group {
    const membership: Membership = {
      kubeconfig,
      object: OBJECT,
      journal: this.path,
      ttlMs: TTL_MS,
      workMs: WORK_MS,
      names,
      apartMs: 2,
    };
    const child = spawn(
      Deno.execPath(),
      ["run", "-A", "-q", "--no-check", MEMBERS, JSON.stringify(membership)],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    this.processes.push(child);
    // It may be killed just as it is told something.
    child.stdin?.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => this.#violations.push(line));
    child.once("exit", (code) => {
      if (code !== 0 && code !== null) this.broken.reject(new Error(`members ended with ${code}`));
    });
    return { names, child, ended: once(child, "exit") };
  }

  /** Until all that live were served: now and then one of `dying` dies, whatever it is about to do. */
  async #watchOver(
    dying: readonly string[],
    die: (name: string) => void,
    groups: readonly Group[],
    tell: (line: string) => void,
  ): Promise<void> {
    const { waiters } = this.options;
    const left = dying.map((name) => ({ name, after: this.#chance.below(waiters) }))
      .sort((one, other) => one.after - other.after);
    let told = performance.now();
    const look = () => {
      this.#journal.read();
      while (left[0] !== undefined && left[0].after <= this.#journal.holds) {
        die(left.shift()?.name ?? "");
      }
      if (performance.now() < told + 10_000) return;
      told = performance.now();
      tell(`${this.#journal.holds} were served`);
    };
    const looking = setInterval(look, 10);
    try {
      await Promise.all(groups.map(({ ended }) => ended));
    } finally {
      clearInterval(looking);
      this.#journal.read();
    }
  }

  /** Returns how many living ones were passed over. */
  #judge(outside: LockOutside): number {
    for (const { olderJob, newerJob } of this.#journal.overlaps.values()) {
      this.#violations.push(`${olderJob} worked on after ${newerJob} had begun`);
    }
    const tickets = Map.groupBy(byRevision(outside.tickets), ({ holder }) => holder);
    const order = this.#journal.order;
    const served = new Map<string, number>();
    for (const { job } of order) served.set(job, (served.get(job) ?? 0) + 1);
    for (const [name, mine] of tickets) {
      const times = served.get(name) ?? 0;
      if (times > 1 || (times === 0 && !this.#dead.has(name))) {
        this.#violations.push(`${name}, who had ${mine.length} tickets, held ${times} times`);
      }
    }
    // One that lives and has had two tickets was passed over: it may come later than its place, and nobody else may.
    const passed = [...tickets].filter(([, mine]) => mine.length > 1).map(([name]) => name);
    let last = 0n;
    for (const { job } of order) {
      const place = BigInt(tickets.get(job)?.[0]?.revision ?? 0);
      if (place === 0n || passed.includes(job)) continue;
      if (place < last) this.#violations.push(`${job} held after one that came later`);
      else last = place;
    }
    return passed.length;
  }

  #handOvers(): Outcome["handOverMs"] {
    const gaps = this.#journal.order.flatMap(({ begunAt }, index, all) => {
      const endedAt = all[index - 1]?.endedAt ?? null;
      return endedAt === null ? [] : [Math.round(1000 * (begunAt - endedAt))];
    }).sort((one, other) => one - other);
    const at = (part: number) => gaps[Math.floor((gaps.length - 1) * part)] ?? NaN;
    return { half: at(0.5), nineInTen: at(0.9), most: at(1) };
  }
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  const left = [...all];
  return all.map(() => left.splice(chance.below(left.length), 1)[0] as T);
}

function split<T>(all: readonly T[], parts: number): T[][] {
  return Array.from({ length: parts }, (_, part) => all.filter((_, i) => i % parts === part));
}

/** Lines for a terminal. */
export function described({ waiters, dying }: Crowd, outcome: Outcome): string {
  const { joinSeconds, servedSeconds, handOverMs, rollCalls, passedOver, requests, refused } =
    outcome;
  const { half, nineInTen, most } = handOverMs;
  return [
    `${waiters} waiters, of whom ${dying} died; ${outcome.holds} holds`,
    `all in line after ${joinSeconds.toFixed(1)} s, all served ${servedSeconds.toFixed(1)} s later`,
    `hand-over: half within ${half} ms, nine in ten within ${nineInTen} ms, the longest ${most} ms`,
    `${rollCalls} roll calls, ${passedOver} living ones passed over by one`,
    `${requests} requests; ${
      [...refused].sort(([one], [other]) => one - other)
        .map(([code, times]) => `${times} × ${code}`).join(", ") || "none refused"
    }`,
    `${outcome.violations.length} violations`,
    ...outcome.violations,
  ].join("\n");
}
