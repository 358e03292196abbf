/** Requests as the API server saw them, from its audit log. */
import { open, stat } from "node:fs/promises";

/** One request. */
export interface AuditEntry {
  /** As RBAC names it: get, list, watch, create, update, patch, delete. */
  readonly verb: string;
  /** Path and query. */
  readonly uri: string;
  readonly user: string;
  readonly userAgent: string;
  /** Resource in the plural, such as `secrets`; "" for paths such as /version. */
  readonly resource: string;
  readonly namespace: string;
  /** "" for lists, creations by POST, and watches of many. */
  readonly name: string;
  /** HTTP status; 0 for a request that broke off without one. */
  readonly code: number;
  /** When it came in, by the server's clock, in RFC 3339 with microseconds. */
  readonly receivedAt: string;
}

/** A place in the audit log. */
export type AuditMark = number;

/**
 * What is logged: each request once it is answered, and a watch as soon as it is established too. Not the
 * server's requests to itself, nor the questions whether it is ready.
 */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "None", users: ["system:apiserver"] },
    { level: "None", nonResourceURLs: ["/readyz*"] },
    { level: "Metadata" },
  ],
};

/** The log's end. */
export async function auditEnd(path: string): Promise<AuditMark> {
  return await stat(path).then((file) => file.size, () => 0);
}

/** What came in since `mark`, each request once, in the order in which they were answered. */
export async function readAudit(path: string, mark: AuditMark): Promise<AuditEntry[]> {
  const text = await tail(path, mark);
  const entries = new Map<string, AuditEntry>();
  // The last line may still be in the writing: it ends with a newline once it is whole.
  for (const line of text.split("\n").slice(0, -1)) {
    const event = JSON.parse(line) as AuditEvent;
    entries.set(event.auditID, {
      verb: event.verb,
      uri: event.requestURI,
      user: event.user?.username ?? "",
      userAgent: event.userAgent ?? "",
      resource: event.objectRef?.resource ?? "",
      namespace: event.objectRef?.namespace ?? "",
      name: event.objectRef?.name ?? "",
      code: event.responseStatus?.code ?? 0,
      receivedAt: event.requestReceivedTimestamp ?? "",
    });
  }
  return [...entries.values()];
}

async function tail(path: string, from: number): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const buffer = new Uint8Array(Math.max(0, size - from));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
  return new TextDecoder().decode(buffer.subarray(0, bytesRead));
}

/** The part of audit.k8s.io/v1 Event that is read. */
interface AuditEvent {
  auditID: string;
  verb: string;
  requestURI: string;
  user?: { username?: string };
  userAgent?: string;
  objectRef?: { resource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
  requestReceivedTimestamp?: string;
}
