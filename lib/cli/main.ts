/** The program: from the process's arguments to its exit code. */
import process from "node:process";
import type { Output } from "./output.ts";

/** How long the last lines of the log may take to be written at the end, in milliseconds. */
const LAST_WORDS_MS = 500;

/** The first Node.js with SQLite in it and with all that is used of the language. */
const LEAST_NODE = "22.13";

/** True where a Node.js of that version, or a Deno that is compatible with it, has what this program needs. */
export function runsOn(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

/**
 * Does what the arguments ask for and resolves with the exit code, when all output is written.
 *
 * @param args without the program's own name
 */
export async function cliMain(args: readonly string[]): Promise<number> {
  const [mode, ...rest] = args;
  // Processes of our own, which live long and in numbers: they load nothing of the command line.
  if (mode === "__lifeline") {
    (await import("../host/lifeline_main.ts")).lifelineMain(rest);
    return await new Promise<never>(() => {
      // It ends the process itself.
    });
  }
  if (mode === "__renewer") return (await import("./renewer_main.ts")).renewerMain(rest);

  if (!runsOn(process.versions.node)) {
    process.stderr.write(
      `k8s-lock: error: this is Node.js ${process.versions.node}; k8s-lock needs ${LEAST_NODE} or newer, or Deno\n`,
    );
    return 2;
  }
  const { isatty } = await import("node:tty");
  const { readEnvironment } = await import("../host/environment.ts");
  const { openOutput } = await import("./output.ts");
  const [program, given] = mode === "__action"
    ? [(await import("./action.ts")).actionProgram, rest] as const
    : [(await import("./run_program.ts")).runProgram, args] as const;
  const stdout = openOutput(1);
  const stderr = openOutput(2);
  const code = await program(given, {
    env: readEnvironment(),
    stdout,
    stderr,
    stdinIsTerminal: isatty(0),
  });
  await flushed(stdout, stderr);
  return code;
}

/** Results are waited for as long as their reader needs; the log is not. */
async function flushed(stdout: Output, stderr: Output): Promise<void> {
  await stdout.flush(Infinity);
  await stderr.flush(LAST_WORDS_MS);
}
