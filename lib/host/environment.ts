/**
 * This process's variables, also where one of them is no UTF-8: a branch or a title in an old encoding. Deno lists no such variable, and
 * fails when one is asked for; Node puts U+FFFD in the place of what it cannot read.
 */
import process from "node:process";
import { environmentOf } from "./processes.ts";

/** What stands for a value that cannot be read. */
const UNREADABLE = "\uFFFD";

/** The variables. One whose value cannot be read has U+FFFD for it, which is no valid value of anything, and is not listed. */
export function readEnvironment(
  source: NodeJS.ProcessEnv = process.env,
): Readonly<Record<string, string | undefined>> {
  return new Proxy({ ...source }, {
    get(readable, name) {
      if (typeof name !== "string" || name in readable) return Reflect.get(readable, name);
      try {
        return source[name];
      } catch {
        return UNREADABLE;
      }
    },
  });
}

/** The names of the variables that no command gets from us, because they cannot be read. Seen on Linux only. */
export function unreadableVariables(source: NodeJS.ProcessEnv = process.env): string[] {
  const listed = new Set(Object.keys(source));
  const decoder = new TextDecoder();
  return environmentOf(process.pid).split("\0").flatMap((entry) => {
    const name = entry.slice(0, entry.indexOf("="));
    if (listed.has(name)) return [];
    // A letter for each byte: what is no UTF-8 decodes to U+FFFD.
    const bytes = Uint8Array.from(entry, (letter) => letter.charCodeAt(0));
    return decoder.decode(bytes).includes(UNREADABLE) ? [name] : [];
  });
}
