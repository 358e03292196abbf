/** What goes wrong around the jobs of a soak: on the way to the server, at the server, and by people. */
import { join } from "node:path";
import { mkdir, rm } from "node:fs/promises";
import type { Cluster } from "../support/cluster/cluster.ts";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import type { Kubeconfig } from "../support/cluster/kubeconfig.ts";
import { runToEnd, within } from "../support/program.ts";
import type { RequestFault, WatchFault } from "../support/request_faults.ts";
import { RequestProxy } from "../support/request_proxy.ts";
import type { Chance } from "../sim/random.ts";

/** Where it happens. */
export interface Scene {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly folder: string;
  readonly chance: Chance;
  readonly ttlMs: number;
  /** A kubeconfig that goes straight to the server. */
  readonly kubeconfig: Kubeconfig;
}

type Hazard = (scene: Hazards) => Promise<void>;

/** Goes on until {@link calm}. */
export class Hazards implements AsyncDisposable {
  /** How often each has happened. */
  readonly counts = new Map<string, number>();
  readonly violations: string[] = [];
  readonly #loops: Promise<void>[] = [];
  #calm = Promise.withResolvers<void>();
  #isCalm = false;

  private constructor(
    readonly scene: Scene,
    readonly network: readonly FaultProxy[],
    readonly requests: RequestProxy,
    /** Kubeconfigs for the jobs: straight, through the network, through the proxy of requests. */
    readonly ways: readonly string[],
  ) {
    requests.weather = ({ method }) => this.#weather(method);
    this.#loops.push(
      this.#loop(NETWORK, 800, 4000),
      this.#loop(SERVER, 8000, 25_000),
      this.#loop(PEOPLE, 3000, 15_000),
    );
  }

  static async begin(scene: Scene): Promise<Hazards> {
    const { cluster, namespace, kubeconfig } = scene;
    const network = [
      await FaultProxy.toUrl(cluster.server),
      await FaultProxy.toUrl(cluster.server),
    ];
    const requests = await RequestProxy.to(kubeconfig);
    const ways = [kubeconfig.path];
    for (const server of [...network, ...network, requests].map(({ url }) => url)) {
      const request = { user: "soak", groups: ["system:masters"], namespace, server };
      ways.push((await cluster.kubeconfigFor(request)).path);
    }
    return new Hazards(scene, network, requests, ways);
  }

  /** Nothing goes wrong any more; resolves when all that was begun is over. */
  async calm(): Promise<void> {
    this.#isCalm = true;
    this.#calm.resolve();
    this.requests.weather = () => null;
    await Promise.all(this.#loops);
    for (const proxy of this.network) proxy.resume();
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** For so long, or until all is to be calm. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([over, this.#calm.promise]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.calm();
    await Promise.all([...this.network, this.requests].map((one) => one[Symbol.asyncDispose]()));
  }

  async #loop(
    hazards: Readonly<Record<string, Hazard>>,
    least: number,
    most: number,
  ): Promise<void> {
    const { chance } = this.scene;
    const names = Object.keys(hazards);
    for (;;) {
      await this.pause(chance.between(least, most));
      if (this.#isCalm) return;
      const name = names[chance.below(names.length)] ?? "";
      this.count(name);
      await hazards[name]?.(this).catch((error) => this.violations.push(`${name}: ${error}`));
    }
  }

  #weather(method: string): RequestFault | null {
    const { chance } = this.scene;
    if (!chance.happens(0.12)) return null;
    const fault = WEATHER[chance.below(WEATHER.length)] ?? null;
    if (fault !== null) this.count(`a ${method}: ${nameOf(fault)}`);
    return fault;
  }
}

const WEATHER: readonly RequestFault[] = [
  { kind: "answer", status: 429, headers: { "retry-after": "1" } },
  { kind: "answer", status: 500 },
  { kind: "answer", status: 503 },
  { kind: "answer", status: 504 },
  { kind: "drop" },
  { kind: "lose_answer" },
  { kind: "lose_answer" },
  { kind: "late", ms: 2000 },
  { kind: "late", ms: 30_000 },
  { kind: "twice" },
  { kind: "twice" },
  { kind: "slow", ms: 1500 },
  { kind: "stall" },
  { kind: "garbage" },
];

function nameOf(fault: RequestFault): string {
  if (fault.kind === "answer") return `answered ${fault.status}`;
  return fault.kind === "late" ? `late by ${fault.ms / 1000} s` : fault.kind.replace("_", " ");
}

/** For a while one of the lines is bad. */
function line(act: (proxy: FaultProxy) => void, least: number, most: number): Hazard {
  return async (hazards) => {
    const { chance } = hazards.scene;
    const proxy = hazards.network[chance.below(hazards.network.length)];
    if (proxy === undefined) return;
    act(proxy);
    await hazards.pause(chance.between(least, most));
    proxy.resume();
  };
}

const watches = (fault: WatchFault): Hazard => (hazards) => {
  hazards.requests.disturbWatches(fault);
  return Promise.resolve();
};

const NETWORK: Readonly<Record<string, Hazard>> = {
  "a line: cut": line((proxy) => proxy.cut(), 0, 1),
  "a line: silent for a while": line((proxy) => proxy.stall(), 500, 8000),
  "a line: refuses for a while": line((proxy) => proxy.refuse(), 500, 8000),
  "a line: late for a while": line((proxy) => proxy.delay(400), 1000, 6000),
  "a line: slow for a while": line((proxy) => proxy.slow(512, 10), 1000, 6000),
  "a line: garbage for a while": line((proxy) => proxy.garbage(), 200, 3000),
  "watches: cut": watches("cut"),
  "watches: ended": watches("end"),
  "watches: garbage": watches("garbage"),
  "watches: revision forgotten": watches("gone"),
  "watches: old events again": watches("repeat"),
  "watches: bookmark": watches("bookmark"),
  "watches: silent for a while": async (hazards) => {
    hazards.requests.pauseWatches();
    await hazards.pause(hazards.scene.chance.between(1000, 10_000));
    hazards.requests.resumeWatches();
  },
};

/** For a while a server stands still or is gone; at times for longer than a TTL. */
function away(stop: (cluster: Cluster) => unknown, start: (cluster: Cluster) => unknown): Hazard {
  return async (hazards) => {
    const { cluster, chance, ttlMs } = hazards.scene;
    await stop(cluster);
    try {
      await hazards.pause(
        chance.happens(0.25) ? chance.between(ttlMs, 1.5 * ttlMs) : chance.between(200, 4000),
      );
    } finally {
      await start(cluster);
    }
  };
}

/** It lets go of what it has begun, for so long. Its watches would hold it up for a minute. */
async function endInOrder(cluster: Cluster): Promise<void> {
  const ended = cluster.stopApiServer("SIGTERM");
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000))]);
  await cluster.stopApiServer("SIGKILL");
}

const SERVER: Readonly<Record<string, Hazard>> = {
  "the API server: killed, started again": away(
    (on) => on.stopApiServer("SIGKILL"),
    (on) => on.startApiServer(),
  ),
  "the API server: ended in order, started again": away(
    (on) => endInOrder(on),
    (on) => on.startApiServer(),
  ),
  "the API server: stands still": away((on) => on.pauseApiServer(), (on) => on.resumeApiServer()),
  "etcd: stands still": away((on) => on.pauseEtcd(), (on) => on.resumeEtcd()),
  "etcd: killed, started again": away((on) => on.stopEtcd(), (on) => on.startEtcd()),
};

/** One of the lock's tickets, by its path, or null; and what people do with kubectl. */
async function someTicket(
  { scene: { cluster, namespace, chance } }: Hazards,
): Promise<string | null> {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  const { status, body } = await quietly(cluster, "GET", leases);
  if (status !== 200) return null;
  const names = (body?.items ?? []).map(({ metadata }) => metadata?.name ?? "").filter((name) =>
    name.startsWith("k8s-lock-soak-t-")
  );
  return names.length === 0 ? null : `${leases}/${names[chance.below(names.length)]}`;
}

interface Listed {
  readonly items?: readonly { readonly metadata?: { readonly name?: string } }[];
}

/** A request of a person, who may be out of luck. */
async function quietly(
  cluster: Cluster,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly body?: Listed }> {
  try {
    const contentType = "application/merge-patch+json";
    const sent = cluster.api.request(method, path, body === undefined ? {} : { body, contentType });
    // An answer that is cut never ends.
    const answer = await within(sent, () => path, 30_000);
    return { status: answer.status, body: answer.body as Listed };
  } catch {
    return { status: 0 };
  }
}

const note = { metadata: { annotations: { note: "somebody was here" } } };

const PEOPLE: Readonly<Record<string, Hazard>> = {
  "a person: breaks the lock": async ({ scene, violations }) => {
    const home = join(scene.folder, "person");
    await mkdir(home, { recursive: true });
    const env = { HOME: home, KUBECONFIG: scene.kubeconfig.path };
    const args = ["break", "soak", "--yes", "--reason", "the soak"];
    const { code, stderr } = await runToEnd(args, { env });
    if (code === 1 || code === 2) violations.push(`break ended with ${code}: ${stderr}`);
    await rm(home, { recursive: true, force: true });
  },
  "a person: deletes a ticket": async (hazards) => {
    const path = await someTicket(hazards);
    if (path !== null) await quietly(hazards.scene.cluster, "DELETE", path);
  },
  "a person: annotates a ticket": async (hazards) => {
    const path = await someTicket(hazards);
    if (path !== null) await quietly(hazards.scene.cluster, "PATCH", path, note);
  },
  "a person: annotates the record": async ({ scene: { cluster, namespace } }) => {
    const path = `/api/v1/namespaces/${namespace}/secrets/k8s-lock-soak`;
    await quietly(cluster, "PATCH", path, note);
  },
};
