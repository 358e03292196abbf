/**
 * The background renewer of `acquire`, as a process: how it is started, given what it needs, and heard of. What it does is not
 * here.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { parse } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import { hasProc, processStatus } from "./processes.ts";
import { helperEnvironment, selfCommand } from "./self.ts";
import type { SelfCommand } from "./self.ts";

/** The hidden mode's name: the program started with it as first argument is a renewer. */
export const RENEWER_MODE = "__renewer";

/** What a renewer is given. */
export interface RenewerOptions {
  /** What it has to do, as JSON; without secrets. */
  readonly job: Readonly<Record<string, unknown>>;
  /** What the connection needs and nobody may see: it goes through a pipe, never into a file, an argument or a variable. */
  readonly secrets: string;
  /** The file that gets its standard error. */
  readonly log: string;
  /** How long it may take to say that it is ready, in milliseconds; default 15 s. */
  readonly readyMs?: number;
  /** How it is started; by default this program in its hidden mode. */
  readonly self?: SelfCommand;
}

/** A renewer that is ready. */
export interface StartedRenewer {
  /** Its process. */
  readonly pid: number;
  /** With the pid, names the process for good (`processAlive`); null where the system does not say. */
  readonly startedAt: string | null;
}

/** No renewer came up. `message` is a sentence for people and names the log. */
export class RenewerError extends Error {
  /** What kind of error it is. */
  override readonly name = "RenewerError";
}

/**
 * The descriptors from 3 to 9 that every child of ours inherits because we inherited them. A renewer that keeps one open keeps
 * somebody waiting for its end. (Neither runtime can close one that it did not open.)
 */
function inheritedDescriptors(): number[] {
  if (!hasProc) return [];
  const closeOnExec = 0o2000000;
  return readdirSync("/proc/self/fdinfo").map(Number).filter((descriptor) => {
    if (descriptor < 3 || descriptor > 9) return false;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1");
      return (parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? "", 8) & closeOnExec) === 0;
    } catch {
      return false;
    }
  });
}

/** The same command, by way of a shell that closes what it would inherit; as it is where there is nothing to close. */
function withoutInherited(self: SelfCommand): SelfCommand {
  const open = inheritedDescriptors();
  if (open.length === 0 || !existsSync("/bin/sh")) return self;
  const closing = open.map((descriptor) => `${descriptor}>&-`).join(" ");
  return {
    command: "/bin/sh",
    args: ["-c", `exec "$@" ${closing}`, "sh", self.command, ...self.args],
  };
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

function spawnRenewer({ command, args }: SelfCommand, log: string): Child {
  const file = openSync(log, "a", 0o600);
  try {
    const child = spawn(command, [...args], {
      detached: true,
      windowsHide: true,
      stdio: ["pipe", "pipe", file],
      cwd: parse(process.execPath).root,
      // With the CI's own cookie (RUNNER_TRACKING_ID): where the CI ends all of a job, the renewer is part of it.
      env: helperEnvironment(process.env),
    });
    return child as Child;
  } finally {
    closeSync(file);
  }
}

/** Resolves when the child says that it is ready; rejects with a reason when it will not. */
function ready(child: Child, readyMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`not ready after ${readyMs / 1000} s`));
    const timer = setTimeout(late, readyMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    child.on("error", fail);
    child.on("exit", (code, signal) => fail(new Error(`it ended with ${signal ?? code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line !== READY) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * Starts a renewer in a session of its own, with nothing of our input and outputs, and waits until it says that it is ready. It
 * lives on when this process ends.
 *
 * @throws {RenewerError} when it ends first, or says nothing in time; it is killed then.
 */
export async function startRenewer(options: RenewerOptions): Promise<StartedRenewer> {
  let child: Child | null = null;
  try {
    child = spawnRenewer(
      withoutInherited(options.self ?? selfCommand(RENEWER_MODE)),
      options.log,
    );
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify({ job: options.job, secrets: options.secrets }));
    await ready(child, options.readyMs ?? 15_000);
  } catch (error) {
    child?.kill("SIGKILL");
    const why = error instanceof Error ? error.message : String(error);
    throw new RenewerError(
      `the background renewer did not come up: ${why}. Its log is ${options.log}`,
    );
  }
  child.stdout.destroy();
  child.unref();
  const pid = child.pid ?? 0;
  return { pid, startedAt: processStatus(pid)?.startedAt ?? null };
}

const READY = "ready";

/** What the renewer was given. */
export interface RenewerInput {
  /** As JSON gave it: its reader checks its shape. */
  readonly job: unknown;
  /** As they were sent. */
  readonly secrets: string;
}

/**
 * In the renewer: reads what {@link startRenewer} gave it, to the end of the pipe.
 *
 * @throws {RenewerError} when it was given something else, or not all of it.
 */
export async function readRenewerInput(): Promise<RenewerInput> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const part of process.stdin) text += part;
  try {
    const input: unknown = JSON.parse(text);
    if (
      typeof input === "object" && input !== null && "job" in input && "secrets" in input &&
      typeof input.secrets === "string"
    ) return { job: input.job, secrets: input.secrets };
  } catch {
    // Said below, without a word of what was read: it may be half a secret.
  }
  throw new RenewerError("this mode is for k8s-lock itself: its input is not what acquire sends");
}

/**
 * In the renewer: tells {@link startRenewer} that it may return. Nobody reads what is written to standard output after
 * this.
 */
export function signalReady(): void {
  process.stdout.on("error", () => {});
  process.stdout.write(`${READY}\n`);
}
