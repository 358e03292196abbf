/** Kubeconfigs, answers of an API server, and what a watch says, as others might write them. */
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { loadConnection } from "../../lib/kube/kubeconfig.ts";
import { KubeconfigError, KubeError } from "../../lib/kube/errors.ts";
import { LineReader } from "../../lib/kube/lines.ts";
import { StoreError } from "../../lib/lock/store.ts";
import { secretStores } from "../../lib/store/secret_store.ts";
import { folder, kubeconfig } from "../kube/files.ts";
import { clientOf, fakeServer, plainLogin, SECRET, watched } from "../kube/fake_server.ts";
import { anyText, assertSayable, fuzz, fuzzSideBySide, hurtJson, hurtText } from "./fuzz.ts";

const SECRETS = ["top-secret", "hidden-word", "S0VZ", "cGFzcw"];
const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const JSON_CONFIG = kubeconfig({
  cluster: { "certificate-authority-data": Buffer.from(PEM).toString("base64") },
  user: { token: "top-secret", password: "hidden-word", username: "jo" },
  context: { namespace: "ci" },
});
const YAML_CONFIG = `apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: prod
  cluster:
    server: https://prod.example.com:6443
    certificate-authority-data: ${Buffer.from(PEM).toString("base64")}
users:
- name: deployer
  user:
    token: top-secret
    client-certificate-data: cGFzcw==
    client-key-data: S0VZ
contexts:
- name: prod
  context: {cluster: prod, user: deployer, namespace: ci}
`;

Deno.test("whatever stands in a kubeconfig is used, or refused by file and field, without a word of its secrets", async () => {
  await using files = await folder();
  const texts = fc.oneof(hurtJson(JSON_CONFIG), hurtText(YAML_CONFIG));
  let number = 0;
  await fuzzSideBySide(texts, 600, async (text) => {
    const file = await files.write(`config-${number++ % 50}`, text);
    await usedOrRefused({ kubeconfigPaths: file });
    await usedOrRefused({ kubeconfigData: Buffer.from(text).toString("base64") });
  });
});

Deno.test("whatever stands in the variable for a kubeconfig's data is used, or refused without a word of it", () => {
  const valid = Buffer.from(YAML_CONFIG).toString("base64");
  return fuzzSideBySide(
    fc.oneof(hurtText(valid), anyText),
    300,
    (kubeconfigData) => usedOrRefused({ kubeconfigData }, [valid.slice(0, 40)]),
  );
});

async function usedOrRefused(
  options: { readonly kubeconfigPaths?: string; readonly kubeconfigData?: string },
  more: readonly string[] = [],
): Promise<void> {
  try {
    const connection = await loadConnection({ env: {}, home: undefined, ...options });
    assert(["http:", "https:"].includes(connection.server.protocol), connection.server.protocol);
    connection.login.close();
  } catch (error) {
    assert(error instanceof KubeconfigError, `${error instanceof Error ? error.stack : error}`);
    assertSayable(error.message, [...SECRETS, ...more]);
  }
}

Deno.test("bytes that come cut up as they like become the same lines", () =>
  fuzz(
    fc.tuple(
      fc.array(fc.oneof(anyText, fc.constant("\n")), { maxLength: 6 }),
      fc.array(fc.nat(30)),
    ),
    1000,
    ([parts, cuts]) => {
      const text = parts.join("\n");
      const bytes = Buffer.from(text);
      const reader = new LineReader(1 << 20);
      const lines: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        lines.push(...reader.push(bytes.subarray(at, at + cut)));
        at = Math.min(bytes.length, at + cut);
      }
      const whole = bytes.toString().split("\n");
      const rest = whole.pop();
      // A byte order mark that begins a line is no part of it.
      assertEquals(lines, whole.map((line) => line.replace(/^\ufeff/, "")));
      assertEquals(reader.inside, rest !== "");
    },
  ));

const OBJECT = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "k8s-lock-deploy", namespace: "ci", uid: "u-1", resourceVersion: "7" },
  type: "Opaque",
  data: { lock: Buffer.from("{}").toString("base64") },
};
const WATCH = [
  { type: "ADDED", object: OBJECT },
  { type: "BOOKMARK", object: { kind: "Secret", metadata: { resourceVersion: "8" } } },
  { type: "MODIFIED", object: OBJECT },
  { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } },
].map((line) => JSON.stringify(line));

Deno.test("whatever a watch says is a change, a deletion or its end, and what cannot be read is its end", async () => {
  let says = "";
  await using server = await fakeServer((response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(says);
  });
  const line = fc.constantFrom(...WATCH).chain((each) =>
    fc.oneof(fc.constant(each), hurtJson(each))
  );
  await fuzz(fc.array(line, { minLength: 1, maxLength: 4 }), 300, async (lines) => {
    says = `${lines.join("\n")}\n`;
    using client = clientOf(server, { silenceMs: 5000 });
    const { end } = await watched(client);
    if (end.error !== undefined) assertSayable(end.error.message);
  });
});

Deno.test("whatever a server answers is used or refused in a sentence, as a request and as a store takes it", async () => {
  let answers: { readonly status: number; readonly body: string; readonly type: string };
  await using server = await fakeServer((response) => {
    response.writeHead(answers.status, { "content-type": answers.type });
    response.end(answers.body);
  });
  const status = JSON.stringify({
    kind: "Status",
    status: "Failure",
    code: 409,
    reason: "Conflict",
    message: "it is out of date",
    details: { retryAfterSeconds: 1, causes: [{ field: "x" }] },
  });
  const list = JSON.stringify({
    kind: "LeaseList",
    metadata: { resourceVersion: "9" },
    items: [{
      metadata: {
        name: "k8s-lock-deploy-t-abc",
        uid: "u-2",
        resourceVersion: "8",
        annotations: {},
      },
      spec: { holderIdentity: "someone" },
    }],
  });
  const input = fc.record({
    status: fc.constantFrom(200, 201, 204, 302, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503),
    type: fc.constantFrom("application/json", "text/html", "text/plain"),
    body: fc.oneof(...[JSON.stringify(OBJECT), status, list].map(hurtJson)),
  });
  await fuzz(input, 400, async (drawn) => {
    answers = drawn;
    const login = plainLogin({ headers: { authorization: "Bearer top-secret" }, tls: {} });
    using client = clientOf(server, { requestTimeoutMs: 1000 }, login);
    const stores = secretStores(client, { namespace: "ci" });
    const store = stores.open("k8s-lock-deploy", "deploy");
    const asked: (() => Promise<unknown>)[] = [
      () => client.request({ target: SECRET }),
      () => store.readRecord(),
      () => store.listTickets(),
      () => store.createRecord("{}"),
      () => store.createTicket({ grant: "abc", holder: "someone", text: "{}" }),
      () => store.readTicket("abc"),
      () => stores.listRecords(),
    ];
    for (const ask of asked) {
      try {
        await ask();
      } catch (error) {
        const isTold = error instanceof KubeError || error instanceof StoreError;
        assert(isTold, `${error instanceof Error ? error.stack : error}`);
        assertSayable(error.message, ["top-secret"]);
      }
    }
  });
});
