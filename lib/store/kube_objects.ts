/** What records and tickets have in common as objects of a cluster. */
import { createHash } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { Target } from "../kube/errors.ts";
import { StoreError } from "../lock/store.ts";
import type { StoreFailureKind, Version } from "../lock/store.ts";

/** The labels by which our objects are found. */
export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  role: "k8s-lock.dev/role",
  lock: "k8s-lock.dev/lock",
} as const;

/** The value of {@link LABELS.managedBy}, and the name under which the server notes what we set. */
export const MANAGER = "k8s-lock";

const LOCK_NAME = "k8s-lock.dev/lock-name";

/** What one lock's objects are called. */
export interface ObjectNames {
  /** Where all of them are. */
  readonly namespace: string;
  /** The record's name, with which those of its tickets begin. */
  readonly object: string;
  /** What people call the lock. */
  readonly label: string;
  /** Stands for `object` in a label's value, which holds 63 bytes. */
  readonly hash: string;
}

/** The names of the lock whose record is `object`. */
export function namesOf(namespace: string, object: string, label: string): ObjectNames {
  const hash = createHash("sha256").update(object).digest("hex").slice(0, 40);
  return { namespace, object, label, hash };
}

/** The labels of an object of ours. */
export function labelsOf({ hash }: ObjectNames, role: "record" | "ticket"): Record<string, string> {
  return { [LABELS.managedBy]: MANAGER, [LABELS.role]: role, [LABELS.lock]: hash };
}

/** The annotations of an object of ours. */
export function annotationsOf({ label }: ObjectNames): Record<string, string> {
  return { [LOCK_NAME]: label };
}

/** `value` as a mapping; an empty one when it is none. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

/** An object's metadata, as far as it is used. */
export interface Metadata {
  /** Empty where there is none. */
  readonly name: string;
  /** As they stand there, whatever they are. */
  readonly labels: Record<string, unknown>;
  /** As they stand there, whatever they are. */
  readonly annotations: Record<string, unknown>;
}

/** The metadata of an object as the server sent it. */
export function metadataOf(object: unknown): Metadata {
  const metadata = fieldsOf(fieldsOf(object)["metadata"]);
  const name = metadata["name"];
  return {
    name: typeof name === "string" ? name : "",
    labels: fieldsOf(metadata["labels"]),
    annotations: fieldsOf(metadata["annotations"]),
  };
}

/** The uid and revision of an object. Throws a {@link StoreError} when it has none: then it is no object. */
export function versionOf(object: unknown): Version {
  const { uid, resourceVersion } = fieldsOf(fieldsOf(object)["metadata"]);
  if (
    typeof uid !== "string" || uid === "" || typeof resourceVersion !== "string" ||
    !/^\d+$/.test(resourceVersion)
  ) {
    throw new StoreError(
      "unknown",
      "the server answered with something that is no object with a uid and a revision.",
    );
  }
  return { uid, revision: resourceVersion };
}

/** What to list. */
export interface ListRequest {
  /** The kind of objects and their namespace. */
  readonly target: Target & { readonly verb: "list" };
  /** Which of them, as a label selector of Kubernetes. */
  readonly labelSelector: string;
  /** `metadata`: nothing else of them is sent. */
  readonly view?: "metadata";
  /** Objects in one answer; more come in the next, of the same state of the cluster. */
  readonly page: number;
  /** A revision that the list must have seen. Absent or empty: it must be of this moment. */
  readonly notOlderThan?: string;
  /** Ends it, as `unknown`. */
  readonly signal?: AbortSignal | undefined;
}

/** A list's later pages are refused when they come too late; then all of it is read again, so many times in all. */
const LISTS = 3;

/** Objects of one state of the cluster. */
export interface Listed {
  /** As the server sent them, in its order. */
  readonly objects: readonly unknown[];
  /** That state's. Empty when the server does not say it. */
  readonly revision: string;
}

/** All objects with these labels, of one state of the cluster. Rejects with a {@link KubeError}. */
export async function listOf(client: KubeClient, request: ListRequest): Promise<Listed> {
  for (let tries = 1;; tries++) {
    try {
      return await pagesOf(client, request);
    } catch (error) {
      if ((error as { status?: unknown }).status !== 410 || tries === LISTS) throw error;
    }
  }
}

async function pagesOf(client: KubeClient, request: ListRequest): Promise<Listed> {
  const { target, labelSelector, page, notOlderThan = "", view, signal } = request;
  const objects: unknown[] = [];
  const state = notOlderThan === ""
    ? {}
    : { resourceVersion: notOlderThan, resourceVersionMatch: "NotOlderThan" };
  let revision = "";
  let next = "";
  do {
    const query = {
      labelSelector,
      limit: String(page),
      ...(next === "" ? state : { continue: next }),
    };
    const list = fieldsOf(
      await client.request({ target, query, signal, ...(view === undefined ? {} : { view }) }),
    );
    if (Array.isArray(list["items"])) objects.push(...list["items"]);
    const { continue: more, resourceVersion } = fieldsOf(list["metadata"]);
    if (typeof resourceVersion === "string") revision = resourceVersion;
    next = typeof more === "string" ? more : "";
  } while (next !== "");
  return { objects, revision };
}

/**
 * The result of `request`, its failure as a {@link StoreError}.
 *
 * @param kinds what an HTTP status means for this request, where that is not what it means elsewhere
 */
export async function asStored<T>(
  request: () => Promise<T>,
  kinds: Readonly<Record<number, StoreFailureKind>> = {},
): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw storeErrorOf(error, kinds);
  }
}

/** A KubeError as a StoreError; anything else stays what it is: a bug. */
export function storeErrorOf(
  error: unknown,
  kinds: Readonly<Record<number, StoreFailureKind>> = {},
): unknown {
  if (!(error instanceof KubeError)) return error;
  const kind = kinds[error.status ?? 0] ?? error.kind;
  return new StoreError(kind, error.message, error.retryAfterMs);
}
