/** The install script for other CIs, out of its page, against a server of the test's own. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { tarGz } from "../../tools/release/archive.ts";
import { TARGETS } from "../../tools/release/targets.ts";
import { VERSION } from "../../lib/cli/version.ts";
import { recipeFile } from "../support/recipes/pages.ts";

const SNIPPET = recipeFile("README.md", "ci/install-k8s-lock.sh").text;
const ARCHIVE = tarGz([{
  name: "k8s-lock",
  content: new TextEncoder().encode("#!/bin/sh\necho installed\n"),
  executable: true,
}], 1);

interface Result {
  readonly code: number;
  readonly said: string;
  readonly installed: readonly string[];
  readonly asked: readonly string[];
}

async function install(answer: Uint8Array | null): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-snippet-"));
  const asked: string[] = [];
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      asked.push(new URL(request.url).pathname);
      return answer === null
        ? new Response("none", { status: 404 })
        : new Response(answer as BodyInit);
    },
  );
  try {
    const hash = createHash("sha256").update(ARCHIVE).digest("hex");
    const text = SNIPPET.replaceAll(/\b0{64}\b/g, hash)
      .replace("https://github.com", `http://127.0.0.1:${server.addr.port}`)
      // The server here has no certificate.
      .replace("--proto '=https'", "--proto '=http'").replace("--retry 4", "--retry 0");
    assert(text.includes("--proto '=http'") && text.includes(hash));
    await writeFile(join(folder, "install.sh"), text);
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["install.sh"],
      cwd: folder,
      stdin: "null",
    }).output();
    const decoded = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const installed = await readdir(join(folder, ".k8s-lock/bin"));
    return { code, said: decoded(stdout) + decoded(stderr), installed, asked };
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test({
  name:
    "the install script for other CIs takes the archive of its version that has its hash, and nothing else",
  ignore: process.platform !== "linux",
  fn: async () => {
    const right = await install(ARCHIVE);
    assertEquals([right.code, right.installed], [0, ["k8s-lock"]], right.said);
    assertStringIncludes(right.said, "installed");
    const [asked = ""] = right.asked;
    assert(
      TARGETS.some(({ archive }) => asked.endsWith(`/releases/download/v${VERSION}/${archive}`)),
      asked,
    );
    for (const wrong of [ARCHIVE.slice(0, 100), new TextEncoder().encode("<html>"), null]) {
      const { code, installed } = await install(wrong);
      assert(code !== 0);
      assertEquals(installed, []);
    }
  },
});

Deno.test("the page names every archive of a release", () => {
  const page = Deno.readTextFileSync(new URL("../../docs/recipes/README.md", import.meta.url));
  for (const { platform } of TARGETS) assertStringIncludes(page, `\`${platform}\``);
});
