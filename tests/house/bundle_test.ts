import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";
import { bundle } from "../../tools/bundle.ts";
import { dead, start } from "../host/fixtures/start.ts";
import { findNode } from "../support/node.ts";

/** A kubeconfig for which the library does everything that it is used for, and which reaches nobody. */
const UNREACHABLE = `
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", proxy-url: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t, as: someone, as-groups: [some]}}]
`;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run([command = "", ...args]: readonly string[], env = {}): Promise<Ended> {
  const child = new Deno.Command(command, { args, env, stdin: "null" });
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** How often a function ran in which `text` stands, in a run of the bundle that left its coverage in `folder`. */
async function calls(folder: string, file: string, text: string): Promise<number> {
  const at = (await readFile(file, "utf8")).indexOf(text);
  assert(at >= 0, `the bundle has no ${text}`);
  let innermost = { size: Infinity, count: NaN };
  for (const name of await readdir(folder)) {
    const { url, result = [{ url }], functions } = JSON.parse(
      await readFile(join(folder, name), "utf8"),
    );
    for (const script of functions ? [{ url, functions }] : result) {
      if (!script.url.endsWith("/k8s-lock.js")) continue;
      for (const { ranges } of script.functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          const size = endOffset - startOffset;
          if (startOffset <= at && at < endOffset && size < innermost.size) {
            innermost = { size, count };
          }
        }
      }
    }
  }
  return innermost.count;
}

Deno.test("the bundle", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-bundle-"));
  const file = join(folder, "k8s-lock.js");
  const kubeconfig = join(folder, "kubeconfig");
  const node = await findNode();
  const runtimes = [
    { name: "Deno", command: [Deno.execPath(), "run", "-A", file] },
    { name: "Node", command: node === null ? null : [node, file] },
  ];
  try {
    await bundle("main.ts", file);
    await writeFile(kubeconfig, UNREACHABLE);

    for (const { name, command } of runtimes) {
      const step = (what: string, fn: (command: string[]) => Promise<void>) =>
        t.step({
          name: `on ${name} ${what}${command === null ? " (no Node >= 22.13 was found)" : ""}`,
          ignore: command === null,
          fn: () => fn(command ?? []),
        });

      await step("says its version", async (command) => {
        const said = await run([...command, "--version"]);
        assertEquals(said, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
      });

      await step(
        "runs a command under a local lock, without a warning about SQLite",
        async (command) => {
          const where = ["--local", "--local-path", join(folder, `${name}.db`)];
          const { code, stdout, stderr } = await run([
            ...[...command, "run", "deploy", ...where],
            ...["--", "sh", "-c", "echo ran; exit 3"],
          ]);
          assertEquals([code, stdout], [3, "ran\n"]);
          assertNotMatch(stderr, /warning|experimental|sqlite/i);
        },
      );

      await step("kills the command when it is killed itself", async (command) => {
        const where = ["--local", "--local-path", join(folder, `${name}.db`)];
        const holder = start([
          ...[...command, "run", "deploy", ...where],
          ...["--", "sh", "-c", "echo pid $$; sleep 1000"],
        ]);
        const pid = await holder.pidOf("pid");
        holder.kill("SIGKILL");
        await dead(pid);
        await holder.closed();
      });

      await step(
        "reads a kubeconfig with all that it leaves out of its packages",
        async (command) => {
          const where = ["--kubeconfig", kubeconfig, "--request-timeout", "1s"];
          const { code, stderr } = await run([...command, "status", "deploy", ...where]);
          assertEquals(code, 11, stderr);
          assertMatch(stderr, /127\.0\.0\.1:1\b.*refused|refused.*127\.0\.0\.1:1\b|proxy/i);
        },
      );
    }

    await t.step("loads nothing of Kubernetes for its help", async () => {
      const coverage = join(folder, "coverage");
      await run([Deno.execPath(), "run", "-A", `--coverage=${coverage}`, file, "--help"]);
      assertEquals(await calls(coverage, file, "Makes CI jobs take turns"), 1);
      assertEquals(await calls(coverage, file, "applyToHTTPSOptions("), 0);
    });

    await t.step("is what `deno compile` puts into the binary", async () => {
      const binary = join(folder, "k8s-lock");
      // Where its own runtime cannot be fetched, Deno's stands in: what is put into it is the same.
      const { code, stderr } = await run(
        [Deno.execPath(), "compile", "-A", "--no-config", "--output", binary, file],
        { DENORT_BIN: await Deno.realPath(Deno.execPath()) },
      );
      assertEquals(code, 0, stderr);
      assert((await readFile(binary)).includes(await readFile(file)));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
