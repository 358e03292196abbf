/**
 * How the program is started in tests of it as a process: from its sources, or as the bundle under Deno or Node.
 *
 *     deno task test                                     from its sources
 *     deno run -A tests/support/started.ts [RUNTIME]     the end-to-end tests, of the bundle on Deno and on Node
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundle } from "../../tools/bundle.ts";
import { findNode } from "./node.ts";

const VARIABLE = "K8S_LOCK_TEST_PROGRAM";
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** The command line before the program's own arguments. */
export function programLine(): readonly string[] {
  const given = process.env[VARIABLE];
  return given ? JSON.parse(given) : [Deno.execPath(), "run", "-A", "-q", MAIN];
}

/** From now on, for this process and what it starts. */
export function startAs(line: readonly string[]): void {
  process.env[VARIABLE] = JSON.stringify(line);
}

async function main(wanted: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-bundle-"));
  try {
    const file = join(folder, "k8s-lock.js");
    await bundle("main.ts", file);
    const node = await findNode();
    if (node === null) throw new Error("no Node >= 22.13, neither on PATH nor from npx");
    const lines: Readonly<Record<string, readonly string[]>> = {
      deno: [Deno.execPath(), "run", "-A", "-q", "--no-config", file],
      node: [node, file],
    };
    let failed = 0;
    for (const [runtime, line] of Object.entries(lines)) {
      if (wanted.length > 0 && !wanted.includes(runtime)) continue;
      console.log(`the end-to-end tests of the bundle, started as ${line.join(" ")}`);
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "-A", "--no-check", "--parallel", "tests/e2e"],
        env: { [VARIABLE]: JSON.stringify(line) },
        stdin: "null",
        stdout: "inherit",
        stderr: "inherit",
      }).output();
      failed ||= code;
    }
    return failed;
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
