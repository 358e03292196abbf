/**
 * Tickets as Leases, for every store in a cluster: listing them shows nothing secret, and `kubectl get leases` shows the
 * queue with its HOLDER column.
 */
import type { KubeClient } from "../kube/client.ts";
import type { Target } from "../kube/errors.ts";
import type { NewTicket, StoredTicket } from "../lock/store.ts";
import {
  annotationsOf,
  asStored,
  fieldsOf,
  LABELS,
  labelsOf,
  listOf,
  metadataOf,
  versionOf,
} from "./kube_objects.ts";
import type { ObjectNames } from "./kube_objects.ts";

/** Holds a ticket's text. */
const TICKET = "k8s-lock.dev/ticket";
/** Tickets in one answer. */
const PAGE = 1000;
/** Longest holder that the HOLDER column shows. */
const MAX_HOLDER = 128;

/** One lock's tickets. */
export class LeaseTickets {
  #client: KubeClient;
  #names: ObjectNames;
  #now: () => Date;
  /** The state of the cluster that was listed last. */
  #listed = "";

  /** Those of the lock of these names; `now` is the wall clock, for people's eyes only. */
  constructor(client: KubeClient, names: ObjectNames, now: () => Date) {
    this.#client = client;
    this.#names = names;
    this.#now = now;
  }

  /**
   * All tickets as they stand now, or `lately` as the API server has them at hand, which is no older than what was listed
   * before. Whether it has heard of everything it asks etcd once in 100 ms, and a list that comes between waits for that
   * (Kubernetes 1.36: `progressRequestPeriod` of the watch cache); what there is it hears of within milliseconds.
   *
   * A Lease whose annotation somebody took off or garbled is among them, with what is left of its text: who reads it
   * refuses it, and it can be deleted like any other. One that is deleted and only waits for somebody's finalizer is not: it would be
   * named, called and deleted again at each hand-over.
   */
  async list(
    signal?: AbortSignal,
    when: "now" | "lately" = "now",
  ): Promise<StoredTicket[]> {
    const { objects: leases, revision } = await asStored(() =>
      listOf(this.#client, {
        target: { ...this.#target("list"), verb: "list" },
        labelSelector: `${LABELS.lock}=${this.#names.hash},${LABELS.role}=ticket`,
        page: PAGE,
        notOlderThan: when === "lately" ? this.#listed : "",
        signal,
      })
    );
    this.#listed = revision;
    return leases
      // Under another name it cannot be a grant's of this lock, whatever its labels say.
      .filter((lease) => metadataOf(lease).name.startsWith(this.#name("")) && !isGoing(lease))
      .map((lease) => this.#ticketOf(lease));
  }

  /** One ticket, or null. */
  async read(grant: string, signal?: AbortSignal): Promise<StoredTicket | null> {
    return await asStored(async () => {
      try {
        const lease = await this.#client.request({ target: this.#target("get", grant), signal });
        return isGoing(lease) ? null : this.#ticketOf(lease);
      } catch (error) {
        if ((error as { kind?: unknown }).kind === "missing") return null;
        throw error;
      }
    });
  }

  /** Makes a ticket. */
  async create({ grant, holder, text }: NewTicket, signal?: AbortSignal): Promise<StoredTicket> {
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: this.#name(grant),
        namespace: this.#names.namespace,
        labels: labelsOf(this.#names, "ticket"),
        annotations: { ...annotationsOf(this.#names), [TICKET]: text },
      },
      spec: {
        holderIdentity: shown(holder) || grant,
        // A MicroTime: the server refuses one without all six digits.
        acquireTime: this.#now().toISOString().replace("Z", "000Z"),
      },
    };
    const target = { ...this.#target("create"), name: undefined };
    return await asStored(async () =>
      this.#ticketOf(await this.#client.request({ target, body: lease, signal }))
    );
  }

  /** Changes a ticket's text in the state `base`. */
  async patch(base: StoredTicket, text: string, signal?: AbortSignal): Promise<StoredTicket> {
    const body = {
      metadata: {
        uid: base.uid,
        resourceVersion: base.revision,
        // With the labels, in case somebody took them off: without them it is in no list.
        labels: labelsOf(this.#names, "ticket"),
        annotations: { [TICKET]: text },
      },
    };
    return await asStored(async () =>
      this.#ticketOf(
        await this.#client.request({
          target: this.#target("patch", base.grant),
          body,
          contentType: "application/merge-patch+json",
          signal,
        }),
      ), { 422: "conflict" }); // A uid cannot be changed: so says the server of one that is another's.
  }

  /** Deletes a ticket of that uid, with `revision` only in that state. */
  async delete(
    { grant, uid, revision }: {
      readonly grant: string;
      readonly uid: string;
      readonly revision?: string;
    },
    signal?: AbortSignal,
  ): Promise<void> {
    const preconditions = { uid, ...(revision === undefined ? {} : { resourceVersion: revision }) };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
    await asStored(() =>
      this.#client.request({ target: this.#target("delete", grant), body, signal })
    );
  }

  #ticketOf(lease: unknown): StoredTicket {
    const { name, annotations } = metadataOf(lease);
    const text = annotations[TICKET];
    return {
      grant: name.slice(this.#name("").length),
      ...versionOf(lease),
      text: typeof text === "string" ? text : "",
    };
  }

  #target(verb: Target["verb"], grant?: string): Target {
    const name = grant === undefined ? undefined : this.#name(grant);
    return {
      verb,
      group: "coordination.k8s.io",
      resource: "leases",
      namespace: this.#names.namespace,
      name,
    };
  }

  #name(grant: string): string {
    return `${this.#names.object}-t-${grant}`;
  }
}

/** True for an object that is deleted and stands only until the last of its finalizers is taken off. */
function isGoing(object: unknown): boolean {
  return fieldsOf(fieldsOf(object)["metadata"])["deletionTimestamp"] !== undefined;
}

/** A holder as others' terminals may show it. */
function shown(holder: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what it takes out
  return holder.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim().slice(0, MAX_HOLDER);
}
