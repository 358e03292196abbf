/** Bad input through the whole program, as a process: it ends, with a documented exit code and a sentence, and writes over nothing that it cannot read. */
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { emptyRecord, encodeRecord, encodeTicket, parseRecord } from "../../lib/lock/record.ts";
import type { Holder } from "../../lib/lock/record.ts";
import { fakeServer, json } from "../kube/fake_server.ts";
import { ticket } from "../lock/arbitraries.ts";
import { Sandbox } from "../support/sandbox.ts";
import type { Ended } from "../support/sandbox.ts";
import { anyText, assertSayable, fuzz, hurtBytes, hurtJson, hurtText } from "./fuzz.ts";

/** So many processes of each kind; each of them takes half a second. */
const RUNS = 4;

/** Some inputs of a kind, three processes at a time. */
function through<T>(input: fc.Arbitrary<T>, check: (input: T) => Promise<void>): Promise<void> {
  const some = fc.array(input, { minLength: 3, maxLength: 3 });
  return fuzz(some, RUNS, async (inputs) => {
    await Promise.all(inputs.map(check));
  });
}

/** It ended with one of these codes; with another than 0 it says why, and nothing it says is a trace or commands a terminal. */
function assertEnded({ code, stderr }: Ended, codes: readonly number[]): void {
  assert(codes.includes(code), `exit ${code}: ${stderr}`);
  const lines = stderr.split("\n").filter((line) => line !== "");
  for (const line of lines) assertSayable(line);
  if (code !== 0) assert(lines.some((line) => line.startsWith("k8s-lock: ")), stderr);
}

const HOLDER: Holder = {
  grant: "g-1",
  holder: "someone",
  mode: "exclusive",
  slot: 0,
  token: 1,
  state: "held",
  ttl_seconds: 60,
  renewals: 3,
  acquired_at: "2026-01-31T12:00:00.000Z",
  renewed_at: "2099-01-31T12:00:00.000Z",
  waited_seconds: 0,
  description: "",
  link: "",
};
const RECORD = encodeRecord({
  ...emptyRecord({ scope: "global", owner: "", repository: "", lock: "a" }),
  last_token: 1,
  holders: [HOLDER],
});

const isDamaged = (text: string): boolean => {
  try {
    parseRecord(text);
    return false;
  } catch {
    return true;
  }
};

const ON_A_RECORD = [
  ["run", "a", "--timeout=0", "--", "true"],
  ["acquire", "a", "--timeout=0"],
  ["status", "a"],
  ["break", "a", "--yes"],
  ["release", "a", "--grant", "g-1"],
];

Deno.test("a record that is damaged is exit 15 with a sentence for every command, and stays as it is", () =>
  through(
    fc.tuple(hurtJson(RECORD).filter(isDamaged), fc.constantFrom(...ON_A_RECORD)),
    async ([text, command]) => {
      await using sandbox = await Sandbox.create();
      const stored = await sandbox.store("a").createRecord(text);
      const kept = (await sandbox.store("a").readRecord())?.text;
      assertEnded(await sandbox.run(command), [15]);
      const after = await sandbox.store("a").readRecord();
      assertEquals([after?.text, after?.revision], [kept, stored.revision]);
    },
  ));

Deno.test("whatever stands where a ticket belongs, the lock is taken past it, or somebody waits before", () =>
  through(ticket.chain((each) => hurtJson(encodeTicket(each))), async (text) => {
    await using sandbox = await Sandbox.create();
    await sandbox.store("a").createTicket({ grant: "g-9", holder: "someone", text });
    assertEnded(await sandbox.run(["status", "a"]), [0, 15]);
    assertEnded(await sandbox.run(["run", "a", "--timeout=0", "--", "true"]), [0, 10, 15]);
  }));

Deno.test("whatever stands in a state file, the job is told what it holds, or what is wrong with the file", () =>
  through(
    fc.tuple(
      fc.oneof(
        anyText.map((text) => () => text),
        fc.func(fc.nat()).map((at) => (valid: string) => {
          const cut = at(valid) % valid.length;
          return valid.slice(0, cut) + valid.slice(cut + 7);
        }),
      ),
      fc.constantFrom("verify", "renew", "release"),
    ),
    async ([hurt, command]) => {
      await using sandbox = await Sandbox.create();
      assertEnded(await sandbox.run(["acquire", "a", "--no-renew"]), [0]);
      const file = files(sandbox.stateFolder).find((name) => name.endsWith(".json")) ?? "";
      Deno.writeTextFileSync(file, hurt(Deno.readTextFileSync(file)));
      assertEnded(await sandbox.run([command, "a"]), [0, 12, 14, 15]);
    },
  ));

function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files(join(folder, name)) : [join(folder, name)]
  );
}

Deno.test("whatever became of a database, it is used or refused with 15 and left as it is", async () => {
  await using whole = await Sandbox.create();
  await whole.run(["run", "a", "--", "true"]);
  const valid = Deno.readFileSync(whole.database);
  await through(hurtBytes(valid), async (bytes) => {
    await using sandbox = await Sandbox.create();
    Deno.writeFileSync(sandbox.database, bytes, { mode: 0o600 });
    assertEnded(await sandbox.run(["status", "a"]), [0, 15]);
    // "unknown" is the answer where SQLite itself stumbles in the middle of it.
    assertEnded(await sandbox.run(["run", "a", "--timeout=0", "--", "true"]), [0, 10, 11, 15]);
  });
});

const VARIABLES = {
  GITHUB_ACTIONS: "true",
  GITHUB_REPOSITORY: "acme/shop",
  GITHUB_RUN_NUMBER: "42",
  GITHUB_RUN_ID: "1001",
  GITHUB_RUN_ATTEMPT: "1",
  GITHUB_SERVER_URL: "https://github.com",
  K8S_LOCK_TTL: "60s",
  K8S_LOCK_SCOPE: "repo",
  K8S_LOCK_HOLDER: "me",
  K8S_LOCK_LINK: "https://example.com",
  K8S_LOCK_MAX_HOLD: "1h",
  K8S_LOCK_ORDER: "fifo",
  K8S_LOCK_ON_EXPIRY: "takeover",
} as const;

Deno.test("whatever a job's variables say, the command runs, or exit 2 says what is wrong with them", () =>
  through(
    fc.constantFrom(...Object.entries(VARIABLES)).chain(([name, value]) =>
      // No environment holds a zero, nor half of a pair of surrogates.
      fc.oneof(hurtText(value), anyText).map((text) => ({
        ...VARIABLES,
        [name]: text.replaceAll("\0", "").toWellFormed(),
      }))
    ),
    async (env) => {
      await using sandbox = await Sandbox.create();
      const ended = await sandbox.run(["run", "a", "--timeout=0", "--", "true"], { env });
      assert([0, 2].includes(ended.code), `exit ${ended.code}: ${ended.stderr}`);
      for (const line of ended.stderr.split("\n").filter(Boolean)) assertSayable(line);
    },
  ));

const KUBECONFIG = JSON.stringify({
  apiVersion: "v1",
  kind: "Config",
  "current-context": "x",
  contexts: [{ name: "x", context: { cluster: "x", user: "x", namespace: "ci" } }],
  clusters: [{ name: "x", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "x", user: { token: "tok-3a1f-very-secret" } }],
});
const IN_CLUSTER = { K8S_LOCK_STORE: "", K8S_LOCK_LOCAL_PATH: "", K8S_LOCK_REQUEST_TIMEOUT: "1s" };

Deno.test("whatever stands in a kubeconfig, exit 2 says what is wrong with it, or 11 that nothing answers there", () =>
  through(hurtJson(KUBECONFIG), async (text) => {
    await using sandbox = await Sandbox.create(IN_CLUSTER);
    const path = join(sandbox.folder, "config");
    Deno.writeTextFileSync(path, text);
    const ended = await sandbox.run(["acquire", "a"], { env: { KUBECONFIG: path } });
    assertEnded(ended, [2, 11]);
    assertEquals(ended.stderr.includes("tok-3a1f"), false, ended.stderr);
  }));

const SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "k8s-lock-a", namespace: "ci", uid: "u-1", resourceVersion: "7" },
  type: "Opaque",
  data: { lock: Buffer.from(RECORD).toString("base64") },
};

Deno.test("whatever a watch says, a waiter waits on to its time, or is told that the record cannot be used", async () => {
  const lines = [
    {
      type: "MODIFIED",
      object: { ...SECRET, metadata: { ...SECRET.metadata, resourceVersion: "8" } },
    },
    { type: "BOOKMARK", object: { kind: "Secret", metadata: { resourceVersion: "8" } } },
    { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } },
  ].map((line) => JSON.stringify(line));
  await through(
    fc.array(fc.constantFrom(...lines).chain(hurtJson), { minLength: 1, maxLength: 4 }),
    async (says) => {
      let revision = 100;
      await using server = await fakeServer((response, { method, url, body }) => {
        if (url.includes("watch=1")) {
          response.writeHead(200, { "content-type": "application/json" });
          return void response.end(`${says.join("\n")}\n`);
        }
        if (url.includes("/secrets/")) return json(response, SECRET);
        if (method === "DELETE") return json(response, { kind: "Status", status: "Success" });
        if (method === "GET") {
          return json(response, {
            kind: "LeaseList",
            metadata: { resourceVersion: "9" },
            items: [],
          });
        }
        const lease = JSON.parse(body);
        const metadata = { ...lease.metadata, uid: "u-2", resourceVersion: `${++revision}` };
        json(response, { ...lease, metadata }, 201);
      });
      await using sandbox = await Sandbox.create(IN_CLUSTER);
      const path = join(sandbox.folder, "config");
      Deno.writeTextFileSync(path, KUBECONFIG.replace("https://127.0.0.1:1", server.url.origin));
      const command = ["run", "a", "--object", "k8s-lock-a", "--timeout=2s", "--", "true"];
      assertEnded(await sandbox.run(command, { env: { KUBECONFIG: path } }), [10, 11, 15]);
      assert(server.asked.some(({ url }) => url.includes("watch=1")), "nobody has watched");
    },
  );
});
