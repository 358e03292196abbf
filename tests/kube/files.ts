/** Kubeconfigs in a folder of a test's own. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadConnection } from "../../lib/kube/kubeconfig.ts";
import type { Connection, ConnectionOptions } from "../../lib/kube/kubeconfig.ts";
import { KubeconfigError } from "../../lib/kube/errors.ts";
import { assertRejects } from "@std/assert";

/** A folder that is gone at the end of the test. */
export interface Folder extends AsyncDisposable {
  readonly path: string;
  /** Writes a file and returns its path. */
  write(name: string, content: string, mode?: number): Promise<string>;
}

export async function folder(): Promise<Folder> {
  const root = await mkdtemp(path.join(tmpdir(), "k8s-lock-kube-"));
  return {
    path: root,
    async write(name, content, mode = 0o600) {
      const file = path.join(root, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content, { mode });
      return file;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

/** A kubeconfig as an object, which is YAML once it is JSON. */
export function kubeconfig(
  { cluster = {}, user = {}, context = {}, rest = {} }: Record<string, object> = {},
): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "prod", cluster: { server: "https://prod.example.com:6443", ...cluster } }],
    users: [{ name: "deployer", user: { token: "top-secret", ...user } }],
    contexts: [{ name: "prod", context: { cluster: "prod", user: "deployer", ...context } }],
    "current-context": "prod",
    ...rest,
  });
}

/** Loads with nothing else around. */
export function load(options: Partial<ConnectionOptions>): Promise<Connection> {
  return loadConnection({ env: {}, home: undefined, ...options });
}

/** The sentence with which loading has to fail. */
export async function refused(options: Partial<ConnectionOptions>): Promise<string> {
  return (await assertRejects(() => load(options), KubeconfigError)).message;
}
