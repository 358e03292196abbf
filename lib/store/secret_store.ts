/**
 * Records as Secrets, the default in a cluster: versioned JSON under the data key `lock`. Tickets are Leases.
 *
 * One in version 3's form has that version's number under `next_build` beside it, or alone: version 3 knows no other key.
 *
 * Ours is what has one of these keys, whatever its labels say: `kubectl replace` and the like wipe labels. They are put back
 * by the next write. What is somebody else's is never written.
 */
import { Buffer } from "node:buffer";
import type { KubeClient } from "../kube/client.ts";
import type { Target } from "../kube/errors.ts";
import { StoreError } from "../lock/store.ts";
import type {
  LockStore,
  LockStores,
  NewTicket,
  StoredRecord,
  StoredTicket,
  Watch,
  WatchEvent,
} from "../lock/store.ts";
import { joined, parted } from "../lock/v3_form.ts";
import {
  annotationsOf,
  asStored,
  fieldsOf,
  LABELS,
  labelsOf,
  listOf,
  MANAGER,
  metadataOf,
  namesOf,
  storeErrorOf,
  versionOf,
} from "./kube_objects.ts";
import type { ObjectNames } from "./kube_objects.ts";
import { LeaseTickets } from "./lease_tickets.ts";

/** The data key that holds the record. */
const KEY = "lock";
/** The data key of k8s-lock v3: a run number. */
const V3_KEY = "next_build";
/** What the names of version 3's Secrets begin with. */
const V3_PREFIX = "k8s-lock-";
const PAGE = 500;

/** Which place of a cluster. */
export interface SecretStoresOptions {
  /** Where records and tickets are. */
  readonly namespace: string;
  /** The wall clock, for people's eyes only. */
  readonly now?: () => Date;
}

/** The locks of a namespace whose records are Secrets. Closing them closes `client`. */
export function secretStores(client: KubeClient, options: SecretStoresOptions): LockStores {
  const { namespace, now = () => new Date() } = options;
  return {
    open: (object, label) => new SecretStore(client, namesOf(namespace, object, label), now),
    listRecords: (signal) => asStored(() => listRecords(client, namespace, signal)),
    close: () => client.close(),
  };
}

class SecretStore implements LockStore {
  readonly object: string;
  #client: KubeClient;
  #names: ObjectNames;
  #tickets: LeaseTickets;

  constructor(client: KubeClient, names: ObjectNames, now: () => Date) {
    this.object = `secret/${names.namespace}/${names.object}`;
    this.#client = client;
    this.#names = names;
    this.#tickets = new LeaseTickets(client, names, now);
  }

  readRecord(signal?: AbortSignal): Promise<StoredRecord | null> {
    return asStored(async () => {
      let secret: unknown;
      try {
        secret = await this.#client.request({ target: this.#target("get"), signal });
      } catch (error) {
        if ((error as { kind?: unknown }).kind === "missing") return null;
        throw error;
      }
      return recordOf(secret);
    });
  }

  createRecord(text: string, signal?: AbortSignal): Promise<StoredRecord> {
    const { namespace, object } = this.#names;
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        name: object,
        namespace,
        // Server-side apply with a revision that nothing has makes what is not there, and conflicts with what is. Unlike a
        // POST it can be allowed for one name. (Tried on Kubernetes 1.36.)
        resourceVersion: "1",
        labels: labelsOf(this.#names, "record"),
        annotations: annotationsOf(this.#names),
      },
      type: "Opaque",
      data: dataOf({}, text),
    };
    const request = {
      target: this.#target("create"),
      query: { fieldManager: MANAGER },
      body,
      contentType: "application/apply-patch+yaml",
      signal,
    };
    return asStored(async () => {
      try {
        return recordOf(await this.#client.request(request));
      } catch (error) {
        if ((error as { kind?: unknown }).kind !== "conflict") throw error;
        throw new StoreError(
          "exists",
          `there is a Secret "${object}" in namespace "${namespace}" already.`,
        );
      }
    });
  }

  replaceRecord(base: StoredRecord, text: string, signal?: AbortSignal): Promise<StoredRecord> {
    const read = fieldsOf(base.native);
    const { labels, annotations } = metadataOf(read);
    const body = {
      ...read,
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        ...fieldsOf(read["metadata"]),
        name: this.#names.object,
        namespace: this.#names.namespace,
        uid: base.uid,
        resourceVersion: base.revision,
        labels: { ...labels, ...labelsOf(this.#names, "record") },
        annotations: { ...annotations, ...annotationsOf(this.#names) },
      },
      data: dataOf(fieldsOf(read["data"]), text),
    };
    const target = this.#target("update");
    return asStored(async () => recordOf(await this.#client.request({ target, body, signal })));
  }

  listTickets(signal?: AbortSignal, when?: "now" | "lately"): Promise<StoredTicket[]> {
    return this.#tickets.list(signal, when);
  }

  readTicket(grant: string, signal?: AbortSignal): Promise<StoredTicket | null> {
    return this.#tickets.read(grant, signal);
  }

  createTicket(ticket: NewTicket, signal?: AbortSignal): Promise<StoredTicket> {
    return this.#tickets.create(ticket, signal);
  }

  patchTicket(base: StoredTicket, text: string, signal?: AbortSignal): Promise<StoredTicket> {
    return this.#tickets.patch(base, text, signal);
  }

  deleteTicket(
    ticket: { readonly grant: string; readonly uid: string; readonly revision?: string },
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#tickets.delete(ticket, signal);
  }

  /** Where watching is not allowed it ends with `refused`. `place` does not matter: nothing is polled. */
  watchRecord(from: string, _place: number, onEvent: (event: WatchEvent) => void): Watch {
    let uid: string | undefined;
    return this.#client.watch({
      target: { ...this.#target("watch"), name: this.#names.object },
      from,
      onEvent: (event) => {
        if (event.kind === "ended") return onEvent(endOf(event.error));
        if (event.kind === "deleted") return onEvent({ kind: "deleted" });
        const record = tryRecordOf(event.object);
        // A Secret that is no record (any more): to be read, which says what it is.
        if (record === null) return onEvent({ kind: "deleted" });
        if (uid !== undefined && uid !== record.uid) onEvent({ kind: "deleted" });
        uid = record.uid;
        onEvent({ kind: "record", record });
      },
    });
  }

  #target(verb: Target["verb"]): Target {
    const { namespace, object: name } = this.#names;
    return { verb, group: "", resource: "secrets", namespace, name };
  }
}

async function listRecords(
  client: KubeClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<{ object: string; record: StoredRecord }[]> {
  const { objects: secrets } = await listOf(client, {
    target: { verb: "list", group: "", resource: "secrets", namespace },
    labelSelector: `${LABELS.managedBy}=${MANAGER},${LABELS.role}=record`,
    page: PAGE,
    signal,
  });
  return [...secrets, ...await unlabelled(client, namespace, signal)].map((secret) => ({
    object: metadataOf(secret).name,
    // One that lost its key is listed too, with no text: who lists wants to see what is damaged.
    record: { ...versionOf(secret), text: textOf(secret) ?? "", native: secret },
  }));
}

/** Records without our labels: version 3 knows none, and wipes them at each of its ends. Nothing is read of what is not called as a record. */
async function unlabelled(
  client: KubeClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<unknown[]> {
  const { objects } = await listOf(client, {
    target: { verb: "list", group: "", resource: "secrets", namespace },
    labelSelector: `${LABELS.role}!=record`,
    view: "metadata",
    page: PAGE,
    signal,
  });
  const found: unknown[] = [];
  for (const name of objects.map((object) => metadataOf(object).name)) {
    if (!name.startsWith(V3_PREFIX)) continue;
    try {
      const target = { verb: "get", group: "", resource: "secrets", namespace, name } as const;
      const secret = await client.request({ target, signal });
      if (textOf(secret) !== undefined) found.push(secret);
    } catch (error) {
      // Deleted meanwhile.
      if ((error as { kind?: unknown }).kind !== "missing") throw error;
    }
  }
  return found;
}

function endOf(error: unknown): WatchEvent {
  if (error === undefined) return { kind: "ended" };
  const failure = storeErrorOf(error);
  if (failure instanceof StoreError) return { kind: "ended", error: failure };
  throw failure;
}

/** The record in a Secret. Throws `unusable` when the Secret is something else. */
function recordOf(secret: unknown): StoredRecord {
  const text = textOf(secret);
  if (text === undefined) throw new StoreError("unusable", whatStandsThere(secret));
  return { ...versionOf(secret), text, native: secret };
}

function tryRecordOf(secret: unknown): StoredRecord | null {
  try {
    return recordOf(secret);
  } catch {
    return null;
  }
}

function textOf(secret: unknown): string | undefined {
  const data = fieldsOf(fieldsOf(secret)["data"]);
  const lock = decoded(data[KEY]);
  const nextBuild = decoded(data[V3_KEY]);
  return nextBuild === undefined ? lock : joined(lock, nextBuild);
}

/** `data` with the record `text` in it, and all that is not ours as it was. */
function dataOf(data: Record<string, unknown>, text: string): Record<string, unknown> {
  const { [V3_KEY]: _, ...others } = data;
  const { lock, nextBuild } = parted(text);
  return {
    ...others,
    [KEY]: encoded(lock),
    ...(nextBuild === null ? {} : { [V3_KEY]: encoded(nextBuild) }),
  };
}

function decoded(value: unknown): string | undefined {
  return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : undefined;
}

function encoded(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** Names a Secret that is not a record of ours by its type and keys, never by what is in it. */
function whatStandsThere(secret: unknown): string {
  const { name, labels } = metadataOf(secret);
  const { type } = fieldsOf(secret);
  const keys = Object.keys(fieldsOf(fieldsOf(secret)["data"])).sort();
  if (labels[LABELS.managedBy] === MANAGER) {
    return `the Secret "${name}" was a record, but its key ${KEY} is gone: somebody took it out. If nobody holds the lock, ` +
      `delete it (kubectl delete secret ${name}) and it is made anew.`;
  }
  const shown = keys.length === 0
    ? "no data"
    : `the keys ${keys.slice(0, 5).join(", ")}${keys.length > 5 ? ", …" : ""}`;
  return `the Secret "${name}" is not a record of k8s-lock but somebody else's (type ${
    String(type)
  }, ${shown}). It is left as ` +
    "it is: give the lock another name, or another namespace with --namespace.";
}
