/** Why no answer came: failures of name resolution, connection, TLS and time, in words. */
import { inOneLine, KubeError, nounOf } from "./errors.ts";
import type { Target } from "./errors.ts";

/** How far a request had come. */
export type Phase = "connecting" | "waiting" | "reading";

/** An exchange that ended without a whole answer. */
export class BrokenExchange extends Error {
  /** `stopped` is what ended it, `phase` how far it had come, `message` what the network said. */
  constructor(
    readonly stopped: "timeout" | "aborted" | "cut" | "too large" | "network",
    readonly phase: Phase,
    /** Node's error code, when there is one. */
    readonly code: string,
    /** Sent on a connection that had served others before: it may have been closed by the other end meanwhile. */
    readonly onUsedConnection: boolean,
    message: string,
  ) {
    super(message);
  }
}

/** The sentence for an exchange that broke. Always `unknown`: what was sent may have arrived. */
export function failureOfNetwork(
  target: Target,
  server: string,
  broken: BrokenExchange,
): KubeError {
  const reason = broken.code === "" ? broken.stopped : broken.code;
  return new KubeError(
    "unknown",
    `cannot ${target.verb} ${nounOf(target)}: ${why(server, broken)}`,
    { reason },
  );
}

function why(server: string, broken: BrokenExchange): string {
  switch (broken.stopped) {
    case "too large":
      return `the answer of ${server} is larger than k8s-lock reads. Is that the API server?`;
    case "cut":
      return `the answer of ${server} broke off in the middle.`;
    // Given up as a rule because somebody else's time was over.
    case "aborted":
    case "timeout":
      if (broken.phase === "connecting") {
        return `no connection to ${server} came about in time. Is the address right, and reachable from this machine (VPN, firewall, proxy)?`;
      }
      return broken.phase === "waiting"
        ? `${server} did not answer in time.`
        : `the answer of ${server} began, but did not come to its end in time.`;
    case "network":
      return connection(server, broken);
  }
}

const UNKNOWN_AUTHORITY = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "INVALID_CA",
]);

function connection(server: string, { code, message }: BrokenExchange): string {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `the certificate of ${server} is signed by an authority that the kubeconfig does not name. ` +
      "Is certificate-authority(-data) that of this cluster? k8s-lock never goes on without checking.";
  }
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens at ${server} (connection refused). Is the API server up, are address and port right?`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
      return `the name in ${server} cannot be resolved (${code}). Is it right, and known to this machine's DNS (VPN)?`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
      return `${server} cannot be reached from this machine (${code}). Is a VPN or a firewall rule missing?`;
    case "ECONNRESET":
    case "EPIPE":
    case "ECONNABORTED":
      return `the connection to ${server} was cut before an answer came (${code}).`;
    case "CERT_HAS_EXPIRED":
      return `the certificate of ${server} has expired (or this machine's clock is ahead).`;
    case "CERT_NOT_YET_VALID":
      return `the certificate of ${server} is not valid yet (or this machine's clock is behind).`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the certificate of ${server} is not for that name. Use an address that it names, or say which it ` +
        "should be checked for in the kubeconfig's tls-server-name.";
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_OSSL_")) {
    return `TLS with ${server} does not work out (${code}): it speaks no TLS, or does not accept the client ` +
      "certificate, or certificate and key do not belong together.";
  }
  if (code.startsWith("HPE_")) return `what ${server} answers is not HTTP (${code}).`;
  const told = [code, inOneLine(message, 120)].filter((part) => part !== "").join(", ");
  return `the connection to ${server} failed (${told}).`;
}
