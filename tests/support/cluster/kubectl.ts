/** kubectl as a child process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** Runs it to its end and returns its stdout. Throws, with its stderr, if it fails. */
export async function runKubectl(
  command: string,
  args: readonly string[],
  stdin: string,
): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const closed = once(child, "close");
  // kubectl may end before it has read all of it: its exit code says what was wrong.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed,
  ]);
  if (code === 0) return stdout;
  throw new Error(`kubectl ${args.slice(2).join(" ")}: ${signal ?? code}\n${stderr}`);
}
