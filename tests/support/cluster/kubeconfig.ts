/** Kubeconfig files of the test cluster. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Buffer } from "node:buffer";

/** How one user proves who they are: a client certificate (PEM) or a bearer token. */
export type Credentials =
  | { readonly certificate: string; readonly key: string }
  | { readonly token: string };

/** A kubeconfig's content (v1 Config), with everything inlined. */
export interface KubeconfigObject {
  apiVersion: "v1";
  kind: "Config";
  clusters: { name: string; cluster: Record<string, string> }[];
  users: { name: string; user: Record<string, string> }[];
  contexts: { name: string; context: Record<string, string> }[];
  "current-context": string;
}

/** A kubeconfig, as a file and as its content. */
export interface Kubeconfig {
  readonly path: string;
  readonly object: KubeconfigObject;
}

/** What to say in it. */
export interface KubeconfigOptions {
  readonly server: string;
  readonly authority: string;
  readonly user: string;
  readonly credentials: Credentials;
  /** The context's namespace; default: none, which clients take for "default". */
  readonly namespace?: string | undefined;
}

/** Writes a kubeconfig with one context, named "test", into a new folder under `folder`. */
export async function writeKubeconfig(
  folder: string,
  options: KubeconfigOptions,
): Promise<Kubeconfig> {
  const object: KubeconfigObject = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{
      name: "test",
      cluster: { server: options.server, "certificate-authority-data": base64(options.authority) },
    }],
    users: [{ name: options.user, user: userFields(options.credentials) }],
    contexts: [{
      name: "test",
      context: {
        cluster: "test",
        user: options.user,
        ...options.namespace && { namespace: options.namespace },
      },
    }],
    "current-context": "test",
  };
  const path = join(await mkdtemp(join(folder, "kubeconfig-")), "config");
  // JSON is YAML: every reader of kubeconfigs takes it.
  await writeFile(path, JSON.stringify(object, null, 2), { mode: 0o600 });
  return { path, object };
}

function userFields(credentials: Credentials): Record<string, string> {
  if ("token" in credentials) return { token: credentials.token };
  return {
    "client-certificate-data": base64(credentials.certificate),
    "client-key-data": base64(credentials.key),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
