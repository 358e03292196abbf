/** A plain client of the test cluster's API: for setting tests up and for asking what a server answers. */
import { Agent, request } from "node:https";

/** How to reach a server, and as whom. All PEM. */
export interface ApiAccess {
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** An object of Kubernetes, as far as tests look into it; `data` and `spec` are checked by them. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: {
    name?: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

/** What came back: any status, errors of the API are answers too. */
export interface ApiAnswer {
  readonly status: number;
  /** The object, or the Status object that says what was wrong; `{}` if it was not JSON. */
  readonly body: KubeObject;
  /** `reason` of a Status object, such as `AlreadyExists` or `Conflict`; else "". */
  readonly reason: string;
  readonly text: string;
}

/** What to send besides verb and path. */
export interface ApiBody {
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
}

const TIMEOUT_MS = 30_000;

/** Sends requests over kept-alive connections until it is disposed of. */
export class Api implements Disposable {
  readonly #access: ApiAccess;
  readonly #agent: Agent;

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#agent = new Agent({
      keepAlive: true,
      ca: access.authority,
      cert: access.certificate,
      key: access.key,
    });
  }

  /** One request. Throws only if there is no answer within 30 s. */
  request(method: string, path: string, { body, contentType }: ApiBody = {}): Promise<ApiAnswer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const url = new URL(path, this.#access.server);
    return new Promise((resolve, reject) => {
      const sent = request(url, {
        method,
        agent: this.#agent,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          accept: "application/json",
          "user-agent": "k8s-lock-tests",
          ...payload && {
            "content-type": contentType ?? "application/json",
            "content-length": new TextEncoder().encode(payload).length,
          },
        },
      }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk) => text += chunk);
        answer.on("end", () => resolve(parsed(answer.statusCode ?? 0, text)));
        answer.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(payload);
    });
  }

  /** As {@link request}, for set-up that must succeed: throws what the server said where it refused. */
  async must(method: string, path: string, options: ApiBody = {}): Promise<KubeObject> {
    const answer = await this.request(method, path, options);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function parsed(status: number, text: string): ApiAnswer {
  let body: KubeObject = {};
  try {
    body = JSON.parse(text) as KubeObject;
  } catch {
    // /readyz and the like answer in plain text.
  }
  const reason = typeof body["reason"] === "string" ? body["reason"] : "";
  return { status, body, reason, text };
}
