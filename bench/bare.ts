/**
 * The least that `run lock -- command` can cost: the same five requests with the same credentials, the command between them, and nothing else.
 *
 *     deno run -A bare.js KUBECONFIG NAMESPACE LOCK COMMAND…
 *
 * The record must be there, and the kubeconfig be one of the test cluster: JSON, with a client certificate in it.
 */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import https from "node:https";
import process from "node:process";

const [path = "", namespace = "", lock = "", command = "", ...args] = process.argv.slice(2);
const config = JSON.parse(readFileSync(path, "utf8"));
const { cluster } = config.clusters[0];
const { user } = config.users[0];
const text = (base64: string) => Buffer.from(base64, "base64").toString();
const tls = {
  ca: text(cluster["certificate-authority-data"]),
  cert: text(user["client-certificate-data"]),
  key: text(user["client-key-data"]),
};
const agent = new https.Agent({ keepAlive: true, maxSockets: 3 });

interface Secret {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly resourceVersion: string };
}

function send(method: string, path: string, body?: unknown): Promise<Secret> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const url = cluster.server + path;
    const request = https.request(url, { method, agent, headers, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const answer = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(JSON.parse(answer));
        else reject(new Error(answer));
      });
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const record = `/api/v1/namespaces/${namespace}/secrets/k8s-lock-${lock}`;
const tickets = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases?limit=1000`;
/** Every write has to change something, or the server does not carry it out. */
const changed = (secret: Secret, mark: string) => ({
  ...secret,
  metadata: { ...secret.metadata, annotations: { "k8s-lock.dev/bench": `${mark} ${Date.now()}` } },
});

async function main(): Promise<number | null> {
  const [free, listed] = await Promise.all([send("GET", record), send("GET", tickets)]);
  const taken = await send("PUT", record, changed(free, "taken"));
  const code = await new Promise<number | null>((resolve) =>
    spawn(command, args, { stdio: "inherit", detached: true }).on("exit", resolve)
  );
  const since =
    `resourceVersionMatch=NotOlderThan&resourceVersion=${listed.metadata.resourceVersion}`;
  await send("GET", `${tickets}&${since}`);
  await send("PUT", record, changed(taken, "free"));
  return code;
}

main().then((code) => process.exit(code ?? 1));
