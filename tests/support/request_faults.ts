/** What a bad network, or a bad proxy, does to one request or to one watch. */
import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";

/** What becomes of a request. */
export type RequestFault =
  /** It never reaches the server: this is its answer. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  }
  /** Its connection breaks; the server never has it. */
  | { readonly kind: "drop" }
  /** The server carries it out; then its connection breaks. */
  | { readonly kind: "lose_answer" }
  /** Its connection breaks at once; the server has it so much later, in milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** It is sent twice, and its client has the first answer. */
  | { readonly kind: "twice" }
  /** It is carried out, and its answer takes so long to come, in drips, in milliseconds. */
  | { readonly kind: "slow"; readonly ms: number }
  /** It is carried out, and half of its answer comes. The connection stays. */
  | { readonly kind: "stall" }
  /** It is carried out, and its answer is no JSON. */
  | { readonly kind: "garbage" };

/** What becomes of what watches say. */
export type WatchFault =
  /** The connection breaks. */
  | "cut"
  /** The server's own end of a watch, as it comes every few minutes. */
  | "end"
  /** A line that is no JSON. */
  | "garbage"
  /** The server has forgotten the revision. */
  | "gone"
  /** All that was said so far comes once more: old events after newer ones. */
  | "repeat"
  /** A sign of life that says nothing else. */
  | "bookmark";

/** A server's answer. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
}

/** One request at a proxy. */
export interface Exchange {
  readonly asked: IncomingMessage;
  readonly answer: ServerResponse;
  /** Sends it to the server; undefined where that has no answer. */
  forward(): Promise<Answer | undefined>;
}

/** Does that to a request. */
export async function suffer(fault: RequestFault, exchange: Exchange): Promise<void> {
  const { asked, answer } = exchange;
  const reset = () => void asked.socket.resetAndDestroy();
  if (fault.kind === "answer") {
    answer.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    answer.end(fault.body ?? statusObject(fault.status));
    return;
  }
  if (fault.kind === "drop") return reset();
  if (fault.kind === "late") {
    reset();
    await pause(fault.ms);
    await exchange.forward();
    return;
  }
  const answered = await exchange.forward();
  if (fault.kind === "twice") await exchange.forward();
  if (answered === undefined || fault.kind === "lose_answer") return reset();
  const { status, type, body } = answered;
  if (fault.kind === "garbage") {
    answer.writeHead(status, { "content-type": type });
    answer.end("\u0000<html>{]");
    return;
  }
  answer.writeHead(status, { "content-type": type, "content-length": body.length });
  if (fault.kind === "twice") {
    answer.end(body);
    return;
  }
  const half = body.subarray(0, body.length / 2);
  if (fault.kind === "stall") {
    answer.write(half);
    return;
  }
  for (let drop = 0; drop < DRIPS; drop++) {
    await pause(fault.ms / DRIPS);
    answer.write(Buffer.from(body.subarray(cut(drop, body), cut(drop + 1, body))));
  }
  answer.end();
}

/** Does that to a watch. `said`: all that it said so far. */
export function disturb(fault: WatchFault, answer: ServerResponse, said: readonly string[]): void {
  const line = (type: string, object: unknown) =>
    answer.write(JSON.stringify({ type, object }) + "\n");
  if (fault === "cut") answer.destroy();
  else if (fault === "end") answer.end();
  else if (fault === "garbage") answer.write("\u0000<html>{]\n");
  else if (fault === "gone") line("ERROR", JSON.parse(statusObject(410, "Expired")));
  else if (fault === "bookmark") {
    const revision = { resourceVersion: "1", creationTimestamp: null };
    line("BOOKMARK", { kind: "Secret", apiVersion: "v1", metadata: revision });
  } else for (const piece of said) answer.write(piece);
}

const DRIPS = 8;

function cut(drop: number, body: Uint8Array): number {
  return Math.floor(body.length * drop / DRIPS);
}

/** As an API server says that something went wrong. */
function statusObject(code: number, reason = REASONS[code] ?? "InternalError"): string {
  const message = `the tests' proxy says ${code}`;
  return JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message,
    reason,
    code,
  });
}

const REASONS: Readonly<Record<number, string>> = {
  429: "TooManyRequests",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
