/**
 * One GET of GitHub's REST API: what it said, or why there is no answer. Nothing but JSON that came with 200 from the API's own
 * address is an answer: a 404 may mean missing rights, a redirect may lead anywhere, and an error page is HTML.
 */

/** How long one request may take, headers and body together. */
const REQUEST_MS = 10_000;

/** A hundred jobs with their steps are well below a megabyte. */
const MOST_BYTES = 8 * 1024 * 1024;

/** After an answer that asks for patience and does not say how much: what GitHub's documentation asks for. */
const PATIENCE_MS = 60_000;

/** Nobody is told to wait longer than one window of the rate limit. */
const MOST_PATIENCE_MS = 3_600_000;

/** Where the API is, and as whom it is asked. */
export interface ActionsAccess {
  /** Its address: `GITHUB_API_URL`. */
  readonly url: string;
  /** Goes to that address and nowhere else. */
  readonly token: string;
  /** The program's version, for `user-agent`. */
  readonly version: string;
  /** The global one, unless a test says otherwise. */
  readonly fetch?: typeof fetch;
  /** The limit of one request in milliseconds, where another than 10 s. */
  readonly requestMs?: number;
  /** The wall clock in milliseconds: the end of a rate limit is told by it. */
  readonly now?: () => number;
  /** A clock that nobody sets, in milliseconds: how long nothing is asked goes by it. */
  readonly monotonic?: () => number;
}

/** What became of a request. */
export type Got =
  | {
    readonly kind: "json";
    readonly value: unknown;
    /** As below. */
    readonly retryAfterMs?: number;
  }
  | {
    readonly kind: "none";
    /** 404: perhaps there is no such thing. */
    readonly absent: boolean;
    /** For people: no answer's own words are in it. */
    readonly why: string;
    /** How long nothing more must be asked, where the API says so. */
    readonly retryAfterMs?: number;
  };

/**
 * The API's address as it is used and compared: without a slash at its end.
 *
 * @returns null for what is no address that a token may be sent to: only `https:`, and `http:` on this very machine
 */
export function apiAddress(url: string): string | null {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  const here = ["127.0.0.1", "[::1]", "localhost"].includes(parsed.hostname);
  if (parsed.protocol !== "https:" && !(parsed.protocol === "http:" && here)) return null;
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "") return null;
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, "");
}

/** What the API says at `path`, which begins with a slash. Never throws. */
export async function get(access: ActionsAccess, path: string): Promise<Got> {
  const address = apiAddress(access.url);
  if (address === null) return none(`the address of the Actions API is not https`);
  const abort = new AbortController();
  const limit = access.requestMs ?? REQUEST_MS;
  const silence = Promise.withResolvers<Got>();
  const timer = setTimeout(() => {
    silence.resolve(none(`the Actions API did not answer within ${limit / 1000} s`));
    abort.abort();
  }, limit);
  try {
    // A body that stalls does not always end with its signal: the race does.
    return await Promise.race([ask(access, `${address}${path}`, abort.signal), silence.promise]);
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

async function ask(access: ActionsAccess, url: string, signal: AbortSignal): Promise<Got> {
  try {
    const response = await (access.fetch ?? fetch)(url, {
      headers: {
        "accept": "application/vnd.github+json",
        "authorization": `Bearer ${access.token}`,
        "user-agent": `k8s-lock/${access.version}`,
        "x-github-api-version": "2022-11-28",
      },
      redirect: "manual",
      signal,
    });
    const patience = patienceOf(response, (access.now ?? Date.now)());
    if (response.status !== 200) {
      await response.body?.cancel().catch(() => {});
      const why = `the Actions API answered ${response.status}: ${meaning(response.status)}`;
      return { ...none(why, patience), absent: response.status === 404 };
    }
    const text = await bodyOf(response);
    if (text === null) return none("the Actions API sent more than can be an answer", patience);
    try {
      const value: unknown = JSON.parse(text);
      return { kind: "json", value, ...patience === undefined ? {} : { retryAfterMs: patience } };
    } catch {
      return none("what the Actions API sent is not JSON", patience);
    }
  } catch {
    // The error's own text may quote anything.
    return none("the Actions API cannot be reached");
  }
}

function none(why: string, retryAfterMs?: number): Got & { readonly kind: "none" } {
  return {
    kind: "none",
    absent: false,
    why,
    ...retryAfterMs === undefined ? {} : { retryAfterMs },
  };
}

function meaning(status: number): string {
  if (status >= 300 && status < 400) return "a redirect (was the repository renamed?)";
  if (status >= 500) return "it has trouble of its own";
  switch (status) {
    case 401:
      return "the token is not valid (any more)";
    case 403:
      return "the token may not, or has asked too often (it needs actions: read)";
    case 404:
      return "not there, or not for this token (it needs actions: read)";
    case 429:
      return "asked too often";
  }
  return "no answer to the question";
}

/** How long the answer asks to leave the API alone. */
function patienceOf(response: Response, now: number): number | undefined {
  const after = Number(response.headers.get("retry-after") ?? NaN);
  if (Number.isFinite(after) && after >= 0) return Math.min(MOST_PATIENCE_MS, after * 1000);
  if (response.headers.get("x-ratelimit-remaining") === "0") {
    const until = Number(response.headers.get("x-ratelimit-reset") ?? NaN) * 1000 - now;
    // The end of the window is told by GitHub's clock: this machine's may be late, or far off.
    return Number.isFinite(until)
      ? Math.min(MOST_PATIENCE_MS, Math.max(1000, until + 1000))
      : PATIENCE_MS;
  }
  return response.status === 429 || response.status === 403 ? PATIENCE_MS : undefined;
}

/** The text of an answer; null when it is longer than any answer can be. */
async function bodyOf(response: Response): Promise<string | null> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
