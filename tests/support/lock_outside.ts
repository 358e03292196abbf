/** One lock as seen from outside: every state of its record and every ticket, by watches of a client that is not ours. */
import type { ClientRequest } from "node:http";
import { Agent, get } from "node:https";
import { Buffer } from "node:buffer";
import type { LockRecord } from "../../lib/lock/record.ts";
import type { KubeObject } from "./cluster/api.ts";
import type { Kubeconfig } from "./cluster/kubeconfig.ts";
import { within } from "./program.ts";

/** A state of the record. */
export interface SeenRecord {
  readonly revision: string;
  readonly uid: string;
  /** Null: it was deleted, or is none. */
  readonly record: LockRecord | null;
}

/** A ticket as it was created. */
export interface SeenTicket {
  readonly grant: string;
  readonly holder: string;
  readonly revision: string;
}

/** Watches until it is disposed of. */
export class LockOutside implements Disposable {
  /** All states so far, the oldest first. */
  readonly records: SeenRecord[] = [];
  /** All that were ever created, in the order of their creation's revision. */
  readonly tickets: SeenTicket[] = [];
  readonly #standing = new Set<string>();
  readonly #watches: Watch[];
  readonly #listeners = new Set<() => void>();

  private constructor(kubeconfig: Kubeconfig, namespace: string, readonly object: string) {
    const secrets = `/api/v1/namespaces/${namespace}/secrets?fieldSelector=metadata.name=${object}`;
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases?`;
    this.#watches = [
      watch(kubeconfig, secrets, {
        list: ([secret]) => this.#sawSecret(secret ?? null),
        event: (kind, secret) => this.#sawSecret(kind === "DELETED" ? null : secret),
      }),
      watch(kubeconfig, leases, {
        list: (all) => this.#listedLeases(all),
        event: (kind, lease) => {
          this.#noteLease(kind, lease);
          this.#changed();
        },
      }),
    ];
  }

  /**
   * Returns once it watches.
   *
   * @param object the record's name
   */
  static async open(
    kubeconfig: Kubeconfig,
    namespace: string,
    object: string,
  ): Promise<LockOutside> {
    const outside = new LockOutside(kubeconfig, namespace, object);
    await Promise.all(outside.#watches.map(({ begun }) => begun));
    return outside;
  }

  /** The record now; null when there is none. */
  get record(): LockRecord | null {
    return this.records.at(-1)?.record ?? null;
  }

  /** How many tickets stand. */
  get waiting(): number {
    return this.#standing.size;
  }

  /** Resolves with the first state since `from` (an index of {@link records}) that is the one looked for. */
  seen(
    what: string,
    wanted: (record: LockRecord) => boolean,
    from = 0,
  ): Promise<SeenRecord & { readonly record: LockRecord }> {
    const isWanted = (seen: SeenRecord): seen is SeenRecord & { readonly record: LockRecord } =>
      seen.record !== null && wanted(seen.record);
    return this.#until(what, () => this.records.slice(from).find(isWanted));
  }

  /** Resolves once so many tickets stand. */
  async queued(count: number, limitMs?: number): Promise<void> {
    const are = () => this.#standing.size === count || undefined;
    await this.#until(`${count} tickets`, are, limitMs);
  }

  /** Resolves once the record is deleted. */
  async deleted(): Promise<void> {
    await this.#until("the deletion", () => this.records.at(-1)?.record === null || undefined);
  }

  [Symbol.dispose](): void {
    for (const one of this.#watches) one[Symbol.dispose]();
  }

  #sawSecret(secret: KubeObject | null): void {
    const { resourceVersion = "", uid = "" } = secret?.metadata ?? {};
    this.records.push({ revision: resourceVersion, uid, record: secret && recordIn(secret) });
    this.#changed();
  }

  #listedLeases(leases: readonly KubeObject[]): void {
    this.#standing.clear();
    for (const lease of leases) this.#noteLease("ADDED", lease);
    this.#changed();
  }

  #noteLease(kind: string, lease: KubeObject): void {
    const { name = "", resourceVersion = "" } = lease.metadata ?? {};
    if (!name.startsWith(`${this.object}-t-`)) return;
    const grant = name.slice(`${this.object}-t-`.length);
    if (kind === "DELETED") this.#standing.delete(grant);
    else this.#standing.add(grant);
    if (this.tickets.some((ticket) => ticket.grant === grant)) return;
    const holder = String((lease["spec"] as { holderIdentity?: string }).holderIdentity);
    this.tickets.push({ grant, holder, revision: resourceVersion });
  }

  #until<T>(what: string, look: () => T | undefined, limitMs?: number): Promise<T> {
    const found = new Promise<T>((resolve) => {
      const check = () => {
        const seen = look();
        if (seen === undefined) return;
        this.#listeners.delete(check);
        resolve(seen);
      };
      this.#listeners.add(check);
      check();
    });
    return within(found, () => {
      const last = JSON.stringify(this.record);
      return `${what} in ${this.object}; ${this.#standing.size} wait; last: ${last}`;
    }, limitMs);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The record in a Secret. */
export function recordIn(secret: KubeObject): LockRecord | null {
  const text = (secret["data"] as { lock?: string } | undefined)?.lock;
  if (text === undefined) return null;
  try {
    return JSON.parse(Buffer.from(text, "base64").toString()) as LockRecord;
  } catch {
    return null;
  }
}

interface Watch extends Disposable {
  /** Resolves once the server watches. */
  readonly begun: Promise<void>;
}

interface Listener {
  /** What stands: at the begin, and again after an outage in which something may have been missed. */
  list(objects: readonly KubeObject[]): void;
  event(kind: string, object: KubeObject): void;
}

/** Lists and watches, and goes on where it was when the server went away. */
function watch({ object }: Kubeconfig, path: string, listener: Listener): Watch {
  const { server = "", "certificate-authority-data": ca = "" } = object.clusters[0]?.cluster ?? {};
  const user = object.users[0]?.user ?? {};
  const pem = (text = "") => Buffer.from(text, "base64").toString();
  const agent = new Agent({
    keepAlive: false,
    ca: pem(ca),
    cert: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
  });
  const begun = Promise.withResolvers<void>();
  let revision = "";
  let closed = false;
  let request: ClientRequest | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function take(line: string): void {
    const { type = "", object, metadata, items } = JSON.parse(line) as Line;
    if (closed) return;
    // After an ERROR (a revision that the server does not remember) everything is listed again.
    revision = type === "ERROR" ? "" : (object?.metadata ?? metadata)?.resourceVersion ?? "";
    if (items !== undefined) listener.list(items);
    else if (type !== "ERROR" && object !== undefined) listener.event(type, object);
  }

  function begin(): void {
    if (closed) return;
    const query = revision === "" ? "" : `&watch=true&resourceVersion=${revision}`;
    let over = false;
    const again = () => {
      if (over) return;
      over = true;
      timer = setTimeout(begin, 20);
    };
    request = get(new URL(`${path}${query}`, server), { agent }, (answer) => {
      answer.on("error", again);
      if (answer.statusCode !== 200) answer.destroy();
      else if (query !== "") begun.resolve();
      let rest = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) take(line);
      });
      answer.on("close", () => {
        if (rest !== "" && answer.complete) take(rest);
        again();
      });
    });
    request.on("error", again);
  }

  begin();
  return {
    begun: begun.promise,
    [Symbol.dispose]() {
      closed = true;
      clearTimeout(timer);
      request?.destroy();
      agent.destroy();
    },
  };
}

/** An event of a watch, or a list. */
interface Line {
  readonly type?: string;
  readonly object?: KubeObject;
  readonly metadata?: KubeObject["metadata"];
  readonly items?: readonly KubeObject[];
}

/** Tickets in the order of their creation. */
export function byRevision(tickets: readonly SeenTicket[]): SeenTicket[] {
  return [...tickets].sort((one, other) => Number(BigInt(one.revision) - BigInt(other.revision)));
}
