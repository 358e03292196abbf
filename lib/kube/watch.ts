/** The watch of one object: an answer that is a line of JSON for each change, and never trusted to go on by itself. */
import type { Buffer } from "node:buffer";
import { failureOfAnswer, failureOfStatus, statusIn } from "./answers.ts";
import type { Login } from "./credentials.ts";
import { KubeError, nounOf } from "./errors.ts";
import type { Target } from "./errors.ts";
import { begin, whenAborted } from "./exchange.ts";
import type { Begun, Sending } from "./exchange.ts";
import { LineReader } from "./lines.ts";

/** What a watch brings. */
export type KubeEvent =
  /** The object as it stands after a change. */
  | { readonly kind: "changed"; readonly object: unknown }
  /** The object is gone; this was its last state. */
  | { readonly kind: "deleted"; readonly object: unknown }
  /** Nothing more comes. Without `error` the server closed it in good order. */
  | { readonly kind: "ended"; readonly error?: KubeError };

/** Which object to watch, and from where on. */
export interface WatchRequest {
  /** Its `name` is needed: RBAC by name allows a watch with that field selector only. */
  readonly target: Target & { readonly name: string };
  /** The resourceVersion after which to report; empty: what stands there now, and from then on. */
  readonly from: string;
  /** Is told what happens, last of all an `ended`, unless the watch is closed before. */
  readonly onEvent: (event: KubeEvent) => void;
}

/** A watch under way. */
export interface KubeWatch {
  /** Ends it and frees its connection at once; nothing more is reported. Safe to call twice. */
  close(): void;
}

/** What a watch needs of its client. */
export interface WatchContext {
  /** How long the server is asked to keep it open. */
  readonly seconds: number;
  /** After so many milliseconds without a byte it is dead. */
  readonly silenceMs: number;
  /** Aborted when the client closes. */
  readonly closed: AbortSignal;
  /** A login; with `refused` another one than that, or null. */
  login(signals: readonly AbortSignal[], refused?: Login): Promise<Login | null>;
  /** The request for a watch with that query. */
  sending(
    query: Readonly<Record<string, string>>,
    login: Login,
    signals: readonly AbortSignal[],
  ): Sending;
  /** `error` in words. */
  failure(error: unknown): KubeError;
}

/** A Secret's 1 MiB in base64, and what stands around it. */
const MAX_LINE = 4 * 1024 * 1024;
/** More of an error's answer is not read. */
const MAX_FAILURE = 64 * 1024;

/** Opens a watch. */
export function openWatch(request: WatchRequest, context: WatchContext): KubeWatch {
  const closing = new AbortController();
  const signals = [closing.signal, context.closed];
  let begun: Begun | undefined;
  const report = (event: KubeEvent) => {
    if (!closing.signal.aborted) request.onEvent(event);
  };
  const run = async () => {
    begun = await start(request, context, signals);
    await read(begun, request, context, signals, report);
  };
  run().finally(() => begun?.destroy()).then(
    () => report({ kind: "ended" }),
    (error) => report({ kind: "ended", error: context.failure(error) }),
  );
  return {
    close() {
      closing.abort();
      begun?.destroy();
    },
  };
}

async function start(
  request: WatchRequest,
  context: WatchContext,
  signals: readonly AbortSignal[],
): Promise<Begun> {
  const query = {
    watch: "1",
    fieldSelector: `metadata.name=${request.target.name}`,
    ...(request.from === "" ? {} : { resourceVersion: request.from }),
    allowWatchBookmarks: "true",
    timeoutSeconds: String(context.seconds),
  };
  let login = await context.login(signals);
  for (let tries = 0;; tries++) {
    if (login === null) throw new Error("a first login is never null");
    const begun = await begin(context.sending(query, login, signals));
    const { statusCode = 0, headers } = begun.response;
    if (statusCode === 200) return begun;
    const other = statusCode === 401 && tries === 0 ? await context.login(signals, login) : null;
    if (other === null) {
      throw failureOfAnswer(request.target, statusCode, headers, await rest(begun, context));
    }
    begun.destroy();
    login = other;
  }
}

/** What is left of an answer that is no watch; the beginning of it where it does not end. */
function rest({ response, destroy }: Begun, context: WatchContext): Promise<string> {
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    let text = "";
    const done = () => {
      clearTimeout(timer);
      resolve(text);
      destroy();
    };
    const timer = setTimeout(done, Math.min(context.silenceMs, 5_000));
    response.on("data", (chunk: Buffer) => {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_FAILURE) done();
    });
    for (const end of ["end", "aborted", "error", "close"]) response.on(end, done);
  });
}

/** Reports events until the server ends the answer (resolves), or it breaks (rejects), or is given up (rejects). */
function read(
  begun: Begun,
  { target }: WatchRequest,
  { silenceMs }: WatchContext,
  signals: readonly AbortSignal[],
  report: (event: KubeEvent) => void,
): Promise<void> {
  const { response } = begun;
  const lines = new LineReader(MAX_LINE);
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (then: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      forget();
      then();
      begun.destroy();
    };
    const fail = (reason: string, why: string) =>
      settle(() =>
        reject(
          new KubeError("unknown", `the watch of ${nounOf(target)} has ended: ${why}`, { reason }),
        )
      );
    const onSilence = () =>
      fail(
        "Silence",
        `not a byte has come for ${Math.round(silenceMs / 1000)} s, the connection is dead.`,
      );
    // Referenced, so that a process which only watches lives on.
    let timer = setTimeout(onSilence, silenceMs);
    const forget = whenAborted(signals, () => settle(() => reject(begun.broken("aborted"))));

    response.on("data", (chunk: Buffer) => {
      if (settled) return;
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
      try {
        for (const line of lines.push(chunk)) {
          const event = eventOf(line, target);
          if (event instanceof KubeError) return settle(() => reject(event));
          if (event !== null) report(event);
          if (settled) return;
        }
      } catch (error) {
        if (!(error instanceof RangeError)) return settle(() => reject(error));
        fail("TooLarge", "a line is longer than any record.");
      }
    });
    response.on("end", () => {
      if (lines.inside || !response.complete) {
        return fail("Cut", "it broke off in the middle of a line.");
      }
      settle(resolve);
    });
    for (const end of ["aborted", "error", "close"]) {
      response.on(end, () => fail("Cut", "the connection was cut."));
    }
  });
}

/** What a line says; null for what only shows that the watch is alive; a KubeError when that ends it. */
function eventOf(line: string, target: Target): KubeEvent | KubeError | null {
  if (line.trim() === "") return null;
  let event: { type?: unknown; object?: unknown } | null;
  try {
    event = JSON.parse(line);
  } catch {
    event = null;
  }
  const object = event?.object;
  switch (event?.type) {
    case "ADDED":
    case "MODIFIED":
      return { kind: "changed", object };
    case "DELETED":
      return { kind: "deleted", object };
    case "BOOKMARK":
      return null;
    case "ERROR": {
      const status = statusIn(object);
      if (status?.code === 410) {
        return new KubeError(
          "unknown",
          `the watch of ${nounOf(target)} has ended: the server has forgotten that revision.`,
          { status: 410, reason: "Expired" },
        );
      }
      if (status !== null) return failureOfStatus(target, status);
    }
  }
  return new KubeError(
    "unknown",
    `the watch of ${nounOf(target)} has ended: what came is no event of an API server.`,
    { reason: "Garbage" },
  );
}
