/** Commands for `run` that can be watched and ended from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { rename, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { LockSite } from "./lock_site.ts";
import { within } from "./program.ts";

/** A command, what it says, and whether anything of it lives. */
export interface Work extends Disposable {
  readonly command: readonly string[];
  /** Resolves with what it says first: that it has begun. */
  readonly begun: Promise<string>;
  /** Resolves when nothing of it lives any more, with the monotonic time of that. */
  readonly dead: Promise<number>;
  /** Lets it end by itself, with this exit code. */
  finish(code?: number): Promise<void>;
}

/** What a script of work may use: `say WORDS…`, and `work`, which lasts until `finish()`. */
const PRELUDE = `
exec 9>"$1"
say() { echo "$@" >&9; }
work() { while [ ! -e "$1.end" ]; do sleep 0.02; done; exit "$(cat "$1.end")"; }
`;

/**
 * A command that holds a pipe open, as everything that it forks does, whatever group or session that is in: at
 * the pipe's end all of it is dead.
 *
 * @param script what it does, in sh
 */
export async function startWork(
  site: LockSite,
  name: string,
  script = `say begun; work "$1"`,
): Promise<Work> {
  const path = await site.pipe(name);
  // Reads until all writers are gone. It waits for the first one.
  const reader: ChildProcess = spawn("cat", [path], { stdio: ["ignore", "pipe", "ignore"] });
  const begun = Promise.withResolvers<string>();
  if (reader.stdout) createInterface({ input: reader.stdout }).once("line", begun.resolve);
  const dead = new Promise<number>((resolve) =>
    reader.once("close", () => resolve(performance.now()))
  );
  return {
    command: ["sh", "-c", `${PRELUDE}${script}`, "sh", path],
    get begun() {
      return within(begun.promise, () => `the begin of ${name}`);
    },
    get dead() {
      return within(dead, () => `the end of ${name}`);
    },
    async finish(code = 0) {
      await writeFile(`${path}.end.new`, String(code));
      await rename(`${path}.end.new`, `${path}.end`);
    },
    [Symbol.dispose]: () => void reader.kill("SIGKILL"),
  };
}

/** A command that notes its begin and its end in a journal that all append to; all wait until the gate is open. */
export function journalling(site: LockSite): Pick<Work, "command"> {
  const path = join(site.folder, "journal");
  const note = (what: string) => `echo "${what} $K8S_LOCK_GRANT $K8S_LOCK_TOKEN" >> "$1"`;
  const gate = `while [ ! -e "$1.gate" ]; do sleep 0.02; done; sleep 0.03`;
  return { command: ["sh", "-c", `${note("begin")}; ${gate}; ${note("end")}`, "sh", path] };
}

/** Lets the commands go on that write the journal. */
export async function openGate(site: LockSite): Promise<void> {
  await writeFile(join(site.folder, "journal.gate"), "");
}

/** What stands in the journal: who held when with which token. Throws where two overlapped. */
export async function holdsIn(site: LockSite): Promise<{ grant: string; token: number }[]> {
  const lines = (await site.read("journal")).trimEnd().split("\n").map((line) => line.split(" "));
  const holds: { grant: string; token: number }[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const [[begin, grant = "", token], [end, ender] = []] = [lines[at] ?? [], lines[at + 1]];
    if (begin !== "begin" || end !== "end" || grant !== ender) {
      throw new Error(`two overlapped:\n${lines.map((line) => line.join(" ")).join("\n")}`);
    }
    holds.push({ grant, token: Number(token) });
  }
  return holds;
}
