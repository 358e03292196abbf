/** A terminal for a program under test: util-linux's script(1) makes it and copies between it and pipes. */
import { existsSync } from "node:fs";
import process from "node:process";

/** For tests at a terminal: without script(1) there is none to test at, and other systems' one has other options. */
export const atTerminal = {
  ignore: process.platform !== "linux" || !existsSync("/usr/bin/script"),
};

/**
 * The command line that runs these words at a terminal of their own, as the leader of its session. It ends with their exit code.
 *
 * - script(1) gives its command to the shell in `SHELL`. Whether that makes way for a command that comes last is its own
 *   matter (bash does, dash does not): it is told to, or a shell would get the signals and Ctrl-C too, and its exit code would be ours.
 * - At Ctrl-C and Ctrl-Z a terminal throws away what nobody has read yet, and shows the key wherever in a line the output
 *   happens to be. Both are turned off, so that every line that is said arrives, and whole.
 */
export function atTerminalLine(words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  return [
    ...["env", "SHELL=/bin/sh", "script", "-qefc"],
    `stty -echo noflsh && exec ${quoted}`,
    "/dev/null",
  ];
}
