/**
 * Credentials from an exec plugin (`aws eks get-token`, `kubelogin`, …), as client-go runs them:
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 *
 * By the ExecAuth of @kubernetes/client-node 2.0.1, a new one for each run: one keeps what the server has refused. Around
 * it, what it lacks: an end to a run and to its output, KUBERNETES_EXEC_INFO, a look at what was answered, and errors that
 * quote the plugin's stderr but never its stdout, where the credentials are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { SpawnOptions } from "node:child_process";
import type { RequestOptions } from "node:https";
import { inOneLine, KubeconfigError, KubeError } from "./errors.ts";
import { DATA_VARIABLE } from "./kubeconfig_text.ts";
import type { Cluster, Entry, User } from "./library.ts";

/** A kubeconfig user's `exec`, checked. */
export interface ExecPlugin {
  /** As it stands there, or an absolute path. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Which version of ExecCredential it is to answer in. */
  readonly apiVersion: string;
  /** What its environment has beside ours. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  /** What to say to who has not installed it. */
  readonly installHint: string;
  /** With `provideClusterInfo`: what the plugin is told of the cluster. */
  readonly cluster?: Readonly<Record<string, unknown>>;
}

/** More than any credential needs; a plugin that prints more has gone wrong. */
const MAX_OUTPUT = 1024 * 1024;
const MAX_STDERR = 16 * 1024;

/** What stands in a kubeconfig as a user's `exec`, for that cluster. Throws {@link KubeconfigError}. */
export function execPlugin(user: Entry<User>, cluster: Entry<Cluster>): ExecPlugin {
  const { command, args, apiVersion, env, installHint, interactiveMode, provideClusterInfo } =
    user.fields.exec;
  const label = `${user.label}: exec`;
  if (typeof command !== "string" || command === "") {
    throw new KubeconfigError(`${label} has no command.`);
  }
  if (typeof apiVersion !== "string") throw new KubeconfigError(`${label} has no apiVersion.`);
  for (const [key, list] of Object.entries({ args, env })) {
    if (list && !(Array.isArray(list) && list.every((each) => each !== null))) {
      throw new KubeconfigError(`${label}: ${key} is not a list.`);
    }
  }
  if (interactiveMode === "Always") {
    throw new KubeconfigError(
      `${label} wants a person at a terminal (interactiveMode: Always), and k8s-lock runs plugins without one. Use a user with a token.`,
    );
  }
  const { "certificate-authority": _file, ...told } = cluster.written;
  return {
    command,
    args: args ?? [],
    apiVersion,
    env: env ?? [],
    installHint: typeof installHint === "string" ? installHint : "",
    ...(provideClusterInfo === true ? { cluster: told } : {}),
  };
}

/** What is used of the library's ExecAuth beside its public methods. */
interface Inside {
  execFn: (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;
  readonly tokenCache: Readonly<Record<string, unknown>>;
}

/** A plugin, one run at a time. */
export class ExecRunner {
  #plugin: ExecPlugin;
  #timeoutMs: number;
  #child: ChildProcess | undefined;
  /** What the run under way has said so far. */
  #stderr: readonly string[] = [];
  #closed = false;

  /** For `plugin`; a run that takes longer than `timeoutMs` is killed. */
  constructor(plugin: ExecPlugin, timeoutMs = 60_000) {
    this.#plugin = plugin;
    this.#timeoutMs = timeoutMs;
  }

  /** Kills a run under way; there is no other one after it. */
  close(): void {
    this.#closed = true;
    this.#child?.kill("SIGKILL");
  }

  /** What is waited for while a run is under way, as a sentence; null when none is. */
  waitsFor(): string | null {
    return this.#child === undefined
      ? null
      : this.#sentence("has not ended", this.#stderr.join(""));
  }

  /**
   * Runs the plugin, and puts its token or certificate into `options`. Resolves with the end of both in milliseconds since
   * 1970; undefined where the plugin names none: they are good until the server refuses them. Rejects with a
   * {@link KubeError}: `refused` when the plugin cannot be run at all, `unknown` when it failed (which may pass).
   */
  async run(options: RequestOptions): Promise<number | undefined> {
    const { ExecAuth } = await import("@kubernetes/client-node/dist/exec_auth.js");
    if (this.#closed) throw this.#failed("unknown", "was killed before it began", "");
    const library = new ExecAuth();
    const inside = library as unknown as Inside;
    const ended = Promise.withResolvers<string | null>();
    const stderr: string[] = [];
    this.#stderr = stderr;
    inside.execFn = (command, args, given) => {
      try {
        return this.#child = this.#spawned(command, args, given, stderr, ended);
      } catch (error) {
        ended.reject(this.#missing(error as NodeJS.ErrnoException));
        throw error;
      }
    };
    const { command, args, env } = this.#plugin;
    const exec = { command, args, env: [...env, this.#info()] };
    // What it rejects with is not shown: it quotes the output. What it lacks is told below.
    const applied = library.applyAuthentication({ name: "user", exec }, options).catch(() => {});
    // Not only the library is waited for: a grandchild may hold the pipes open for as long as it likes.
    const end = await Promise.race([ended.promise, applied.then(() => null)]);
    if (end !== null) throw this.#failed("unknown", end, stderr.join(""));
    await applied;
    return this.#endOf(inside.tokenCache["user"], stderr.join(""));
  }

  #spawned(
    command: string,
    args: readonly string[],
    given: SpawnOptions,
    stderr: string[],
    ended: Omit<PromiseWithResolvers<string | null>, "promise">,
  ): ChildProcess {
    // Plugins need neither a kubeconfig from us nor what GitHub is asked with.
    const { [DATA_VARIABLE]: _data, K8S_LOCK_GITHUB_TOKEN: _token, ...env } = given.env ?? {};
    // The library makes texts of what both pipes bring.
    const child = spawn(command, [...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    const stop = (why: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      child.stdout.destroy();
      child.stderr.destroy();
      ended.resolve(why);
    };
    const timer = setTimeout(
      () => stop(`did not end within ${Math.round(this.#timeoutMs / 1000)} s and was killed`),
      this.#timeoutMs,
    );
    let printed = 0;
    child.stdout.on("data", (chunk: string) => {
      printed += chunk.length;
      if (printed > MAX_OUTPUT) stop("printed more than any credential has");
    });
    let size = 0;
    child.stderr.on("data", (chunk: string) => {
      // The end of it is what tells most.
      stderr.push(chunk);
      size += chunk.length;
      while (size > MAX_STDERR && stderr.length > 1) size -= stderr.shift()?.length ?? 0;
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      ended.reject(this.#missing(error));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (this.#child === child) this.#child = undefined;
      ended.resolve(
        code === 0 ? null : code === null ? `was killed (${signal})` : `failed (exit code ${code})`,
      );
    });
    return child;
  }

  #info(): { name: string; value: string } {
    const { apiVersion, cluster } = this.#plugin;
    const spec = { interactive: false, ...(cluster === undefined ? {} : { cluster }) };
    const info = { apiVersion, kind: "ExecCredential", spec };
    return { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) };
  }

  /** The end of a credential, once it is seen to be one. */
  #endOf(printed: unknown, stderr: string): number | undefined {
    const answer = fields(printed);
    if (printed === undefined) {
      throw this.#failed("unknown", "did not print JSON (an ExecCredential)", stderr);
    }
    if (answer["kind"] !== "ExecCredential") {
      throw this.#failed("unknown", "printed something else than an ExecCredential", stderr);
    }
    if (answer["apiVersion"] !== this.#plugin.apiVersion) {
      throw this.#failed(
        "refused",
        `answers in another version than the kubeconfig's exec.apiVersion (${this.#plugin.apiVersion})`,
        stderr,
      );
    }
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = fields(
      answer["status"],
    );
    if (!cert !== !key || (!token && !cert)) {
      throw this.#failed(
        "unknown",
        "printed neither a token nor a certificate with its key",
        stderr,
      );
    }
    const expires = Date.parse(String(expirationTimestamp));
    return Number.isNaN(expires) ? undefined : expires;
  }

  #missing({ code }: NodeJS.ErrnoException): KubeError {
    const why = code === "ENOENT"
      ? "was not found. Install it, or correct exec.command in the kubeconfig"
      : `cannot be run (${code ?? "unknown error"})`;
    return this.#failed("refused", why, this.#plugin.installHint);
  }

  #failed(kind: "refused" | "unknown", why: string, said: string): KubeError {
    return new KubeError(kind, this.#sentence(why, said), { reason: "ExecPlugin" });
  }

  #sentence(why: string, said: string): string {
    const words = inOneLine(said.slice(-2000), 500);
    const command = inOneLine(this.#plugin.command, 100);
    return `cannot log in to the cluster: the kubeconfig's exec plugin "${command}" ${why}` +
      (words === "" ? "." : `. It says: ${words}`);
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
