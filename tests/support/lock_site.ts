/** A lock in a namespace of its own on a real API server, the programs that use it, and who watches it from outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LockRecord } from "../../lib/lock/record.ts";
import type { KubeObject } from "./cluster/api.ts";
import type { AuditEntry, AuditMark } from "./cluster/audit.ts";
import { withSharedCluster } from "./cluster/shared.ts";
import type { TestCluster } from "./cluster/test_cluster.ts";
import { LockOutside, type SeenRecord } from "./lock_outside.ts";
import { type Ended, Program, type Start } from "./program.ts";
import type { Work } from "./work.ts";

/** Options of one program. */
export interface Options extends Start {
  /** Before the `--`. */
  readonly args?: readonly string[];
  /** Another way to the server, such as a proxy's URL. */
  readonly server?: string;
}

/** One lock, named `deploy`. */
export class LockSite implements AsyncDisposable {
  readonly object = "k8s-lock-deploy";
  readonly #programs: Program[] = [];
  readonly #mark: AuditMark;

  private constructor(
    readonly cluster: TestCluster,
    readonly namespace: string,
    /** Removed at the end. */
    readonly folder: string,
    readonly outside: LockOutside,
    mark: AuditMark,
  ) {
    this.#mark = mark;
  }

  static async open(cluster: TestCluster): Promise<LockSite> {
    const namespace = await cluster.createNamespace();
    const outside = await LockOutside.open(cluster.kubeconfig, namespace, "k8s-lock-deploy");
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-site-"));
    return new LockSite(cluster, namespace, folder, outside, await cluster.auditMark());
  }

  /** The environment of a program that speaks as `user`, who may do everything. */
  async environment(user: string, server = this.cluster.server): Promise<Record<string, string>> {
    const request = { user, groups: ["system:masters"], namespace: this.namespace, server };
    const kubeconfig = await this.cluster.kubeconfigFor(request);
    return {
      HOME: this.folder,
      K8S_LOCK_STATE_DIR: join(this.folder, "state"),
      K8S_LOCK_HOLDER: user,
      KUBECONFIG: kubeconfig.path,
    };
  }

  /** Starts the program as `user`; it is killed when the site is disposed of. */
  async start(
    user: string,
    args: readonly string[],
    { server, ...start }: Options = {},
  ): Promise<Program> {
    const env = { ...await this.environment(user, server), ...start.env };
    const program = new Program(args, { ...start, env });
    this.#programs.push(program);
    return program;
  }

  /** `run deploy` of this work, started. */
  run(user: string, { command }: Pick<Work, "command">, options: Options = {}): Promise<Program> {
    return this.start(
      user,
      ["run", "deploy", ...options.args ?? [], "--", ...command],
      options,
    );
  }

  /** Any command, to its end. */
  async call(user: string, args: readonly string[], options: Options = {}): Promise<Ended> {
    return await (await this.start(user, args, options)).end();
  }

  /** Resolves once `user` waits and has looked at all there was to look at: it watches. */
  async watches(user: string): Promise<void> {
    const isThere = async () =>
      (await this.audit(this.#mark)).some((one) => one.user === user && one.verb === "watch");
    const limit = performance.now() + 60_000;
    while (!await isThere()) {
      if (performance.now() > limit) throw new Error(`${user} does not watch`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Resolves once `user` holds. */
  async held(user: string): Promise<SeenRecord & { readonly record: LockRecord }> {
    return await this.outside.seen(
      `a hold of ${user}`,
      ({ holders }) => holders.some(({ holder }) => holder === user),
    );
  }

  /** Resolves with the next state in which the entry of `user` was renewed. */
  async renewed(user: string): Promise<void> {
    const of = (record: LockRecord | null) =>
      record?.holders.find(({ holder }) => holder === user)?.renewals ?? -1;
    const before = of(this.outside.record);
    await this.outside.seen(`a renewal of ${user}`, (record) => of(record) > before);
  }

  /** The record as it is stored. */
  secret(): Promise<KubeObject> {
    return this.cluster.api.must("GET", this.path);
  }

  get path(): string {
    return `/api/v1/namespaces/${this.namespace}/secrets/${this.object}`;
  }

  /** What was asked of the server about this lock since then. */
  async audit(since: AuditMark): Promise<AuditEntry[]> {
    const entries = await this.cluster.auditSince(since);
    return entries.filter(({ namespace }) => namespace === this.namespace);
  }

  /**
   * When the server received the writes of the record by `user` that it carried out, by its clock in milliseconds. They are
   * seen by others only after that.
   */
  async writes(user: string, since: AuditMark): Promise<number[]> {
    return (await this.audit(since))
      .filter((entry) => entry.user === user && entry.resource === "secrets" && entry.code === 200)
      .filter(({ verb }) => verb === "update")
      .map(({ receivedAt }) => Date.parse(receivedAt));
  }

  /** A file's text, "" where there is none yet. */
  async read(name: string): Promise<string> {
    return await readFile(join(this.folder, name), "utf8").catch(() => "");
  }

  /** A pipe with a name, for {@link Work}. */
  async pipe(name: string): Promise<string> {
    const path = join(this.folder, name);
    await once(spawn("mkfifo", [path], { stdio: "ignore" }), "exit");
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A stopped program is killed all the same.
    await Promise.all(this.#programs.map((program) => program[Symbol.asyncDispose]()));
    this.outside[Symbol.dispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs a test on a lock of its own, on the cluster that tests share. */
export async function withLock(test: (site: LockSite) => Promise<void>): Promise<void> {
  await withSharedCluster(async ({ cluster }) => {
    await using site = await LockSite.open(cluster);
    await test(site);
  });
}
