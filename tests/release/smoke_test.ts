/** The release's smoke test, with an archive in which the program is started from its sources: the binary is GitHub's to try. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { tarGz } from "../../tools/release/archive.ts";
import { programLine } from "../support/started.ts";

const SMOKE = new URL("../../tools/release/smoke.sh", import.meta.url).pathname;
const SYSTEM = process.platform === "darwin" ? "macos" : "linux";
const PLATFORM = `${SYSTEM}-${process.arch === "arm64" ? "arm64" : "x64"}`;

async function smoke(
  program: string,
  sumOf = (archive: Uint8Array) => archive,
): Promise<[number, string]> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-smoke-"));
  try {
    const content = new TextEncoder().encode(`#!/bin/sh\n${program}\n`);
    const archive = tarGz([{ name: "k8s-lock", content, executable: true }], 1);
    const name = `k8s-lock-${PLATFORM}.tar.gz`;
    const sum = createHash("sha256").update(sumOf(archive)).digest("hex");
    await writeFile(join(folder, name), archive);
    await writeFile(join(folder, "SHA256SUMS"), `${sum}  ${name}\n`);
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: [SMOKE, folder, PLATFORM],
      env: { KUBECONFIG: "" },
      stdin: "null",
    }).output();
    return [code, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

const line = programLine().map((word) => `'${word}'`).join(" ");

Deno.test("a program that takes and gives back its lock passes", async () => {
  const [code, said] = await smoke(`exec ${line} "$@"`);
  assertEquals(code, 0, said);
  assertStringIncludes(said, "== all is well");
});

Deno.test("a program that is none of the release, says another version or holds on does not", async () => {
  const [unhashed] = await smoke(`exec ${line} "$@"`, () => new Uint8Array(1));
  assertEquals(unhashed, 1);
  const [other, said] = await smoke(`echo 0.0.1`);
  assertEquals(other, 1);
  assertStringIncludes(said, "says it is 0.0.1");
  const [holding, told] = await smoke(`[ "$1" != release ] || exit 0; exec ${line} "$@"`);
  assertEquals(holding, 1);
  assertStringIncludes(told, "it is still held after its release");
});
