/**
 * Where the state of `acquire` lies, so that `release`, `verify` and `renew` of the same job find it and nobody else's
 * job does.
 */
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { errorCode, processStatus } from "./processes.ts";

/** The local state cannot be used (exit 15). `message` is a sentence for people. */
export class StateError extends Error {
  /** What kind of error it is. */
  override readonly name = "StateError";
}

/** What decides which folder is this job's. */
export interface StateFolderOptions {
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The store that the locks are in: the cluster's address and namespace, or the path of the local file. */
  readonly storeAddress: string;
  /** The CI's own id of this job, or null outside a CI. */
  readonly jobId: string | null;
  /** The login session ({@link sessionId}); asked where there is no job id. */
  readonly sessionId: string;
  /** The folder that relative paths start from. */
  readonly cwd?: string;
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}

/** Where a user's programs keep what they know between two starts. */
function userFolder(env: StateFolderOptions["env"]): string {
  if (process.platform === "win32") {
    return join(nonEmpty(env.LOCALAPPDATA) ?? join(homedir(), "AppData", "Local"), "k8s-lock");
  }
  const runtime = nonEmpty(env.XDG_RUNTIME_DIR);
  // A container may name one that nobody has made.
  if (runtime !== null && isFolder(runtime)) return join(runtime, "k8s-lock");
  return join(nonEmpty(env.XDG_STATE_HOME) ?? join(homedir(), ".local", "state"), "k8s-lock");
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The folder of one store and one job: under `$K8S_LOCK_STATE_DIR`, which *is* the job then, else by job in `$RUNNER_TEMP`,
 * else in the user's runtime or state folder. Nothing is made or looked at.
 */
export function stateFolder(options: StateFolderOptions): string {
  const { env, storeAddress, jobId, sessionId } = options;
  const cwd = options.cwd ?? process.cwd();
  const named = nonEmpty(env.K8S_LOCK_STATE_DIR);
  const job = named !== null ? "folder" : jobId !== null ? `job ${jobId}` : `session ${sessionId}`;
  const name = createHash("sha256").update(`${storeAddress}\n${job}`).digest("hex").slice(0, 32);
  if (named !== null) return join(resolve(cwd, named), name);
  const temp = nonEmpty(env.RUNNER_TEMP);
  return join(temp === null ? userFolder(env) : join(resolve(cwd, temp), "k8s-lock"), name);
}

/**
 * The caller's login session: what all commands that a person types at one prompt, or one script's, have in common. It is the
 * session's id with the start of its leader, as far as that lives, because ids are used again.
 */
export function sessionId(pid: number = process.ppid): string {
  const status = processStatus(pid);
  if (status === null) return `parent ${pid}`;
  if (status.session === 0 && status.terminal !== null) return `terminal ${status.terminal}`;
  // Without a terminal nobody gives each command a group of its own: then the group is as good.
  const id = status.session === 0 ? status.group : status.session;
  return `${id} ${processStatus(id)?.startedAt ?? ""}`;
}

/**
 * Makes the folder, for this user only, and makes sure that it is this user's: in a temporary folder that all share another
 * may have made it first, to read or replace what is in it.
 *
 * @throws {StateError} when it cannot be made, or is another's.
 */
export function ensureFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw cannot("make the state folder", folder, error);
  }
  checkFolder(folder);
}

/**
 * Makes a folder with those above it; one that is there stays as it is, also when another process makes it meanwhile. Node's own
 * `recursive` never ends in a place such as /proc, which answers that the folder above is missing while it is there.
 */
function makeFolder(folder: string): void {
  try {
    makeOne(folder);
  } catch (error) {
    const above = dirname(folder);
    if (errorCode(error) !== "ENOENT" || above === folder) throw error;
    makeFolder(above);
    makeOne(folder);
  }
}

function makeOne(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !isFolder(folder)) throw error;
  }
}

/**
 * Makes sure that a folder that is there is this user's.
 *
 * @returns false when there is no such folder.
 * @throws {StateError} when it is another user's, or others may write in it, or it is no folder.
 */
export function checkFolder(folder: string): boolean {
  let found;
  try {
    found = lstatSync(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw cannot("read the state folder", folder, error);
  }
  const refuse = (why: string) =>
    new StateError(`the state folder ${folder} ${why}: it is not used. ${ADVICE}`);
  if (!found.isDirectory()) throw refuse("is not a folder");
  const user = process.getuid?.();
  if (user === undefined || process.platform === "win32") return true;
  if (found.uid !== user) throw refuse(`belongs to another user (id ${found.uid}, not ${user})`);
  if ((found.mode & 0o022) !== 0) throw refuse("can be written by other users");
  return true;
}

const ADVICE = "Set K8S_LOCK_STATE_DIR to a folder that only this user can write";

/** What a failed access to a file of ours becomes. */
export function cannot(what: string, path: string, error: unknown): StateError {
  const causes: Readonly<Record<string, string>> = {
    EACCES: "this user has no right to it",
    EPERM: "this user has no right to it",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    EDQUOT: "the disk quota is used up",
    ENOTDIR: "a part of the path is a file",
  };
  const reason = error instanceof Error ? error.message : String(error);
  return new StateError(`cannot ${what} ${path}: ${causes[errorCode(error)] ?? reason}. ${ADVICE}`);
}
