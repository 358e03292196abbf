/**
 * What `acquire` leaves for the later `release`, `verify` and `renew` of the same job: one file for each grant, written before
 * the first request that carries that grant. No credentials are in it.
 *
 * Beside the states a folder has marks: a **tombstone** says that a `release` has begun; a **stop file** ends the renewer
 * of one grant.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { parseJson } from "../lock/json.ts";
import { array, Damaged, flatten, integer, nullable, object, oneOf, text } from "../lock/parse.ts";
import type { Extra, Reader } from "../lock/parse.ts";
import { errorCode } from "./processes.ts";
import { cannot, checkFolder, ensureFolder, StateError } from "./state_folder.ts";

/** The format that this program writes, and the newest that it reads. */
export const STATE_VERSION = 1;

/**
 * - `asking`: it was or may have been asked for; no answer is certain yet.
 * - `held`: this job has it.
 * - `lost`: it had it, and lost it while it worked.
 * - `given_up`: it was given back, or never came to be held.
 */
export type Phase = "asking" | "held" | "lost" | "given_up";

/** How the store was reached: paths and names only, never what a login consists of. */
export interface ConnectionHint {
  /** The kubeconfig files, absolute; empty for in-cluster, for data given in a variable and for a local store. */
  readonly kubeconfig: readonly string[];
  /** The kubeconfig's context; null for its current one. */
  readonly context: string | null;
  /** Fields that this version does not know. */
  readonly extra?: Extra;
}

/** Why a lock was lost. */
export interface Loss {
  /** A sentence for people. */
  readonly why: string;
  /** Fields that this version does not know. */
  readonly extra?: Extra;
}

/** What is known of one grant. Times are ISO 8601, of the wall clock, for people. */
export interface LockState {
  /** The format: {@link STATE_VERSION}. */
  readonly version: number;
  /** The lock's name as its user wrote it. */
  readonly lock: string;
  /** The record: `secret/<namespace>/<name>`. */
  readonly object: string;
  /** What the folder was made from, too: the cluster, or the file of a local store. */
  readonly store_address: string;
  /** Null with a local store. */
  readonly namespace: string | null;
  /** The identity of this try to acquire. */
  readonly grant: string;
  /** Who holds it, for people. */
  readonly holder: string;
  /** Null until it is held. */
  readonly token: number | null;
  /** How far it has come. */
  readonly phase: Phase;
  /** Others may take it this long after the last renewal. */
  readonly ttl_seconds: number;
  /** Null until it is held. */
  readonly acquired_at: string | null;
  /** The background renewer; null without one. */
  readonly renewer_pid: number | null;
  /** When the renewer's process started, to tell it from a later one with its pid. */
  readonly renewer_started: string | null;
  /** The process whose end ends the renewing (`--watch-pid`). */
  readonly watch_pid: number | null;
  /** The CI's id of the job, for people. */
  readonly job: string | null;
  /** How `release` finds the store again. */
  readonly connection: ConnectionHint;
  /** When a renewal was last acknowledged. */
  readonly last_renewed_at: string | null;
  /** Why the last renewal failed; null when it did not. */
  readonly last_error: string | null;
  /** Null unless it was lost. */
  readonly lost: Loss | null;
  /** Fields that this version does not know, kept to be written back. */
  readonly extra?: Extra;
}

/** A file that is no state, and why. */
export interface DamagedState {
  /** Its path. */
  readonly file: string;
  /** A sentence for people. */
  readonly why: string;
}

/** The largest file that can be a state; the rest is not read. */
const MAX_BYTES = 65_536;
const STATE_FILE = /^([a-zA-Z0-9-]{1,128})\.json$/;

const line = text(4096);
const readConnection: Reader<ConnectionHint> = object<ConnectionHint>({
  kubeconfig: array(line, 64),
  context: nullable(line),
});
const readLoss: Reader<Loss> = object<Loss>({ why: line });
const readFields: Reader<LockState> = object<LockState>({
  version: integer(1),
  lock: line,
  object: line,
  store_address: line,
  namespace: nullable(line),
  grant: line,
  holder: line,
  token: nullable(integer(0)),
  phase: oneOf("asking", "held", "lost", "given_up"),
  ttl_seconds: integer(1),
  acquired_at: nullable(line),
  renewer_pid: nullable(integer(1)),
  renewer_started: nullable(line),
  watch_pid: nullable(integer(1)),
  job: nullable(line),
  connection: readConnection,
  last_renewed_at: nullable(line),
  last_error: nullable(line),
  lost: nullable(readLoss),
});

/** Reads a state's text strictly, or throws {@link Damaged}. */
function parseState(source: string): LockState {
  let value: unknown;
  try {
    value = parseJson(source);
  } catch {
    throw new Damaged("damaged", source === "" ? "it is empty" : "it is not JSON, or cut short");
  }
  if (typeof value === "object" && value !== null && "version" in value) {
    if (typeof value.version === "number" && value.version > STATE_VERSION) {
      throw new Damaged("newer", "it was written by a newer k8s-lock");
    }
  }
  return readFields(value, "state");
}

function place(folder: string, grant: string, ending: string): string {
  const name = `${grant}.${ending}`;
  if (!STATE_FILE.test(`${grant}.json`)) {
    throw new TypeError(`not a grant: ${JSON.stringify(grant)}`);
  }
  return join(folder, name);
}

/** What of the file system is used to write; tests give one that fails. */
export interface FileWriter {
  /** Makes a new file, for this user alone, that is on the disk when this returns. */
  write(path: string, content: string): void;
  /** Puts a file in the place of another, at once. */
  rename(from: string, to: string): void;
}

const realWriter: FileWriter = {
  write(path, content) {
    const file = openSync(path, "wx", 0o600);
    try {
      const bytes = new TextEncoder().encode(content);
      for (let written = 0; written < bytes.length;) {
        written += writeSync(file, bytes, written);
      }
      // On the disk before it takes the old one's place, so that a crash leaves the one or the other.
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  rename: renameSync,
};

/** `stands` is asked when the new content is on the disk: what was removed meanwhile is not made again. */
function writeWhole(
  path: string,
  content: string,
  files: FileWriter,
  stands: () => boolean = () => true,
): void {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    files.write(draft, content);
    if (stands()) files.rename(draft, path);
    else rmSync(draft, { force: true });
  } catch (error) {
    rmSync(draft, { force: true });
    throw cannot("write", path, error);
  }
}

/**
 * Writes the state of one grant, in the place of what was there: a reader sees the old or the new one, never a part. The
 * folder is made when it is not there.
 *
 * @throws {StateError} when it cannot be written: then nothing may be asked for with this grant.
 */
export function writeState(folder: string, state: LockState, files = realWriter): void {
  ensureFolder(folder);
  writeWhole(place(folder, state.grant, "json"), stateText(state), files);
}

function stateText(state: LockState): string {
  const stored = {
    ...flatten(state),
    connection: flatten(state.connection),
    lost: state.lost === null ? null : flatten(state.lost),
  };
  return `${JSON.stringify(stored, null, 2)}\n`;
}

/**
 * Changes the state of a grant whose renewer was not told to stop. One that a `release` has removed meanwhile stays removed.
 *
 * @throws {StateError} when it cannot be read or written.
 */
export function changeState(
  folder: string,
  grant: string,
  change: Partial<LockState>,
  files = realWriter,
): void {
  const state = readState(folder, grant);
  if (state === null) return;
  const path = place(folder, grant, "json");
  const stands = () => !isStopped(folder, grant) && existsSync(path);
  writeWhole(path, stateText({ ...state, ...change }), files, stands);
}

/** A file's text, or null when there is none. What is no plain file, or too long, is not read. */
function readWhole(path: string): string | null {
  try {
    const found = lstatSync(path);
    if (!found.isFile() || found.size > MAX_BYTES) {
      throw new Damaged("damaged", "it is no state file");
    }
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error instanceof Damaged ? error : cannot("read", path, error);
  }
}

/**
 * One grant's state as it stands, or null when there is none.
 *
 * @throws {StateError} when it is damaged, or cannot be read, or the folder is not ours.
 */
export function readState(folder: string, grant: string): LockState | null {
  if (!checkFolder(folder)) return null;
  const path = place(folder, grant, "json");
  try {
    const source = readWhole(path);
    return source === null ? null : parseState(source);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new StateError(`the state file ${path} cannot be used: ${error.message}`);
  }
}

/**
 * All states of a folder, and the files that should be states and are not. A folder that is not there has none.
 *
 * @throws {StateError} when the folder is not ours or cannot be read.
 */
export function readStates(folder: string): { states: LockState[]; damaged: DamagedState[] } {
  const states: LockState[] = [];
  const damaged: DamagedState[] = [];
  for (const name of filesOf(folder)) {
    const grant = STATE_FILE.exec(name)?.[1];
    if (grant === undefined) continue;
    const file = join(folder, name);
    try {
      const source = readWhole(file);
      // Removed since the folder was read.
      if (source === null) continue;
      const state = parseState(source);
      if (state.grant !== grant) throw new Damaged("damaged", "it is another grant's");
      states.push(state);
    } catch (error) {
      damaged.push({ file, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { states, damaged };
}

function filesOf(folder: string): string[] {
  if (!checkFolder(folder)) return [];
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw cannot("read the state folder", folder, error);
  }
}

/** Removes a grant's state and its stop file. Nothing happens when they are gone already. */
export function removeState(folder: string, grant: string): void {
  remove(place(folder, grant, "json"));
  remove(place(folder, grant, "stop"));
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw cannot("remove", path, error);
  }
}

function tombstonePlace(folder: string, key: string): string {
  const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
  return join(folder, `${name}.tombstone`);
}

/**
 * Says that a `release` has begun: an `acquire` that is still under way gives back what it gets.
 *
 * @param key what is given back: a grant, a record (`secret/<namespace>/<name>`), or any other word that both sides use.
 * @throws {StateError} when it cannot be written.
 */
export function tombstone(folder: string, key: string): void {
  ensureFolder(folder);
  writeWhole(tombstonePlace(folder, key), randomUUID(), realWriter);
}

/**
 * The tombstones that stand for these keys, as one text to compare: an `acquire` notes it when it begins, and when it reads
 * another one later, a `release` has begun meanwhile. (An older tombstone is no business of its own: a job may release and
 * acquire again.)
 */
export function tombstones(folder: string, keys: readonly string[]): string {
  if (!checkFolder(folder)) return "";
  return keys.map((key) => readWhole(tombstonePlace(folder, key)) ?? "").join(",");
}

/**
 * Tells a grant's renewer to stop.
 *
 * @throws {StateError} when it cannot be written.
 */
export function stopRenewer(folder: string, grant: string): void {
  ensureFolder(folder);
  writeWhole(place(folder, grant, "stop"), "", realWriter);
}

/** True when a grant's renewer is to stop: it was told so, or the folder, and with it the job, is gone. */
export function isStopped(folder: string, grant: string): boolean {
  return !existsSync(folder) || existsSync(place(folder, grant, "stop"));
}

/** What is older than this beside no state is of no use to anybody. */
const STALE_MS = 7 * 24 * 3600 * 1000;

/** Removes the old tombstones, stop files and logs whose state is gone: a machine lives longer than its jobs. */
export function removeStale(folder: string, now: number = Date.now()): void {
  const names = filesOf(folder);
  for (const name of names) {
    const [, grant, ending] = /^([a-zA-Z0-9-]+)\.(tombstone|stop|log)$/.exec(name) ?? [];
    if (grant === undefined || ending === undefined || names.includes(`${grant}.json`)) continue;
    const path = join(folder, name);
    try {
      if (now - lstatSync(path).mtimeMs > STALE_MS) rmSync(path, { force: true });
    } catch {
      // It is another's affair, or gone: nothing depends on it.
    }
  }
}

/** Where a grant's renewer writes its log. */
export function renewerLog(folder: string, grant: string): string {
  return place(folder, grant, "log");
}
