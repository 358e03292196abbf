/** Exec plugins: what they print is used, what goes wrong with them is told by their stderr. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import process from "node:process";
import { ExecRunner } from "../../lib/kube/exec_plugin.ts";
import type { ExecPlugin } from "../../lib/kube/exec_plugin.ts";
import { failure } from "./fake_server.ts";
import { folder, kubeconfig, load } from "./files.ts";

const VERSION = "client.authentication.k8s.io/v1";
const credential = (status: object) =>
  JSON.stringify({ apiVersion: VERSION, kind: "ExecCredential", status });

/** A plugin that is this script, run by the runtime that runs the tests. */
function script(code: string, more: Partial<ExecPlugin> = {}): ExecPlugin {
  return {
    command: process.execPath,
    args: ["eval", code],
    apiVersion: VERSION,
    env: [],
    installHint: "",
    ...more,
  };
}

const print = (text: string) => `console.log(${JSON.stringify(text)});`;

Deno.test("a token, a certificate and an end of both are taken from what a plugin prints", async () => {
  const expirationTimestamp = "2030-01-02T03:04:05Z";
  const status = {
    token: "t",
    clientCertificateData: "c",
    clientKeyData: "k",
    expirationTimestamp,
  };
  const options: RequestOptions = {};
  const end = await new ExecRunner(script(print(credential(status)))).run(options);
  assertEquals(end, Date.parse(expirationTimestamp));
  assertEquals(options, { headers: { Authorization: "Bearer t" }, cert: "c", key: "k" });
});

Deno.test("a plugin is told of the cluster, and sees its own variables", async () => {
  const code = `const { spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    const token = [spec.interactive, spec.cluster.server, process.env.PROFILE].join(" ");
    console.log(JSON.stringify({ apiVersion: "${VERSION}", kind: "ExecCredential", status: { token } }));`;
  const runner = new ExecRunner(script(code, {
    env: [{ name: "PROFILE", value: "ci" }],
    cluster: { server: "https://a" },
  }));
  const options: RequestOptions = {};
  await runner.run(options);
  assertEquals(options.headers, { Authorization: "Bearer false https://a ci" });
});

Deno.test("a plugin does not see what is secret in our variables", () => {
  const code =
    `const token = Object.keys(process.env).filter((name) => /^K8S_LOCK_/.test(name)).join();
    console.log(JSON.stringify({ apiVersion: "${VERSION}", kind: "ExecCredential", status: { token } }));`;
  // In a process of its own: all tests that run at the same time share their variables.
  const module = new URL("../../lib/kube/exec_plugin.ts", import.meta.url);
  const program = `const { ExecRunner } = await import(${JSON.stringify(module.href)});
    const options = {};
    await new ExecRunner(${JSON.stringify(script(code))}).run(options);
    console.log(options.headers.Authorization);`;
  const variables = ["K8S_LOCK_KUBECONFIG_DATA", "K8S_LOCK_GITHUB_TOKEN", "K8S_LOCK_TTL"];
  const env = { ...process.env, ...Object.fromEntries(variables.map((name) => [name, "x"])) };
  const { stdout, stderr } = spawnSync(process.execPath, ["eval", program], {
    encoding: "utf8",
    env,
  });
  assertEquals([stdout, stderr], ["Bearer K8S_LOCK_TTL\n", ""]);
});

Deno.test("a plugin that fails is told with its exit code and stderr, never its stdout", async () => {
  const code = `${
    print("top-secret")
  } console.error("no session:\\nrun sso login"); process.exit(3);`;
  const error = await failure(new ExecRunner(script(code)).run({}));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "failed (exit code 3). It says: no session: run sso login");
  assertStringIncludes(error.message, process.execPath.slice(0, 50));
  assert(!error.message.includes("top-secret"));
});

Deno.test("a plugin that hangs is killed", async () => {
  const code = `console.error("waiting for the browser"); setInterval(() => {}, 1000);`;
  // Long enough for it to have started and spoken.
  const error = await failure(new ExecRunner(script(code), 1_500).run({}));
  assertEquals(error.kind, "unknown");
  assertStringIncludes(error.message, "did not end within 2 s and was killed. It says: waiting");
});

Deno.test("a plugin under way is ended when its client closes", async () => {
  const runner = new ExecRunner(script("setInterval(() => {}, 1000);"));
  const run = failure(runner.run({}));
  runner.close();
  assertStringIncludes((await run).message, "was killed");
});

Deno.test("a plugin that is missing is refused, with its install hint", async () => {
  const plugin = script("", {
    command: "no-such-plugin-here",
    installHint: "see https://example.com",
  });
  const error = await failure(new ExecRunner(plugin).run({}));
  assertEquals(error.kind, "refused");
  assertStringIncludes(error.message, '"no-such-plugin-here" was not found');
  assertStringIncludes(error.message, "see https://example.com");
});

for (
  const [what, printed, said] of [
    ["nothing", "", "did not print JSON"],
    ["junk", "top-secret {", "did not print JSON"],
    ["another object", '{"kind":"Pod"}', "something else than an ExecCredential"],
    ["no credential", credential({}), "neither a token nor a certificate"],
    [
      "half a certificate",
      credential({ clientKeyData: "top-secret" }),
      "neither a token nor a certificate",
    ],
    [
      "another version",
      JSON.stringify({ apiVersion: "v0", kind: "ExecCredential", status: { token: "top-secret" } }),
      "answers in another version",
    ],
  ] as const
) {
  Deno.test(`a plugin that prints ${what} is told as such`, async () => {
    const error = await failure(new ExecRunner(script(print(printed))).run({}));
    assertStringIncludes(error.message, said);
    assert(!error.message.includes("top-secret"));
  });
}

Deno.test("a kubeconfig's plugin gives the login, and a fixed token is not needed", async () => {
  await using files = await folder();
  const shell = `#!/bin/sh\nprintf '%s' '${credential({ token: "from-plugin" })}'\n`;
  await files.write("plugin.sh", shell, 0o700);
  const exec = { apiVersion: VERSION, command: "./plugin.sh", interactiveMode: "Never" };
  const file = await files.write("config", kubeconfig({ user: { token: "", exec } }));
  const { login } = await load({ kubeconfigPaths: file });
  const obtained = await login.obtain();
  assertEquals(obtained.login.headers, { authorization: "Bearer from-plugin" });
  assertEquals([obtained.freshForMs, obtained.validForMs], [Infinity, Infinity]);
});

Deno.test("a plugin is run again for each login: what the server has refused is not kept", async () => {
  await using files = await folder();
  const shell = `#!/bin/sh\necho x >> runs\nprintf '%s' '${credential({ token: "a" })}'\n`;
  await files.write("plugin.sh", shell.replace("runs", `${files.path}/runs`), 0o700);
  const exec = { apiVersion: VERSION, command: "./plugin.sh" };
  const file = await files.write("config", kubeconfig({ user: { token: "", exec } }));
  const { login } = await load({ kubeconfigPaths: file });
  await login.obtain();
  await login.obtain();
  assertEquals(await readFile(`${files.path}/runs`, "utf8"), "x\nx\n");
});

Deno.test("a certificate of a plugin is used beside the authority of the cluster", async () => {
  const pem = (what: string) => `-----BEGIN ${what}-----\nAA==\n-----END ${what}-----\n`;
  const code = print(
    credential({ clientCertificateData: pem("CERTIFICATE"), clientKeyData: pem("KEY") }),
  );
  const exec = { apiVersion: VERSION, command: process.execPath, args: ["eval", code] };
  const cluster = { "certificate-authority-data": Buffer.from(pem("CA")).toString("base64") };
  const data = kubeconfig({ cluster, user: { token: "", exec } });
  const { login } = await load({ kubeconfigData: Buffer.from(data).toString("base64") });
  const { tls } = (await login.obtain()).login;
  assertEquals(tls, { ca: pem("CA"), cert: pem("CERTIFICATE"), key: pem("KEY") });
});
