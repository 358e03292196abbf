/** What any test may do with a running cluster, its own or one shared with others. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Api } from "./api.ts";
import { auditEnd, type AuditEntry, type AuditMark, readAudit } from "./audit.ts";
import type { Assets } from "./build.ts";
import { type KeyPair, newClientCertificate, type Subject } from "./certificates.ts";
import { type Credentials, type Kubeconfig, writeKubeconfig } from "./kubeconfig.ts";
import { runKubectl } from "./kubectl.ts";
import { type Grant, grant } from "./rights.ts";

/** A running cluster, as told from process to process in a file. */
export interface ClusterDescription {
  /** Holds everything of this cluster; removed when it is stopped. */
  readonly folder: string;
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly auditLog: string;
  readonly pids: { readonly etcd: number; readonly apiServer: number };
  readonly assets: Assets;
}

/** Whose kubeconfig it shall be, and how it reaches the server. */
export interface KubeconfigRequest {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly namespace?: string;
  /** Another way to the server, such as the `url` of a FaultProxy. */
  readonly server?: string;
}

/** A cluster to be used, not to be stopped. */
export class TestCluster {
  /** Such as `https://127.0.0.1:40001`. Its certificate is good for any port of 127.0.0.1. */
  readonly server: string;
  /** The administrator's kubeconfig. */
  readonly kubeconfig: Kubeconfig;
  /** Requests as the administrator. */
  readonly api: Api;
  protected readonly description: ClusterDescription;
  readonly #authority: KeyPair;

  protected constructor(
    description: ClusterDescription,
    authority: KeyPair,
    kubeconfig: Kubeconfig,
  ) {
    this.description = description;
    this.server = description.server;
    this.kubeconfig = kubeconfig;
    this.#authority = authority;
    this.api = new Api(access(description.server, authority, ADMINISTRATOR));
  }

  /** One that runs already. Its {@link api} is the caller's to dispose of. */
  static async open(description: ClusterDescription): Promise<TestCluster> {
    const object = JSON.parse(await readFile(description.kubeconfig, "utf8"));
    const kubeconfig = { path: description.kubeconfig, object };
    return new TestCluster(description, await readAuthority(description.folder), kubeconfig);
  }

  /** A new namespace; without a name, one that nobody else has. Returns its name. */
  async createNamespace(name = `test-${randomUUID().slice(0, 13)}`): Promise<string> {
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await this.api.must("POST", "/api/v1/namespaces", { body });
    return name;
  }

  /** A kubeconfig for a user with a client certificate. It has no rights until {@link grant} gives some. */
  kubeconfigFor(request: KubeconfigRequest): Promise<Kubeconfig> {
    const { user, groups = [] } = request;
    const credentials = newClientCertificate(this.#authority, subject(user, groups));
    return this.#writeKubeconfig(request, credentials);
  }

  /** Requests as a user with a client certificate. The caller disposes of it. */
  apiAs(user: string, groups: readonly string[] = []): Api {
    return new Api(access(this.server, this.#authority, subject(user, groups)));
  }

  /** A new service account with a token that is good for an hour, and a kubeconfig with that token. */
  async createServiceAccount(
    namespace: string,
    name: string,
  ): Promise<{ readonly token: string; readonly kubeconfig: Kubeconfig }> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await this.api.must("POST", path, { body: { metadata: { name } } });
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const answer = await this.api.must("POST", `${path}/${name}/token`, { body });
    const { token } = answer["status"] as { token: string };
    return { token, kubeconfig: await this.#writeKubeconfig({ user: name, namespace }, { token }) };
  }

  /** Gives rights in a namespace, and returns once the server goes by them. */
  grant(rights: Grant): Promise<void> {
    return grant(this.api, rights);
  }

  /**
   * Runs kubectl as the administrator, or with another kubeconfig, and returns its stdout. Throws, with
   * its stderr, if it fails.
   */
  kubectl(
    args: readonly string[],
    { stdin = "", kubeconfig = this.kubeconfig.path } = {},
  ): Promise<string> {
    const [command = "", ...options] = this.kubectlLine(kubeconfig);
    return runKubectl(command, [...options, ...args], stdin);
  }

  /** The program and the options with which others run kubectl here. */
  kubectlLine(kubeconfig = this.kubeconfig.path): string[] {
    const cache = join(this.description.folder, "kubectl-cache");
    return [
      this.description.assets.kubectl,
      `--kubeconfig=${kubeconfig}`,
      `--cache-dir=${cache}`,
    ];
  }

  /** Applies objects, or YAML with any number of documents, by server-side apply. */
  async apply(manifest: string | object | readonly object[]): Promise<void> {
    const items = Array.isArray(manifest) ? manifest : [manifest];
    const stdin = typeof manifest === "string"
      ? manifest
      : JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await this.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { stdin });
  }

  /** Remembers what the server has been asked so far, for {@link auditSince}. */
  async auditMark(): Promise<AuditMark> {
    await this.#flushAudit();
    return await auditEnd(this.description.auditLog);
  }

  /**
   * The requests since then, each once, in the order in which they were answered (a watch: established).
   * On a shared cluster they are everybody's: filter by namespace or user. The server must be up.
   */
  async auditSince(mark: AuditMark): Promise<AuditEntry[]> {
    const flush = await this.#flushAudit();
    const entries = await readAudit(this.description.auditLog, mark);
    return entries.filter(({ uri }) => uri !== flush);
  }

  /** An entry is written just after the answer was sent: once a later request's is there, ours are. */
  async #flushAudit(): Promise<string> {
    const uri = `/version?after=${randomUUID()}`;
    const start = await auditEnd(this.description.auditLog);
    await this.api.must("GET", uri);
    const isWritten = async () =>
      (await readAudit(this.description.auditLog, start)).some((entry) => entry.uri === uri);
    while (!await isWritten()) await new Promise((resolve) => setTimeout(resolve, 2));
    return uri;
  }

  #writeKubeconfig(request: KubeconfigRequest, credentials: Credentials): Promise<Kubeconfig> {
    const { user, namespace, server = this.server } = request;
    const authority = this.#authority.certificate;
    return writeKubeconfig(this.description.folder, {
      server,
      authority,
      user,
      credentials,
      namespace,
    });
  }
}

/** Who may do everything: the group is bound to cluster-admin by the server itself. */
export const ADMINISTRATOR: Subject = {
  commonName: "administrator",
  organizations: ["system:masters"],
};

/** The files of the authority, in a cluster's folder. */
export const AUTHORITY_FILES = { certificate: "ca.crt", key: "ca.key" } as const;

async function readAuthority(folder: string): Promise<KeyPair> {
  return {
    certificate: await readFile(join(folder, AUTHORITY_FILES.certificate), "utf8"),
    key: await readFile(join(folder, AUTHORITY_FILES.key), "utf8"),
  };
}

function subject(user: string, groups: readonly string[]): Subject {
  return { commonName: user, organizations: groups };
}

function access(server: string, authority: KeyPair, who: Subject) {
  return { server, authority: authority.certificate, ...newClientCertificate(authority, who) };
}
