/** HTTP answers that are not the wanted result, told apart by what they say about the request's effect. */
import type { IncomingHttpHeaders } from "node:http";
import { inOneLine, KubeError, nounOf } from "./errors.ts";
import type { KubeFailureDetails, KubeFailureKind, Target } from "./errors.ts";

/** A Kubernetes `Status` object, as far as it is used. */
export interface Status {
  /** In the words of the server. */
  readonly message: string;
  /** `Conflict`, `Forbidden`, …; empty where there is none. */
  readonly reason: string;
  /** The HTTP status; 0 where there is none. */
  readonly code: number;
  /** `details.kind`: what the failure is about; not always what was asked for (`namespaces`, `resourcequotas`). */
  readonly about: string;
  /** The reasons of `details.causes`: `NamespaceTerminating`, …. */
  readonly causes: readonly string[];
}

/** The Status in a parsed body, or null: then the answer does not come from an API server. */
export function statusIn(body: unknown): Status | null {
  const status = fields(body);
  if (status["kind"] !== "Status") return null;
  const details = fields(status["details"]);
  const causes = Array.isArray(details["causes"]) ? details["causes"] : [];
  return {
    message: text(status["message"]),
    reason: text(status["reason"]),
    code: typeof status["code"] === "number" ? status["code"] : 0,
    about: text(details["kind"]),
    causes: causes.map((cause) => text(fields(cause)["reason"])),
  };
}

/** The failure that an answer of this HTTP status stands for. */
export function failureOfAnswer(
  target: Target,
  code: number,
  headers: IncomingHttpHeaders,
  body: string,
): KubeError {
  const retryAfter = Number(headers["retry-after"] ?? NaN);
  // The other form of Retry-After, a date, is not used by API servers and would need a wall clock.
  const wait = retryAfter >= 0 ? { retryAfterMs: Math.ceil(retryAfter * 1000) } : {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = null;
  }
  const status = statusIn(parsed);
  if (status === null) return failureOfStranger(target, code, headers, body, wait);
  return failureOfStatus(target, { ...status, code }, wait);
}

/** The failure that a Status stands for, in an answer or in a watch's ERROR event. */
export function failureOfStatus(
  target: Target,
  status: Status,
  wait: { retryAfterMs?: number } = {},
): KubeError {
  const details = { status: status.code, reason: status.reason, ...wait };
  const fail = (kind: KubeFailureKind, why: string) =>
    new KubeError(kind, `cannot ${target.verb} ${nounOf(target)}: ${why}`, details);
  const said = inOneLine(status.message) || `HTTP ${status.code}`;

  const policy = policyThatDenied(status.message);
  if (policy !== null && status.code >= 400 && status.code < 500) {
    return fail(
      "refused",
      `${policy} denies it: ${said}. Have whoever runs that policy allow the Secrets and Leases of k8s-lock.`,
    );
  }
  switch (status.code) {
    case 401:
      return fail("refused", notLoggedIn);
    case 403:
      return fail("refused", forbidden(target, status));
    case 404:
      if (status.about === "namespaces") return fail("refused", noNamespace(target));
      // Without a kind it is the path that the server does not know: not a word about our object.
      if (status.about === "") {
        return fail("unknown", `the API server does not serve it (${said}).`);
      }
      return fail("missing", "there is none.");
    case 409:
      if (status.reason === "AlreadyExists") return fail("exists", "there is one already.");
      // The server could not count it against a quota in time. Nothing is wrong with our object.
      if (status.about === "resourcequotas") return fail("throttled", `${said}.`);
      return fail("conflict", "it has changed meanwhile.");
    case 429:
      return fail("throttled", `the API server is busy (${said}).`);
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return fail("unusable", `the API server does not take the request: ${said}.`);
  }
  if (status.message.includes("request is too large")) {
    return fail("unusable", "it is too large for the cluster's storage.");
  }
  return fail("unknown", `the API server failed (HTTP ${status.code}: ${said}).`);
}

const notLoggedIn =
  "the API server does not accept the credentials (HTTP 401). They have expired, or are for another cluster: " +
  "renew them (`kubectl auth whoami` with the same kubeconfig says whether they work).";

const noNamespace = (target: Target) =>
  `the namespace does not exist. Create it (kubectl create namespace ${target.namespace}), or name another with --namespace.`;

function policyThatDenied(message: string): string | null {
  const webhook = /admission webhook "([^"]*)" denied/.exec(message);
  if (webhook !== null) return `the admission webhook "${inOneLine(webhook[1] ?? "", 80)}"`;
  const policy = /ValidatingAdmissionPolicy '([^']*)'.* denied request/.exec(message);
  if (policy !== null) return `the admission policy "${inOneLine(policy[1] ?? "", 80)}"`;
  return null;
}

/** Why a 403: the same number stands for missing rights, a full quota, a namespace on its way out, and more. */
function forbidden(target: Target, status: Status): string {
  const said = inOneLine(status.message);
  if (status.causes.includes("NamespaceTerminating") || /being terminated/.test(status.message)) {
    return "the namespace is being deleted, nothing new can be made in it. Wait until it is gone and made again, or name another with --namespace.";
  }
  if (/exceeded quota/.test(status.message)) {
    return `the namespace's quota is used up (${said}). Delete what is not needed there, or have the quota raised.`;
  }
  const right = /User "([^"]*)" cannot ([\w*]+) resource "([^"]*)"(?: in API group "([^"]*)")?/
    .exec(status.message);
  if (right === null) return `forbidden by the API server (${said}).`;
  const [user, verb, resource, group] = right.slice(1).map((part) => inOneLine(part ?? "", 120));
  if (user === "system:anonymous") {
    return "the API server takes us for nobody (system:anonymous): the kubeconfig's user has no credentials, or the server does not know their kind.";
  }
  const on = group === "" || group === undefined ? resource : `${resource}.${group}`;
  const name = target.name === undefined ? "" : ` (resourceNames: ["${target.name}"])`;
  const where = target.namespace === undefined
    ? "by a ClusterRole"
    : `in namespace "${target.namespace}"`;
  return `forbidden for user "${user}". Grant ${verb} on ${on}${name} ${where} to that user.`;
}

/** An answer without a Status: of a proxy, a load balancer, a login page, or of something that is no cluster. */
function failureOfStranger(
  target: Target,
  code: number,
  headers: IncomingHttpHeaders,
  body: string,
  wait: KubeFailureDetails,
): KubeError {
  const fail = (kind: KubeFailureKind, why: string) =>
    new KubeError(kind, `cannot ${target.verb} ${nounOf(target)}: ${why}`, {
      status: code,
      ...wait,
    });
  const page = isPage(headers, body) ? " with a web page" : "";
  const between =
    "Something between here and the API server (a proxy, a load balancer, a login page) answered";
  if (code >= 300 && code < 400) {
    return fail(
      "unknown",
      `the server sends us elsewhere (HTTP ${code}${
        placeOf(headers["location"])
      }), which k8s-lock does not follow: the ` +
        "credentials are for this server only. Put the API server's own address into the kubeconfig.",
    );
  }
  if (code === 400 && body.includes("HTTP request to an HTTPS server")) {
    return fail(
      "refused",
      "the server speaks HTTPS, the kubeconfig says http://. Correct its server field.",
    );
  }
  if (code === 401 && page === "") return fail("refused", notLoggedIn);
  if (code === 401 || code === 403) {
    return fail(
      "refused",
      `${between} HTTP ${code}${page}. Is the server in the kubeconfig right, may this machine reach it?`,
    );
  }
  if (code === 407) return fail("refused", "the proxy wants a login of its own (HTTP 407).");
  if (code === 413) return fail("unusable", "it is too large for the server (HTTP 413).");
  if (code === 429) return fail("throttled", "the server is busy (HTTP 429).");
  // Also 404 and 409: what does not come from an API server says nothing about our object.
  return fail(
    "unknown",
    `${between} HTTP ${code}${page}, not as a Kubernetes API server does. Is the server in the kubeconfig right, and up?`,
  );
}

/** Whether an answer is a page made for browsers. */
export function isPage(headers: IncomingHttpHeaders, body: string): boolean {
  return /\btext\/html\b/.test(headers["content-type"] ?? "") || /^\s*</.test(body);
}

/** Where a redirect leads, without what may hold secrets (path and query). */
function placeOf(location: string | undefined): string {
  if (location === undefined || !URL.canParse(location)) return "";
  return ` to ${inOneLine(new URL(location).host, 100)}`;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
