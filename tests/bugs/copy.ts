/** Copies of the project that a bug is put into, and taken out of again. */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { placeOf, withBug } from "./bug.ts";
import type { Bug } from "./bug.ts";
import type { Catch, Hunt } from "./catch.ts";

/** The project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What all tests are made of that look for bugs. */
const PARTS = ["lib", "tests", "main.ts", "deno.json", "deno.lock"];

/** A hunt that takes longer than this does not end: a bug that stands still would keep everybody waiting. */
const HUNT_LIMIT_MS = 900_000;

/** One copy: one bug at a time. */
export class Copy {
  readonly root = mkdtempSync(join(tmpdir(), "k8s-lock-bugs-"));

  constructor() {
    for (const part of PARTS) {
      cpSync(join(ROOT, part), join(this.root, part), { recursive: true });
    }
  }

  /** Puts `bug` in while `during` looks for it. */
  async with<T>(bug: Bug, during: () => Promise<T>): Promise<T> {
    const path = join(this.root, placeOf(bug, this.root));
    const original = readFileSync(path, "utf8");
    writeFileSync(path, withBug(bug, original));
    try {
      return await during();
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Looks for a broken promise. Throws when what was changed cannot run. */
  async look(hunt: Hunt): Promise<Catch | null> {
    return hunt.by === "unit test" ? await this.#test(hunt.files) : await this.#hunt(hunt);
  }

  async #hunt(hunt: Hunt): Promise<Catch | null> {
    const { code, stdout, stderr } = await this.#deno([
      "run",
      "-A",
      "--no-check",
      "--v8-flags=--max-old-space-size=6000",
      "tests/bugs/hunter.ts",
      JSON.stringify(hunt),
    ]);
    if (code !== 0) throw new Error(`it does not run: ${stderr}`);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  }

  async #test(files: readonly string[]): Promise<Catch | null> {
    const paths = files.map((file) => `tests/${file}`);
    const { code, stdout, stderr } = await this.#deno([
      "test",
      "-A",
      "--no-check",
      "--fail-fast",
      ...paths,
    ]);
    if (code === 0) return null;
    const output = `${stdout}\n${stderr}`;
    const broken = /^.*(?:ReferenceError|SyntaxError|is not defined).*$/m.exec(output);
    const failed = /^(.+?) => .*\/tests\/([^:]+):\d+/m.exec(output);
    if (broken !== null || failed === null) throw new Error(`it does not run: ${output}`);
    return { by: "unit test", file: failed[2] ?? "", seen: failed[1] ?? "" };
  }

  async #deno(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, args, {
      cwd: this.root,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: HUNT_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => stdout += chunk);
    child.stderr.on("data", (chunk) => stderr += chunk);
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (code !== null) resolve(code);
        else reject(new Error(`it did not end (${signal})`));
      });
    });
    return { code, stdout, stderr };
  }

  /** Takes the copy away. */
  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

/**
 * Type checks all bugs at once, each file with its bug beside the original: a bug that is not a program is caught by anything.
 *
 * @returns what the compiler says, or "" when all of them are programs
 */
export async function compileErrors(bugs: readonly Bug[]): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "k8s-lock-bugs-"));
  try {
    cpSync(join(ROOT, "lib"), join(root, "lib"), { recursive: true });
    cpSync(join(ROOT, "deno.lock"), join(root, "deno.lock"));
    const config = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
    // A bug may well leave something unused.
    const compilerOptions = {
      ...config.compilerOptions,
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    writeFileSync(join(root, "deno.json"), JSON.stringify({ ...config, compilerOptions }));

    const files = bugs.map((bug, index) => {
      const place = placeOf(bug, ROOT);
      const file = place.replace(/\.ts$/, `.bug${index}.ts`);
      writeFileSync(join(root, file), withBug(bug, readFileSync(join(ROOT, place), "utf8")));
      return file;
    });
    const child = spawn(process.execPath, ["check", ...files], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => stderr += chunk);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code === 0) return "";
    return bugs.reduce(
      (text, { name }, index) => text.replaceAll(`.bug${index}.ts`, `.ts, bug "${name}",`),
      stderr,
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}
