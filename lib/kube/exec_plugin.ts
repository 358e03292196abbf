/**
 * Credentials from an exec plugin (`aws eks get-token`, `kubelogin`, …), as client-go runs them:
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 *
 * Not the one of @kubernetes/client-node 2.0.1, which has no time limit, keeps what the server has refused, and passes
 * no KUBERNETES_EXEC_INFO.
 */
import type { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { inOneLine, KubeError } from "./errors.ts";

/** A kubeconfig user's `exec`, checked. */
export interface ExecPlugin {
  readonly command: string;
  readonly args: readonly string[];
  readonly apiVersion: string;
  /** The environment of the plugin, its own additions included. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the kubeconfig: a command with a slash in it is meant from there. */
  readonly folder: string;
  readonly installHint: string;
  /** With `provideClusterInfo`: what the plugin is told of the cluster. */
  readonly cluster?: Readonly<Record<string, unknown>>;
}

/** What a plugin answered. */
export interface ExecCredential {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Wall clock, in milliseconds since 1970; undefined: valid until the server refuses it. */
  readonly expiresAt?: number;
}

/** More than any credential needs; a plugin that prints more has gone wrong. */
const MAX_OUTPUT = 1024 * 1024;
const MAX_STDERR = 16 * 1024;

/** A plugin, one run at a time. */
export class ExecRunner {
  #plugin: ExecPlugin;
  #timeoutMs: number;
  #child: ChildProcess | undefined;

  /** @param timeoutMs how long a run may take before it is killed */
  constructor(plugin: ExecPlugin, timeoutMs = 60_000) {
    this.#plugin = plugin;
    this.#timeoutMs = timeoutMs;
  }

  /** Kills a run under way. */
  close(): void {
    this.#child?.kill("SIGKILL");
  }

  /**
   * Runs the plugin. Rejects with a {@link KubeError}: `refused` when it cannot be run at all, `unknown` when it failed
   * (which may pass). The message has its stderr, never its stdout, where the credentials are.
   */
  async run(): Promise<ExecCredential> {
    const { stdout, stderr, end } = await this.#execute();
    if (end !== null) throw this.#failed("unknown", end, stderr);
    let parsed: unknown;
    try {
      parsed = JSON.parse(stdout);
    } catch {
      throw this.#failed("unknown", "did not print JSON (an ExecCredential)", stderr);
    }
    const answer = fields(parsed);
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
    const status = fields(answer["status"]);
    const token = status["token"];
    const cert = status["clientCertificateData"];
    const key = status["clientKeyData"];
    const pair = typeof cert === "string" && typeof key === "string" ? { cert, key } : {};
    if ((typeof token !== "string" || token === "") && !("cert" in pair)) {
      throw this.#failed(
        "unknown",
        "printed neither a token nor a certificate with its key",
        stderr,
      );
    }
    const expires = Date.parse(String(status["expirationTimestamp"]));
    return {
      ...(typeof token === "string" && token !== "" ? { token } : {}),
      ...pair,
      ...(Number.isNaN(expires) ? {} : { expiresAt: expires }),
    };
  }

  /** `end` is null for a run that succeeded, else what became of it. */
  #execute(): Promise<{ stdout: string; stderr: string; end: string | null }> {
    const { command, args, env, folder, apiVersion, cluster } = this.#plugin;
    const info = {
      apiVersion,
      kind: "ExecCredential",
      spec: { interactive: false, ...(cluster === undefined ? {} : { cluster }) },
    };
    const program = /[\\/]/.test(command) ? path.resolve(folder, command) : command;
    return new Promise((resolve, reject) => {
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      const size = { stdout: 0, stderr: 0 };
      let stopped: string | null = null;
      const texts = () => ({ stdout: textOf(stdout), stderr: textOf(stderr) });
      const child = spawn(program, [...args], {
        env: { ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
        stdio: ["ignore", "pipe", "pipe"],
        windowsHide: true,
      });
      this.#child = child;
      const stop = (why: string) => {
        if (stopped !== null) return;
        stopped = why;
        child.kill("SIGKILL");
        // Not waited for: a grandchild may hold the pipes open for as long as it likes.
        clearTimeout(timer);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ ...texts(), end: why });
      };
      const timer = setTimeout(
        () => stop(`did not end within ${Math.round(this.#timeoutMs / 1000)} s and was killed`),
        this.#timeoutMs,
      );
      child.stdout.on("data", (chunk: Buffer) => {
        size.stdout += chunk.length;
        if (size.stdout > MAX_OUTPUT) return stop("printed more than any credential has");
        stdout.push(chunk);
      });
      child.stderr.on("data", (chunk: Buffer) => {
        // The end of it is what tells most.
        stderr.push(chunk);
        size.stderr += chunk.length;
        while (size.stderr > MAX_STDERR && stderr.length > 1) {
          size.stderr -= stderr.shift()?.length ?? 0;
        }
      });
      child.on("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        const why = error.code === "ENOENT"
          ? "was not found. Install it, or correct exec.command in the kubeconfig"
          : `cannot be run (${error.code ?? "unknown error"})`;
        reject(this.#failed("refused", why, this.#plugin.installHint));
      });
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        if (this.#child === child) this.#child = undefined;
        const end = code === 0
          ? null
          : code === null
          ? `was killed (${signal})`
          : `failed (exit code ${code})`;
        resolve({ ...texts(), end });
      });
    });
  }

  #failed(kind: "refused" | "unknown", why: string, said: string): KubeError {
    const words = inOneLine(said.slice(-2000), 500);
    return new KubeError(
      kind,
      `cannot log in to the cluster: the kubeconfig's exec plugin "${
        inOneLine(this.#plugin.command, 100)
      }" ${why}` +
        (words === "" ? "." : `. It says: ${words}`),
      { reason: "ExecPlugin" },
    );
  }
}

function textOf(chunks: readonly Buffer[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
