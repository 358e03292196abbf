/**
 * What @kubernetes/client-node gets wrong about kubeconfigs and logins, for which lib/kube makes up. The day one of these
 * tests fails it has been mended, and so much of lib/kube/library.ts, cluster_login.ts or exec_plugin.ts may go.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import path from "node:path";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { folder, kubeconfig } from "./files.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

function loaded(text: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(text);
  return config;
}

async function applied(text: string): Promise<RequestOptions> {
  const options: RequestOptions = {};
  await loaded(text).applyToHTTPSOptions(options);
  return options;
}

const authorization = ({ headers }: RequestOptions) =>
  (headers as Record<string, unknown> | undefined)?.["Authorization"];

Deno.test("upstream: kubeconfigs that share a name cannot be merged, where kubectl takes the first", () => {
  assertThrows(() => loaded(kubeconfig()).mergeConfig(loaded(kubeconfig())), Error, "Duplicate");
});

Deno.test("upstream: of merged kubeconfigs the last says the current context, where for kubectl the first does", () => {
  const first = loaded('{"current-context":"first"}');
  first.mergeConfig(loaded('{"current-context":"last"}'));
  assertEquals(first.getCurrentContext(), "last");
});

Deno.test("upstream: one entry that is wrong makes a kubeconfig unusable, whoever uses it", () => {
  const clusters = [{ name: "unused", cluster: {} }];
  assertThrows(
    () => loaded(kubeconfig({ rest: { clusters } })),
    Error,
    "clusters[0].cluster.server",
  );
});

Deno.test("upstream: a text that is no kubeconfig is one without anything", () => {
  assertEquals(loaded("just a text").getContexts(), []);
});

Deno.test("upstream: a number is taken for a token", async () => {
  const user = { token: 123 };
  assertEquals(authorization(await applied(kubeconfig({ user }))), "Bearer 123");
});

Deno.test("upstream: a tokenFile is not read", async () => {
  const user = { token: "", tokenFile: "/no/such/file" };
  assertEquals(authorization(await applied(kubeconfig({ user }))), undefined);
});

Deno.test("upstream: a token's file in a pod is sent with its line break", async () => {
  await using files = await folder();
  const tokenFile = await files.write("token", "t\n");
  const user = { token: "", "auth-provider": { name: "tokenFile", config: { tokenFile } } };
  assertEquals(authorization(await applied(kubeconfig({ user }))), "Bearer t\n");
});

Deno.test("upstream: groups and uid are not impersonated", async () => {
  const user = { as: "a", "as-groups": ["g"], "as-uid": "1" };
  assertEquals(Object.keys((await applied(kubeconfig({ user }))).headers ?? {}), [
    "Impersonate-User",
    "Authorization",
  ]);
});

Deno.test("upstream: no password is the word undefined", async () => {
  const user = { token: "", username: "u" };
  assertEquals((await applied(kubeconfig({ user }))).auth, "u:undefined");
});

Deno.test("upstream: a file wins over data, where for kubectl data does", async () => {
  const cluster = { "certificate-authority": "/no/such", "certificate-authority-data": "AA==" };
  await assertRejects(() => applied(kubeconfig({ cluster })), Error, "/no/such");
});

Deno.test("upstream: without a user the cluster's authority is left out", async () => {
  const cluster = { "certificate-authority-data": base64("authority") };
  const context = { cluster: "prod", user: "" };
  assertEquals((await applied(kubeconfig({ cluster, context }))).ca, undefined);
});

Deno.test("upstream: http:// is refused, to this machine too", async () => {
  const cluster = { server: "http://127.0.0.1:8001" };
  await assertRejects(() => applied(kubeconfig({ cluster })), Error, "HTTP protocol");
});

Deno.test("upstream: paths of plugins are left relative", () => {
  const config = loaded(kubeconfig({ user: { exec: { command: "./plugin" } } }));
  config.makePathsAbsolute("/folder");
  assertEquals(config.getCurrentUser()?.exec.command, "./plugin");
});

Deno.test("upstream: a plugin's answer without an end is kept for ever, and any answer is taken", async () => {
  await using files = await folder();
  const ran = path.join(files.path, "ran");
  const script = `#!/bin/sh\necho x >> '${ran}'\necho '{"kind":"Pod","status":{"token":"t"}}'\n`;
  const command = await files.write("plugin", script, 0o700);
  const auth = new ExecAuth();
  const options: RequestOptions = { headers: {} };
  for (const _ of [1, 2]) await auth.applyAuthentication({ name: "u", exec: { command } }, options);
  assertEquals([authorization(options), await readFile(ran, "utf8")], ["Bearer t", "x\n"]);
});
