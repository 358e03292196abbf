/** Bad input: a sentence with the cause and the way out, the documented exit code, and nothing is made or changed. */
import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../support/sandbox.ts";
import { programLine } from "../support/started.ts";

/** What is in a folder, by name. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== ".cache");
}

for (
  const [what, args, words] of [
    ["an empty name", ["run", "", "--", "touch", "made"], "the lock's name is empty"],
    ["a name of 300 characters", ["acquire", "x".repeat(300)], "at most 255"],
    ["a name with a line break", ["acquire", "a\nb"], "line breaks"],
    ["a duration with a wrong unit", ["acquire", "a", "--ttl", "5x"], "write it as 90s"],
    ["a negative duration", ["acquire", "a", "--timeout=-1s"], "is negative"],
    ["an enormous duration", ["acquire", "a", "--timeout", "1e9h"], "is not a duration"],
    ["a TTL that is too short", ["run", "a", "--ttl", "1", "--", "touch", "made"], "at least 5s"],
    [
      "a slip in an option",
      ["run", "a", "--timout", "1", "--", "touch", "made"],
      "did you mean --timeout?",
    ],
    ["a slip in a command", ["aquire", "a"], "did you mean acquire?"],
    ["no command", ["run", "a", "--"], 'there is no command after "--"'],
    ["a grant with a slash", ["release", "a", "--grant", "../x"], "cannot be a grant"],
  ] as const
) {
  Deno.test(`${what} is exit 2 with a way out, and makes nothing`, async () => {
    await using sandbox = await Sandbox.create();
    const { code, stdout, stderr } = await sandbox.run(args, { cwd: sandbox.folder });
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, words);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
    assertEquals(namesIn(sandbox.folder), []);
  });
}

/** Before a command line: sets a variable to what is no UTF-8, which only a shell can. */
function unreadable(name: string): string[] {
  return ["sh", "-c", `export ${name}=$(printf 'h\\377llo-secret'); exec "$@"`, "sh"];
}

for (
  const [name, code, words] of [
    ["K8S_LOCK_TTL", 2, "K8S_LOCK_TTL: "],
    ["K8S_LOCK_STORE", 2, "K8S_LOCK_STORE: "],
    ["K8S_LOCK_LOG_FORMAT", 2, "K8S_LOCK_LOG_FORMAT: "],
    // Texts for people.
    ["K8S_LOCK_HOLDER", 0, "gave"],
    ["GITHUB_WORKFLOW", 0, "gave"],
    // Nobody's: the command may miss it.
    ["ANY_OTHER", 0, "gave"],
  ] as const
) {
  Deno.test(`a value of ${name} that is not UTF-8 is no bug`, async () => {
    await using sandbox = await Sandbox.create({
      GITHUB_ACTIONS: "true",
      GITHUB_REPOSITORY: "a/b",
    });
    const by = unreadable(name);
    const ended = await sandbox.run(["run", "lock", "--", "echo", "gave"], { by });
    assertEquals(ended.code, code, ended.stderr);
    assertStringIncludes(ended.stdout + ended.stderr, words);
    assert(!ended.stderr.includes("a bug"), ended.stderr);
  });
}

Deno.test("a kubeconfig in a variable that is not UTF-8 is refused without a word of it", async () => {
  await using sandbox = await Sandbox.create({ K8S_LOCK_STORE: "secret" });
  const by = unreadable("K8S_LOCK_KUBECONFIG_DATA");
  const { code, stderr } = await sandbox.run(["run", "lock", "--", "echo"], { by });
  assertEquals(code, 2, stderr);
  assertStringIncludes(stderr, "K8S_LOCK_KUBECONFIG_DATA");
  assert(!/secret-|llo/.test(stderr), stderr);
});

Deno.test("run names the variables that it cannot pass on to its command", {
  ignore: process.platform !== "linux" || programLine()[0] !== Deno.execPath(),
}, async () => {
  await using sandbox = await Sandbox.create();
  const by = unreadable("BRANCH");
  const { stderr } = await sandbox.run(["run", "lock", "--", "true"], { by });
  assertStringIncludes(
    stderr,
    "BRANCH: not valid UTF-8, so the command runs without this variable",
  );
});

const TOKEN = "tok-3a1f-very-secret";

function kubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "x", user: "x", namespace: "ci" } }],
    clusters: [{ name: "x", cluster: { server } }],
    users: [{ name: "x", user: { token: TOKEN } }],
  });
}

/** Commands that need the cluster. */
const COMMANDS: readonly (readonly string[])[] = [
  ["run", "a", "--", "echo", "worked"],
  ["acquire", "a"],
  ["release", "a", "--grant", "g"],
  ["verify", "a"],
  ["renew", "a", "--grant", "g"],
  ["status", "a"],
  ["list"],
  ["break", "a", "--yes"],
];

Deno.test("a cluster that is away is exit 11 within --request-timeout, with no word of the login", async () => {
  await using sandbox = await Sandbox.create({ K8S_LOCK_STORE: "", K8S_LOCK_LOCAL_PATH: "" });
  const data = btoa(kubeconfig("https://127.0.0.1:1"));
  const env = { K8S_LOCK_KUBECONFIG_DATA: data };
  const ends = await Promise.all(
    COMMANDS.map(([name = "", ...args]) =>
      sandbox.run([name, "-v", "--request-timeout", "500ms", ...args], { env })
    ),
  );
  for (const [index, { code, stdout, stderr }] of ends.entries()) {
    assertEquals([code, stdout], [11, ""], `${COMMANDS[index]?.join(" ")}: ${stderr}`);
    assertStringIncludes(stderr, "127.0.0.1:1");
    assert(!stderr.includes(TOKEN) && !stderr.includes(data.slice(0, 40)), stderr);
  }
  for (const { name } of [...Deno.readDirSync(sandbox.folder)].filter(({ isFile }) => isFile)) {
    assert(!Deno.readTextFileSync(`${sandbox.folder}/${name}`).includes(TOKEN));
  }
  assertEquals(sandbox.processes("__renewer"), []);
});

for (
  const [what, data, words] of [
    ["YAML", kubeconfig("https://127.0.0.1:1"), "base64"],
    ["no base64", `%%%${TOKEN}%%%`, "base64"],
    ["base64 of something else", btoa(`${TOKEN}: {{{`), "K8S_LOCK_KUBECONFIG_DATA"],
    ["a kubeconfig of no context", btoa("apiVersion: v1\nkind: Config\n"), "current-context"],
  ] as const
) {
  Deno.test(`kubeconfig data that is ${what} is exit 2, without a word of it`, async () => {
    await using sandbox = await Sandbox.create({ K8S_LOCK_STORE: "", K8S_LOCK_LOCAL_PATH: "" });
    const env = { K8S_LOCK_KUBECONFIG_DATA: data };
    for (const args of [["acquire", "a"], ["run", "a", "--", "touch", "made"]]) {
      const { code, stderr } = await sandbox.run([...args, "-v"], { env, cwd: sandbox.folder });
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, words);
      assert(!stderr.includes(TOKEN), stderr);
    }
    assertEquals(namesIn(sandbox.folder), []);
  });
}

Deno.test("a context or a certificate file that is not there is exit 2, by its name", async () => {
  await using sandbox = await Sandbox.create({ K8S_LOCK_STORE: "", K8S_LOCK_LOCAL_PATH: "" });
  const path = `${sandbox.folder}/config`;
  const config = JSON.parse(kubeconfig("https://127.0.0.1:1"));
  await Deno.writeTextFile(path, JSON.stringify(config));
  const context = await sandbox.run(["acquire", "a", "--kubeconfig", path, "--context", "nowhere"]);
  assertEquals(context.code, 2);
  assertStringIncludes(context.stderr, "nowhere");
  config.clusters[0].cluster["certificate-authority"] = "missing.crt";
  await Deno.writeTextFile(path, JSON.stringify(config));
  const file = await sandbox.run(["acquire", "a", "--kubeconfig", path]);
  assertEquals(file.code, 2, file.stderr);
  assertStringIncludes(file.stderr, "missing.crt");
  assertEquals(namesIn(sandbox.folder), ["config"]);
});

for (
  const command of [["run", "a", "--timeout=0", "--", "true"], ["acquire", "a"], ["status", "a"]]
) {
  Deno.test(`${command[0]} with a login plugin that does not end is exit 11, with the plugin and what it says`, async () => {
    await using sandbox = await Sandbox.create({ K8S_LOCK_STORE: "", K8S_LOCK_LOCAL_PATH: "" });
    const plugin = `${sandbox.folder}/my-login`;
    const script = "#!/bin/sh\necho waiting for a browser >&2\nexec sleep 1000\n";
    Deno.writeTextFileSync(plugin, script, { mode: 0o700 });
    const config = JSON.parse(kubeconfig("https://127.0.0.1:1"));
    const apiVersion = "client.authentication.k8s.io/v1";
    config.users = [{ name: "x", user: { exec: { command: plugin, apiVersion } } }];
    const path = `${sandbox.folder}/config`;
    Deno.writeTextFileSync(path, JSON.stringify(config));
    const env = { K8S_LOCK_REQUEST_TIMEOUT: "2s", KUBECONFIG: path };
    const { code, stdout, stderr } = await sandbox.run(command, { env });
    assertEquals([code, stdout], [11, ""], stderr);
    assertMatch(
      stderr,
      /exec plugin "\S+\/my-login" has not ended.* It says: waiting for a browser/,
    );
  });
}
