import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runsOn } from "../../lib/cli/main.ts";

const main = new URL("../../main.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program in an environment of its own. */
async function program(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const home = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", main, ...args],
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: home,
        // The runtime's own folder is the tests', not the home's.
        DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
        ...env,
      },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** Runs `check` with the path of a file with this text. */
async function withFile(text: string, check: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    await check(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("help and version go to stdout and exit 0", async () => {
  for (const args of [["--help"], ["help"], ["help", "run"], ["run", "--help"]]) {
    const help = await program(args);
    assertEquals([help.code, help.stderr], [0, ""], args.join(" "));
    assertStringIncludes(help.stdout, "Usage: k8s-lock");
  }
  const version = await program(["--version"]);
  assertEquals([version.code, version.stderr], [0, ""]);
  assertMatch(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("a Node.js that is too old is known as that", () => {
  const versions = ["20.20.2", "22.12.0", "22.13.0", "23.0.0", "24.1.0"];
  assertEquals(versions.filter(runsOn), ["22.13.0", "23.0.0", "24.1.0"]);
  assert(runsOn(process.versions.node));
});

Deno.test("a usage error is one line on stderr and exit 2", async () => {
  const { code, stdout, stderr } = await program(["acquire", "deploy", "--timout", "3"]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(
    stderr,
    "k8s-lock: error: unknown option '--timout' (did you mean --timeout?); see k8s-lock acquire --help\n",
  );
});

Deno.test("in a GitHub job an error is an annotation, and JSON where that was asked for", async () => {
  const github = await program(["status"], { GITHUB_ACTIONS: "true" });
  assertMatch(github.stderr, /^::error title=k8s-lock::which lock\?/);
  const json = await program(["status"], { K8S_LOCK_LOG_FORMAT: "json" });
  assertEquals(JSON.parse(json.stderr).level, "error");
});

Deno.test("without a cluster status says how to name one, and never takes a local lock", async () => {
  const { code, stderr } = await program(["status", "deploy"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--kubeconfig");
});

for (
  const [what, text, words] of [
    ["empty", "", "empty"],
    ["no YAML", "{{{: nope", ""],
    [
      "without a current context",
      "apiVersion: v1\nkind: Config\ncontexts: []\n",
      "current-context",
    ],
  ] as const
) {
  Deno.test(`a kubeconfig that is ${what} is exit 2, by its file's name`, async () => {
    await withFile(text, async (path) => {
      const { code, stderr } = await program(["status", "deploy", "--kubeconfig", path]);
      assertEquals(code, 2);
      assertStringIncludes(stderr, path);
      assertStringIncludes(stderr, words);
      assert(!stderr.includes("nope"));
    });
  });
}

Deno.test("a kubeconfig that is missing, or YAML where base64 belongs, is exit 2", async () => {
  const missing = await program(["status", "deploy"], { KUBECONFIG: "/dev/null/none" });
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.stderr, "/dev/null/none");
  const yaml = await program(["status", "deploy"], { K8S_LOCK_KUBECONFIG_DATA: "apiVersion: v1" });
  assertEquals(yaml.code, 2);
  assertStringIncludes(yaml.stderr, "K8S_LOCK_KUBECONFIG_DATA");
});

Deno.test("a cluster that cannot be reached is exit 11", async () => {
  const kubeconfig = `
apiVersion: v1
kind: Config
current-context: x
contexts: [{name: x, context: {cluster: x, user: x, namespace: ci}}]
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: x, user: {token: very-secret-token}}]
`;
  await withFile(kubeconfig, async (path) => {
    const { code, stderr } = await program([
      "status",
      "deploy",
      "--kubeconfig",
      path,
      "--request-timeout",
      "600ms",
    ]);
    assertEquals(code, 11, stderr);
    assertStringIncludes(stderr, "127.0.0.1");
    assert(!stderr.includes("very-secret"));
  });
});

Deno.test("a local lock that nobody used is free, and looking makes no file", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/locks.db`;
  const where = ["--local", "--local-path", path];
  const status = await program(["status", "deploy", "-o", "json", ...where]);
  assertEquals([status.code, status.stderr], [0, ""]);
  assertEquals(JSON.parse(status.stdout), {
    lock: "deploy",
    object: "local/k8s-lock-deploy",
    order: "fifo",
    next_build: null,
    capacity: 1,
    token: 0,
    frozen: null,
    holders: [],
    queue: [],
    history: [],
  });
  const list = await program(["list", "-o", "json", ...where]);
  assertEquals([list.code, JSON.parse(list.stdout)], [0, []]);
  assertEquals([...Deno.readDirSync(folder)].length, 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a file that is no database is exit 15, by its name", async () => {
  await withFile("this is no database, but long enough to look at\n".repeat(100), async (path) => {
    const { code, stderr } = await program(["status", "a", "--local", "--local-path", path]);
    assertEquals(code, 15);
    assertStringIncludes(stderr, path);
  });
});

Deno.test("a reader of results that goes away is no error", async () => {
  const script = `"$@" --help | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", Deno.execPath(), "run", "-A", main],
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "0\n");
});

Deno.test("a result that cannot be written is an error", async () => {
  const script = `"$@" completion bash > /dev/full`;
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", Deno.execPath(), "run", "-A", main],
  }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "cannot write the result");
});
