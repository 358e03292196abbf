/** What a release consists of, built twice where no runtime can be fetched: Deno itself stands in for it, so Linux only. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";
import { findNode } from "../support/node.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const FILES = [
  "LICENSES-OF-PARTS",
  "SHA256SUMS",
  "k8s-lock-linux-arm64.tar.gz",
  "k8s-lock-linux-x64.tar.gz",
  "k8s-lock.cdx.json",
  "k8s-lock.js",
  `k8s-lock-${VERSION}.tgz`,
].sort();

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const child = new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    env: { DENORT_BIN: await Deno.realPath(Deno.execPath()), SOURCE_DATE_EPOCH: "1800000000" },
  });
  const { success, stdout, stderr } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "a release",
  ignore: process.platform !== "linux",
  fn: async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-release-"));
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    const build = (out: string, cwd: string, ...platforms: string[]) =>
      run(Deno.execPath(), [
        ...["run", "-A", "-q", join(PROJECT, "tools/release/build.ts")],
        ...["--repository", "acme/k8s-lock", "--out", out, ...platforms],
      ], cwd);
    try {
      await build(first, folder, "linux-x64", "linux-arm64");
      await t.step("has all its files, each with its hash in SHA256SUMS", async () => {
        assertEquals((await readdir(first)).sort(), FILES);
        const checked = await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], first);
        assertEquals(checked.trim().split("\n").length, FILES.length - 1);
      });

      await t.step("is the same byte for byte from a second build elsewhere", async () => {
        await build(second, PROJECT, "linux-x64");
        const files = await readdir(second);
        assertEquals(files.length, FILES.length - 1);
        for (const name of files.filter((name) => name !== "SHA256SUMS")) {
          const [a, b] = [await readFile(join(first, name)), await readFile(join(second, name))];
          assert(a.equals(b), `${name} differs`);
        }
      });

      await t.step(
        "has the program and the licences in its archives, nobody's and of one time",
        async () => {
          const list = await run("tar", ["--utc", "-tvzf", "k8s-lock-linux-x64.tar.gz"], first);
          const lines = list.trim().split("\n").map((line) => line.replace(/ +\d+ /, " SIZE "));
          assertEquals(lines, [
            "-rwxr-xr-x 0/0 SIZE 2027-01-15 08:00 k8s-lock",
            "-rw-r--r-- 0/0 SIZE 2027-01-15 08:00 LICENSE",
            "-rw-r--r-- 0/0 SIZE 2027-01-15 08:00 LICENSES-OF-PARTS",
          ]);
        },
      );

      await t.step("has the bundle in its binary", async () => {
        await run("tar", ["-xzf", "k8s-lock-linux-x64.tar.gz"], first);
        const binary = await readFile(join(first, "k8s-lock"));
        assert(binary.includes(await readFile(join(first, "k8s-lock.js"))));
      });

      await t.step(
        "lists what is in the bundle and nothing else, each with a licence",
        async () => {
          const bill = JSON.parse(await readFile(join(first, "k8s-lock.cdx.json"), "utf8"));
          const code = await readFile(join(first, "k8s-lock.js"));
          const { component } = bill.metadata;
          assertEquals(
            component.hashes[0].content,
            createHash("sha256").update(code).digest("hex"),
          );
          assertEquals(component.externalReferences[0].url, "https://github.com/acme/k8s-lock");
          const names: string[] = bill.components.map(({ name }: { name: string }) => name);
          for (const name of ["commander", "client-node", "js-yaml", "deno"]) {
            assert(names.includes(name), name);
          }
          // A tool of the tests, and what the bundle leaves out.
          for (const name of ["fast-check", "undici", "tar-fs"]) {
            assert(!names.includes(name), name);
          }
          const licenses = await readFile(join(first, "LICENSES-OF-PARTS"), "utf8");
          const references = new Set(bill.dependencies.map(({ ref }: { ref: string }) => ref));
          for (const one of bill.components) {
            const name = one.group ? `${one.group}/${one.name}` : one.name;
            assertStringIncludes(
              licenses.toLowerCase(),
              `\n${name} ${one.version} (`.toLowerCase(),
            );
            assert(references.has(one["bom-ref"]));
            assert(one.licenses[0].license.id);
          }
          const asked: string[] = bill.dependencies.flatMap((
            { dependsOn }: { dependsOn: string[] },
          ) => dependsOn);
          assertEquals(asked.filter((one) => !references.has(one)), []);
        },
      );

      const node = await findNode();
      await t.step({
        name: `installs from npm's archive and runs by its name on Node${
          node ? "" : " (no Node >= 22.13 was found)"
        }`,
        ignore: node === null,
        fn: async () => {
          const home = join(folder, "consumer");
          await Deno.mkdir(home);
          const archive = join(first, `k8s-lock-${VERSION}.tgz`);
          await run("npm", [
            "install",
            "--silent",
            "--offline",
            "--no-audit",
            "--prefix",
            home,
            archive,
          ], home);
          const bin = join(home, "node_modules/.bin/k8s-lock");
          // Its first line asks for the `node` that is first on PATH.
          const path = `${(node ?? "").replace(/\/[^/]*$/, "")}:${process.env["PATH"]}`;
          const said = await run("env", [`PATH=${path}`, bin, "--version"], home);
          assertEquals(said, `${VERSION}\n`);
          const args = [
            "run",
            "a",
            "--local",
            "--local-path",
            join(home, "db"),
            "--",
            "echo",
            "ran",
          ];
          assertEquals(await run("env", [`PATH=${path}`, bin, ...args], home), "ran\n");
          const manifest = JSON.parse(
            await readFile(join(home, "node_modules/k8s-lock/package.json"), "utf8"),
          );
          assertEquals(manifest.repository.url, "git+https://github.com/acme/k8s-lock.git");
          assertEquals([manifest.dependencies, manifest.scripts], [undefined, undefined]);
          assertMatch(manifest.engines.node, /22\.13/);
        },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
});
