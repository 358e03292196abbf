/** What runs in a job of the tests: Node as the runner brings it, and our program as one file for the input `binary`. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { bundle } from "../../../tools/bundle.ts";

const NODE = 24;

/** The Node.js that `using: node24` means: the one on PATH, else the one that npm has. */
export async function findNode(): Promise<string> {
  const print = ["-p", "process.version + ' ' + process.execPath"];
  for (const [command = "", ...args] of [["node"], ["npx", "-y", `node@${NODE}`]]) {
    const { stdout } = await new Deno.Command(command, {
      args: [...args, ...print],
      stdin: "null",
      stderr: "null",
    })
      .output().catch(() => ({ stdout: new Uint8Array() }));
    const [, major, path] = /^v(\d+)\.\S* (.*)$/m.exec(new TextDecoder().decode(stdout)) ?? [];
    if (path && Number(major) === NODE) return path;
  }
  throw new Error(`no Node.js ${NODE}: neither on PATH nor from npx`);
}

/** The runtimes that the bundle is a program of. */
export type Runtime = "deno" | "node";

/** Makes one file that is the program, started by that runtime. It lies in a folder of its own. */
export async function makeProgram(folder: string, runtime: Runtime = "deno"): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "k8s-lock.js");
  await bundle("main.ts", file);
  // It starts by whole paths: a job may take its PATH away.
  const command = runtime === "deno"
    ? `'${Deno.execPath()}' run -A -q --no-config`
    : `'${await findNode()}'`;
  return await writeScript(
    join(folder, "k8s-lock"),
    `export DENO_DIR='${denoFolder()}'\nexec ${command} '${file}' "$@"`,
  );
}

/** A shell script that can be run. */
export async function writeScript(path: string, text: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

/** The folder that Deno keeps its own files in, for jobs with a home of their own. */
export function denoFolder(): string {
  return process.env["DENO_DIR"] ?? `${process.env["HOME"]}/.cache/deno`;
}
