/**
 * A control plane of a test's own: etcd and kube-apiserver as child processes on 127.0.0.1.
 *
 *     await using cluster = await startCluster();
 *     const namespace = await cluster.createNamespace();
 *
 * There are no nodes and no controllers: what is created stays as it is, and a deleted namespace stays
 * in `Terminating`. Everything ends with {@link Cluster.stop}, and if this process is killed too.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { AUDIT_POLICY } from "./audit.ts";
import { type Assets, buildAssets } from "./build.ts";
import {
  type KeyPair,
  newAuthority,
  newClientCertificate,
  newServerCertificate,
  newTokenKey,
} from "./certificates.ts";
import { type Kubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import { freePorts } from "./ports.ts";
import { type Life, ServerProcess } from "./server_process.ts";
import {
  ADMINISTRATOR,
  AUTHORITY_FILES,
  type ClusterDescription,
  TestCluster,
} from "./test_cluster.ts";

/** Generous: a cold start takes 3 s on 2 idle cores, and a gate's machine is not idle. */
const READY_WITHIN_MS = 120_000;

/** What differs from the default. */
export interface ClusterOptions {
  /** Kubernetes' minor version, such as "1.35"; default: see {@link buildAssets}. */
  readonly minor?: string;
  /** More arguments for kube-apiserver. Where one is given twice, the later counts. */
  readonly apiServerArgs?: readonly string[];
  /** Default: it ends with this process. */
  readonly life?: Life;
}

/** Starts a cluster and returns once it is ready; builds its programs first if need be. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const assets = await buildAssets(options.minor);
  for (let attempt = 1;; attempt++) {
    try {
      return await Cluster.start(assets, options);
    } catch (error) {
      // Nothing reserves a free port until the server itself listens on it: another may come before.
      const isPortTaken = error instanceof Error &&
        error.message.includes("address already in use");
      if (!isPortTaken || attempt === 3) throw error;
    }
  }
}

/** A running cluster that may be hurt. */
export class Cluster extends TestCluster implements AsyncDisposable {
  readonly #commands: Commands;
  #etcd: ServerProcess | undefined;
  #apiServer: ServerProcess | undefined;

  private constructor(
    description: ClusterDescription,
    authority: KeyPair,
    kubeconfig: Kubeconfig,
    commands: Commands,
  ) {
    super(description, authority, kubeconfig);
    this.#commands = commands;
    if (commands.life === "with us") process.on("exit", this.#stopAtExit);
  }

  /** Use {@link startCluster}. */
  static async start(assets: Assets, options: ClusterOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-cluster-"));
    const [etcd, peer, apiServer] = await freePorts(3);
    const server = `https://127.0.0.1:${apiServer}`;
    const authority = newAuthority();
    const kubeconfig = await writeKubeconfig(folder, {
      server,
      authority: authority.certificate,
      user: ADMINISTRATOR.commonName,
      credentials: newClientCertificate(authority, ADMINISTRATOR),
    });
    await writeServerFiles(folder, authority);
    const description: ClusterDescription = {
      folder,
      server,
      kubeconfig: kubeconfig.path,
      auditLog: join(folder, "audit.log"),
      pids: { etcd: -1, apiServer: -1 },
      assets,
    };
    const endpoint = `http://127.0.0.1:${etcd}`;
    const cluster = new Cluster(description, authority, kubeconfig, {
      etcdUrl: endpoint,
      etcd: etcdArgs(folder, endpoint, `http://127.0.0.1:${peer}`),
      apiServer: [
        ...apiServerArgs(description, endpoint, apiServer ?? 0),
        ...options.apiServerArgs ?? [],
      ],
      life: options.life ?? "with us",
    });
    try {
      await cluster.#spawnEtcd();
      await cluster.#spawnApiServer();
      await Promise.all([cluster.#etcdReady(), cluster.#apiServerReady()]);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** For other processes: {@link TestCluster.open} takes it. */
  describe(): ClusterDescription {
    const pids = { etcd: this.#etcd?.pid ?? -1, apiServer: this.#apiServer?.pid ?? -1 };
    return { ...this.description, pids };
  }

  /** Starts the API server again after {@link stopApiServer}, on the same port; returns when it is ready. */
  async startApiServer(): Promise<void> {
    await this.#spawnApiServer();
    await this.#apiServerReady();
  }

  /**
   * Ends the API server and returns when it has ended. SIGTERM: it answers what it has begun, ends its
   * watches in order and then closes; SIGKILL: connections break.
   */
  async stopApiServer(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await this.#apiServer?.end(signal);
  }

  /** The API server falls silent: connections stay open, new ones are accepted by the kernel alone. */
  pauseApiServer(): void {
    this.#apiServer?.pause();
  }

  /** The API server goes on after {@link pauseApiServer}. */
  resumeApiServer(): void {
    this.#apiServer?.resume();
  }

  /** Starts etcd again after {@link stopEtcd}, with its data; returns when the API server has it back. */
  async startEtcd(): Promise<void> {
    await this.#spawnEtcd();
    await this.#etcdReady();
    if (this.#apiServer?.hasEnded === false) await this.#apiServerReady();
  }

  /** Kills etcd and returns when it has ended. What it has acknowledged is kept. */
  async stopEtcd(): Promise<void> {
    await this.#etcd?.end("SIGKILL");
  }

  /** etcd falls silent: the API server is up, and neither reads nor writes come to an end. */
  pauseEtcd(): void {
    this.#etcd?.pause();
  }

  /** etcd goes on after {@link pauseEtcd}. */
  resumeEtcd(): void {
    this.#etcd?.resume();
  }

  /** Kills everything that was started, by process id, and removes its files. May be called again. */
  async stop(): Promise<void> {
    process.off("exit", this.#stopAtExit);
    this.api[Symbol.dispose]();
    await Promise.all([this.#apiServer?.end("SIGKILL"), this.#etcd?.end("SIGKILL")]);
    await rm(this.description.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** For `process.exit` while it is up: nothing can be awaited any more. */
  readonly #stopAtExit = () => {
    for (const server of [this.#apiServer, this.#etcd]) server?.signal("SIGKILL");
    rmSync(this.description.folder, { recursive: true, force: true });
  };

  async #spawnEtcd(): Promise<void> {
    this.#etcd = await this.#spawn("etcd", this.description.assets.etcd);
  }

  async #spawnApiServer(): Promise<void> {
    this.#apiServer = await this.#spawn("kube-apiserver", this.description.assets.apiServer);
  }

  async #etcdReady(): Promise<void> {
    const url = `${this.#commands.etcdUrl}/readyz`;
    await this.#etcd?.ready(async () => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(1000) });
      await answer.body?.cancel();
      return answer.ok;
    }, READY_WITHIN_MS);
  }

  async #apiServerReady(): Promise<void> {
    await this.#apiServer?.ready(
      async () => (await this.api.request("GET", "/readyz")).status === 200,
      READY_WITHIN_MS,
    );
  }

  #spawn(name: "etcd" | "kube-apiserver", command: string): Promise<ServerProcess> {
    const args = name === "etcd" ? this.#commands.etcd : this.#commands.apiServer;
    const { folder } = this.description;
    const log = join(folder, `${name}.log`);
    return ServerProcess.start({ name, command, args, log, folder, life: this.#commands.life });
  }
}

interface Commands {
  readonly etcdUrl: string;
  readonly etcd: readonly string[];
  readonly apiServer: readonly string[];
  readonly life: Life;
}

async function writeServerFiles(folder: string, authority: KeyPair): Promise<void> {
  const server = newServerCertificate(
    authority,
    { commonName: "kube-apiserver" },
    ["127.0.0.1", "localhost"],
  );
  const tokens = newTokenKey();
  const files = {
    [AUTHORITY_FILES.certificate]: authority.certificate,
    [AUTHORITY_FILES.key]: authority.key,
    "server.crt": server.certificate,
    "server.key": server.key,
    "tokens.key": tokens.privateKey,
    "tokens.pub": tokens.publicKey,
    "audit-policy.json": JSON.stringify(AUDIT_POLICY),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content, { mode: 0o600 });
  }
}

function etcdArgs(folder: string, client: string, peer: string): string[] {
  return [
    `--name=test`,
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
    "--log-level=error",
    // Its data need not outlive this machine, so no write waits for the disk.
    "--unsafe-no-fsync",
  ];
}

function apiServerArgs(
  { folder, auditLog }: ClusterDescription,
  etcd: string,
  port: number,
): string[] {
  return [
    `--etcd-servers=${etcd}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    `--client-ca-file=${join(folder, AUTHORITY_FILES.certificate)}`,
    `--tls-cert-file=${join(folder, "server.crt")}`,
    `--tls-private-key-file=${join(folder, "server.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${join(folder, "tokens.pub")}`,
    `--service-account-signing-key-file=${join(folder, "tokens.key")}`,
    "--service-cluster-ip-range=10.0.0.0/24",
    "--authorization-mode=RBAC",
    // There is one API server and no service to keep endpoints for.
    "--endpoint-reconciler-type=none",
    `--audit-policy-file=${join(folder, "audit-policy.json")}`,
    `--audit-log-path=${auditLog}`,
    // In MiB, so large that no test sees a rotation: marks are places in one file.
    "--audit-log-maxsize=10000",
  ];
}
