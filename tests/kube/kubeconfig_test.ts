/** Which cluster, as whom, in which namespace; and what is said where that cannot be known. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import path from "node:path";
import process from "node:process";
import { folder, kubeconfig, load, refused } from "./files.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const SERVICE_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount";
const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

/** Sets variables of this process, from which the library takes them. */
function inProcess(env: Readonly<Record<string, string>>): Disposable {
  Object.assign(process.env, env);
  return {
    [Symbol.dispose]() {
      for (const name of Object.keys(env)) delete process.env[name];
    },
  };
}

Deno.test("a kubeconfig says server, namespace and login", async () => {
  await using files = await folder();
  const file = await files.write("config", kubeconfig({ context: { namespace: "ci" } }));
  const connection = await load({ kubeconfigPaths: file });
  assertEquals(connection.server.href, "https://prod.example.com:6443/");
  assertEquals([connection.namespace, connection.context], ["ci", "prod"]);
  assertEquals((await connection.login.obtain()).login, {
    headers: { authorization: "Bearer top-secret" },
    tls: {},
  });
});

Deno.test("the namespace is the one asked for, else the context's, else default", async () => {
  await using files = await folder();
  const plain = await files.write("plain", kubeconfig());
  const named = await files.write("named", kubeconfig({ context: { namespace: "ci" } }));
  assertEquals((await load({ kubeconfigPaths: plain })).namespace, "default");
  assertEquals((await load({ kubeconfigPaths: named, namespace: "other" })).namespace, "other");
  assertStringIncludes(
    await refused({ kubeconfigPaths: named, namespace: "../secrets" }),
    '"../secrets" cannot be a namespace',
  );
});

Deno.test("--kubeconfig wins over the data, that over KUBECONFIG, that over the home folder", async () => {
  await using files = await folder();
  const config = (name: string) => kubeconfig({ context: { namespace: name } });
  const flag = await files.write("flag", config("flag"));
  const variable = await files.write("variable", config("variable"));
  await files.write(".kube/config", config("home"));
  const all = {
    kubeconfigPaths: flag,
    kubeconfigData: base64(config("data")),
    env: { KUBECONFIG: variable },
    home: files.path,
  };
  assertEquals((await load(all)).namespace, "flag");
  const { kubeconfigPaths: _flag, ...noFlag } = all;
  assertEquals((await load(noFlag)).namespace, "data");
  const { kubeconfigData: _data, ...noData } = noFlag;
  assertEquals((await load(noData)).namespace, "variable");
  assertEquals((await load({ home: files.path })).namespace, "home");
});

Deno.test("several kubeconfigs are merged as by kubectl: who comes first wins, missing ones do not count", async () => {
  await using files = await folder();
  const first = await files.write(
    "first",
    JSON.stringify({
      users: [{ name: "deployer", user: { token: "of-first" } }],
      "current-context": "prod",
    }),
  );
  const second = await files.write("second", kubeconfig({ context: { namespace: "ci" } }));
  const missing = path.join(files.path, "missing");
  const connection = await load({
    env: { KUBECONFIG: [first, missing, second].join(path.delimiter) },
  });
  assertEquals(connection.namespace, "ci");
  const { headers } = (await connection.login.obtain()).login;
  assertEquals(headers["authorization"], "Bearer of-first");
});

Deno.test("relative paths are meant from the kubeconfig's own folder", async () => {
  await using files = await folder();
  await files.write("a/ca.pem", PEM);
  const file = await files.write(
    "a/config",
    kubeconfig({ cluster: { "certificate-authority": "ca.pem" } }),
  );
  const connection = await load({ kubeconfigPaths: file });
  assertEquals((await connection.login.obtain()).login.tls, { ca: PEM });
});

Deno.test("where nothing is configured, all that was looked for is named, and no address is made up", async () => {
  await using files = await folder();
  const said = await refused({ home: files.path });
  for (
    const looked of [
      "--kubeconfig",
      "K8S_LOCK_KUBECONFIG_DATA",
      "KUBECONFIG",
      path.join(files.path, ".kube", "config"),
      "KUBERNETES_SERVICE_HOST",
      "--local",
    ]
  ) assertStringIncludes(said, looked);
  assert(!said.includes("localhost"));
});

Deno.test("in a pod its service account is used, and must really be there", async () => {
  await using files = await folder();
  const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };
  using _ = inProcess(env);
  const pod = { env, root: files.path };
  const account = path.join(files.path, SERVICE_ACCOUNT);
  assertStringIncludes(await refused(pod), `${path.join(account, "token")} does not exist`);
  await files.write(`${SERVICE_ACCOUNT}/token`, "pod-token\n");
  assertStringIncludes(
    await refused(pod),
    `certificate-authority, ${path.join(account, "ca.crt")}, does not exist`,
  );
  await files.write(`${SERVICE_ACCOUNT}/ca.crt`, PEM);
  await files.write(`${SERVICE_ACCOUNT}/namespace`, "builds\n");
  const connection = await load(pod);
  assertEquals(connection.server.href, "https://10.0.0.1/");
  assertEquals([connection.namespace, connection.context], ["builds", "in-cluster"]);
  assertEquals((await connection.login.obtain()).login, {
    headers: { authorization: "Bearer pod-token" },
    tls: { ca: PEM },
  });
  assertStringIncludes(await refused({ ...pod, context: "prod" }), 'no context "prod"');
});

Deno.test("an IPv6 address of a pod's API server stands in brackets", async () => {
  await using files = await folder();
  await files.write(`${SERVICE_ACCOUNT}/token`, "t");
  await files.write(`${SERVICE_ACCOUNT}/ca.crt`, PEM);
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  using _ = inProcess(env);
  const connection = await load({ env, root: files.path });
  assertEquals(connection.server.href, "https://[fd00::1]:6443/");
});

Deno.test("base64 in wrapped lines is fine", async () => {
  const wrapped = base64(kubeconfig()).replace(/.{60}/g, "$&\n");
  assertEquals((await load({ kubeconfigData: wrapped })).from, ["K8S_LOCK_KUBECONFIG_DATA"]);
});

for (
  const [what, data, said] of [
    ["nothing", "", "is empty. The secret behind it is probably not set"],
    ["only white space", " \n", "is empty"],
    [
      "YAML",
      "apiVersion: v1\nkind: Config\n",
      "holds the YAML of a kubeconfig where its base64 belongs",
    ],
    ["JSON", kubeconfig(), "holds the YAML of a kubeconfig where its base64 belongs"],
    ["no base64", "$(cat config)", "is not base64"],
    ["cut base64", base64(kubeconfig()).slice(0, 201), "its end is missing"],
    ["base64 of bytes", Buffer.from([0xff, 0xfe, 0x00, 0x80]).toString("base64"), "not of a text"],
    ["base64 of base64", base64(base64(kubeconfig())), "was it encoded twice?"],
    ["base64 of broken YAML", base64("a: [top-secret\nb: ]]"), "is not valid YAML (line 2)"],
    ["base64 of a text", base64("top-secret, nothing else"), "has no clusters, users and contexts"],
  ] as const
) {
  Deno.test(`data that is ${what} is named as that mistake, with the way out`, async () => {
    const message = await refused({ kubeconfigData: data });
    assertStringIncludes(message, said);
    assertStringIncludes(message, "K8S_LOCK_KUBECONFIG_DATA");
    assertStringIncludes(message, "kubectl config view --raw --flatten");
    assert(!message.includes("top-secret"), message);
  });
}

for (
  const [what, content, said] of [
    ["empty", " \n", "is empty"],
    ["broken YAML", "token: [top-secret", "is not valid YAML"],
    ["a list", "- top-secret", "is not a kubeconfig"],
    [
      "base64",
      base64(kubeconfig()),
      "It looks like base64: that belongs into K8S_LOCK_KUBECONFIG_DATA",
    ],
    [
      "without current context",
      kubeconfig({ rest: { "current-context": "" } }),
      "current-context is not set. It has: prod",
    ],
    [
      "with a wrong current context",
      kubeconfig({ rest: { "current-context": "staging" } }),
      'current-context names "staging", and there is no such context. It has: prod',
    ],
    ["without contexts", '{"kind":"Config"}', "current-context is not set. It has no contexts"],
    [
      "with a missing cluster",
      kubeconfig({ context: { cluster: "gone" } }),
      'contexts "prod": its cluster "gone" is not among the clusters',
    ],
    [
      "with a missing user",
      kubeconfig({ context: { user: "gone" } }),
      'contexts "prod": its user "gone" is not among the users',
    ],
    [
      "without a server",
      kubeconfig({ cluster: { server: "" } }),
      "clusters[0].cluster.server is missing",
    ],
    [
      "with a server that is no address",
      kubeconfig({ cluster: { server: "prod.example.com:6443" } }),
      "server is not an https:// address",
    ],
    [
      "with a missing certificate file",
      kubeconfig({ user: { "client-certificate": "gone.crt", "client-key": "gone.key" } }),
      'users "deployer": the file of client-certificate, FOLDER/gone.crt, does not exist',
    ],
    [
      "with a missing token file",
      kubeconfig({ user: { tokenFile: "gone.token" } }),
      'users "deployer": the file of tokenFile, FOLDER/gone.token, does not exist',
    ],
    [
      "with a certificate without a key",
      kubeconfig({ user: { "client-certificate-data": base64(PEM) } }),
      "client-certificate without a client-key",
    ],
    [
      "with a certificate that is none",
      kubeconfig({ cluster: { "certificate-authority-data": base64("top-secret") } }),
      "certificate-authority-data is not the base64 of a PEM",
    ],
    ["with a number for a token", kubeconfig({ user: { token: 123456 } }), "token is not a text"],
    [
      "with credentials over plain http",
      kubeconfig({ cluster: { server: "http://prod.example.com" } }),
      "k8s-lock sends none without TLS",
    ],
    [
      "with a plugin that wants a terminal",
      kubeconfig({
        user: { exec: { apiVersion: "v1", command: "login", interactiveMode: "Always" } },
      }),
      "wants a person at a terminal",
    ],
  ] as const
) {
  Deno.test(`a kubeconfig that is ${what} is refused by file and field, without its contents`, async () => {
    await using files = await folder();
    const file = await files.write("config", content);
    const message = await refused({ kubeconfigPaths: file });
    assertStringIncludes(message, said.replace("FOLDER", files.path));
    assertStringIncludes(message, file);
    assert(!message.includes("top-secret") && !message.includes("123456"), message);
  });
}

Deno.test("a kubeconfig that is missing, or a folder, or one of several that are all missing, is named", async () => {
  await using files = await folder();
  const missing = path.join(files.path, "missing");
  assertStringIncludes(
    await refused({ kubeconfigPaths: missing }),
    `${missing}, which does not exist`,
  );
  assertStringIncludes(
    await refused({ env: { KUBECONFIG: [missing, missing].join(path.delimiter) } }),
    "KUBECONFIG names",
  );
  assertStringIncludes(await refused({ kubeconfigPaths: files.path }), "is a folder, not a file");
  assertStringIncludes(await refused({ kubeconfigPaths: "" }), "names no file");
});

Deno.test("a context that does not exist is refused with those that do", async () => {
  await using files = await folder();
  const file = await files.write("config", kubeconfig());
  assertStringIncludes(
    await refused({ kubeconfigPaths: file, context: "staging" }),
    'there is no context "staging". It has: prod',
  );
});

Deno.test("plain http is allowed to this machine, and without credentials", async () => {
  for (const server of ["http://127.0.0.1:8001", "http://[::1]:8001", "http://localhost:8001"]) {
    const data = base64(kubeconfig({ cluster: { server } }));
    assertEquals((await load({ kubeconfigData: data })).server.protocol, "http:");
  }
  const anonymous = kubeconfig({
    cluster: { server: "http://prod.example.com" },
    user: { token: "" },
  });
  await load({ kubeconfigData: base64(anonymous) });
});

Deno.test("passwords and impersonation become headers", async () => {
  const user = {
    token: "",
    username: "u",
    password: "p",
    as: "other",
    "as-groups": ["g", "h"],
    "as-uid": "7",
  };
  const connection = await load({ kubeconfigData: base64(kubeconfig({ user })) });
  assertEquals((await connection.login.obtain()).login.headers, {
    authorization: `Basic ${base64("u:p")}`,
    "impersonate-user": "other",
    "impersonate-group": ["g", "h"],
    "impersonate-uid": "7",
  });
});

Deno.test("a token file is read again each time a login is obtained", async () => {
  await using files = await folder();
  await files.write("token", "one\n");
  const file = await files.write("config", kubeconfig({ user: { tokenFile: "token" } }));
  const { login } = await load({ kubeconfigPaths: file });
  const first = await login.obtain();
  assertEquals(first.login.headers["authorization"], "Bearer one");
  assert(first.freshForMs <= 60_000);
  await files.write("token", "two\n");
  assertEquals((await login.obtain()).login.headers["authorization"], "Bearer two");
});

Deno.test("a kubeconfig without a user still says whom to trust", async () => {
  const cluster = { "certificate-authority-data": base64(PEM) };
  const data = base64(kubeconfig({ cluster, context: { user: "" } }));
  assertEquals((await (await load({ kubeconfigData: data })).login.obtain()).login, {
    headers: {},
    tls: { ca: PEM },
  });
});

Deno.test("data wins over a file, a token's file over a token", async () => {
  await using files = await folder();
  await files.write("token", "of-file\n");
  const cluster = {
    "certificate-authority": "missing.pem",
    "certificate-authority-data": base64(PEM),
  };
  const file = await files.write("config", kubeconfig({ cluster, user: { tokenFile: "token" } }));
  const { login } = await (await load({ kubeconfigPaths: file })).login.obtain();
  assertEquals(login, { headers: { authorization: "Bearer of-file" }, tls: { ca: PEM } });
});

Deno.test("an entry that is wrong does not matter to who does not use it", async () => {
  const clusters = [
    null,
    { name: "broken", cluster: {} },
    { name: "prod", cluster: { server: "https://prod.example.com" } },
  ];
  const data = base64(kubeconfig({ rest: { clusters } }));
  assertEquals((await load({ kubeconfigData: data })).server.host, "prod.example.com");
});

Deno.test("of several kubeconfigs the first says the current context", async () => {
  await using files = await folder();
  const paths = await Promise.all(
    ["a", "b"].map((name) =>
      files.write(
        name,
        JSON.stringify({
          clusters: [{ name, cluster: { server: `https://${name}.example.com` } }],
          contexts: [{ name, context: { cluster: name } }],
          "current-context": name,
        }),
      )
    ),
  );
  const kubeconfigPaths = paths.join(path.delimiter);
  assertEquals((await load({ kubeconfigPaths })).context, "a");
  assertEquals((await load({ kubeconfigPaths, context: "b" })).server.host, "b.example.com");
});

Deno.test("a token's file that is empty is told, not nobody logged in", async () => {
  await using files = await folder();
  await files.write("token", "\n");
  const file = await files.write("config", kubeconfig({ user: { tokenFile: "token" } }));
  assertStringIncludes(await refused({ kubeconfigPaths: file }), "is empty");
});

for (const value of [{}, { a: 1 }, ["a"], true, 5]) {
  const FIELDS = {
    cluster: ["certificate-authority", "tls-server-name"],
    user: ["token", "client-certificate", "client-key"],
    context: ["namespace"],
  };
  Deno.test(`a field that is ${JSON.stringify(value)} where a text belongs is refused by its name`, async () => {
    await using files = await folder();
    for (const [entry, fields] of Object.entries(FIELDS)) {
      for (const field of fields) {
        const text = kubeconfig({ [entry]: { [field]: value } });
        const file = await files.write("config", text);
        const message = await refused({ kubeconfigPaths: file });
        assertStringIncludes(message, `${file}: `);
        assertStringIncludes(message, field);
      }
    }
  });
}
