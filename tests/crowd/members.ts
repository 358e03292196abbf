/**
 * Many members of a crowd in one process: each runs the real driver over a store and connections of its own. Started by `crowd.ts`.
 *
 * Its argument is a {@link Membership} as JSON. Each line of its standard input is an order: `open` lets the first holder's work end,
 * `die NAME` kills a member. What the members do is seen at the server and in the journal that their work writes.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Config } from "../../lib/lock/driver.ts";
import { runLock, SYSTEM_CLOCK } from "../../lib/lock/lock.ts";
import type { LockClient } from "../../lib/lock/lock.ts";
import type { LockStore, LockStores, Watch } from "../../lib/lock/store.ts";
import { KubeClient } from "../../lib/kube/client.ts";
import { loadConnection } from "../../lib/kube/kubeconfig.ts";
import type { Connection } from "../../lib/kube/kubeconfig.ts";
import { secretStores } from "../../lib/store/secret_store.ts";

/** What a process is told. */
export interface Membership {
  readonly kubeconfig: string;
  readonly object: string;
  readonly journal: string;
  readonly ttlMs: number;
  readonly workMs: number;
  /** Each has a name of its own. */
  readonly names: readonly string[];
  /** Between two that come, in milliseconds. */
  readonly apartMs: number;
}

const NEVER = new Promise<never>(() => {});

/** A client that can die as a process does: from one moment to the next nothing of it is sent, heard or answered any more. */
class Member {
  readonly over: Promise<void>;
  readonly #connections: LockStores;
  readonly #client: LockClient;
  readonly #died = Promise.withResolvers<void>();
  #isDead = false;

  constructor(
    readonly name: string,
    readonly membership: Membership,
    connection: Connection,
    readonly gate: Promise<void>,
  ) {
    const { object, ttlMs } = membership;
    const kube = new KubeClient(connection, { version: "crowd" });
    this.#connections = secretStores(kube, { namespace: connection.namespace });
    const store = this.#mortal(this.#connections.open(object, object));
    this.#client = runLock(configOf(name, ttlMs), store, SYSTEM_CLOCK, {
      startWork: ({ grant, hold }) => void this.#work(grant, hold?.token ?? 0),
      stopWork: () => this.#note(`was told to stop`),
      tell() {},
      changed() {},
    });
    const ended = this.#client.over.then(({ result, leftBehind }) => {
      const { kind } = result ?? {};
      if (!this.#isDead && (kind !== "released" || leftBehind !== null)) {
        this.#note(`ended as ${JSON.stringify(result)} ${leftBehind}`);
      }
      this.#connections.close();
    });
    this.over = Promise.race([ended, this.#died.promise]);
  }

  die(): void {
    this.#isDead = true;
    this.#connections.close();
    this.#died.resolve();
  }

  async #work(grant: string, token: number): Promise<void> {
    if (this.#isDead) return;
    this.#say("begin", grant, token);
    await this.gate;
    await new Promise((resolve) => setTimeout(resolve, this.membership.workMs));
    if (this.#isDead) return;
    this.#say("end", grant, token);
    this.#client.send({ kind: "work_ended" });
  }

  #say(what: "begin" | "end", grant: string, token: number): void {
    const at = (Date.now() / 1000).toFixed(3);
    appendFileSync(this.membership.journal, `${what} ${grant} ${token} ${this.name} ${at}\n`);
  }

  /** For whoever reads what this process says: nothing of the kind is expected. */
  #note(what: string): void {
    if (!this.#isDead) console.log(`${this.name} ${what}`);
  }

  /** `store` as long as this member lives. */
  #mortal(store: LockStore): LockStore {
    const alive = <A extends unknown[], R>(act: (...args: A) => Promise<R>) => (...args: A) =>
      this.#isDead ? NEVER : act.apply(store, args).finally(() => this.#isDead ? NEVER : undefined);
    return {
      object: store.object,
      readRecord: alive(store.readRecord),
      createRecord: alive(store.createRecord),
      replaceRecord: alive(store.replaceRecord),
      listTickets: alive(store.listTickets),
      readTicket: alive(store.readTicket),
      createTicket: alive(store.createTicket),
      patchTicket: alive(store.patchTicket),
      deleteTicket: alive(store.deleteTicket),
      watchRecord: (from, place, onEvent): Watch =>
        store.watchRecord(from, place, (event) => {
          if (!this.#isDead) onEvent(event);
        }),
    };
  }
}

function configOf(name: string, ttlMs: number): Config {
  return {
    identity: { scope: "global", owner: "", repository: "", lock: "crowd" },
    holder: name,
    description: "",
    link: "",
    mode: "exclusive",
    priority: 0,
    order: null,
    orderKey: null,
    skipAfterMs: null,
    ttlMs,
    timeoutMs: null,
    requestTimeoutMs: 15_000,
    maxHoldMs: null,
    work: "command",
    expiry: "takeover",
    onLost: "stop",
    news: "watch",
    resumed: null,
    grantPrefix: `${name}-${crypto.randomUUID().slice(0, 8)}`,
    seed: Math.floor(Math.random() * 2 ** 31),
  };
}

if (import.meta.main) {
  const membership = JSON.parse(process.argv[2] ?? "") as Membership;
  const connection = await loadConnection({
    kubeconfigPaths: membership.kubeconfig,
    env: {},
    home: "/nonexistent",
  });
  const gate = Promise.withResolvers<void>();
  const members = new Map<string, Member>();
  createInterface({ input: process.stdin }).on("line", (line) => {
    const [order, name = ""] = line.split(" ");
    if (order === "open") gate.resolve();
    else members.get(name)?.die();
  }).on("close", () => process.exit(1));
  for (const name of membership.names) {
    members.set(name, new Member(name, membership, connection, gate.promise));
    await new Promise((resolve) => setTimeout(resolve, membership.apartMs));
  }
  await Promise.all([...members.values()].map(({ over }) => over));
  process.exit(0);
}
