/**
 * What one use of the GitHub action leaves for its end: a private folder with one file, which says what was asked for and how the store
 * was reached. By then the job may have changed its PATH, its KUBECONFIG and its logins, and `acquire` may have been killed in the
 * middle: so the connection is frozen in it (that is the secret part, and why nobody else may read it), and each grant stands in it before the
 * first request that carries the grant.
 *
 * The action's post step, which needs no package and no program of ours, reads it too: its fields are part of the action.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, Damaged, integer, nullable, object, oneOf, text } from "../lock/parse.ts";
import type { Extra, Reader } from "../lock/parse.ts";
import type { WhereOptions } from "./options.ts";

/** A kubeconfig as it was when the lock was taken. */
export interface FrozenText {
  /** What people call it: a path, or a variable's name. */
  readonly from: string;
  /** The whole of it: a secret. */
  readonly text: string;
  /** What relative paths in it are relative to. */
  readonly folder: string;
  /** Fields that this version does not know. */
  readonly extra?: Extra;
}

/** A variable of the environment. */
export interface Variable {
  /** Its name. */
  readonly name: string;
  /** As it was when the lock was taken. */
  readonly value: string;
  /** Fields that this version does not know. */
  readonly extra?: Extra;
}

/** What one use of the action is about, and how far it has come. */
export interface Journal {
  /** The format. */
  readonly version: number;
  /** The lock's name as its user wrote it. */
  readonly lock: string;
  /** The record's exact name. */
  readonly object: string;
  /** Where the lock is kept. */
  readonly store: WhereOptions["store"];
  /** The file of a local store. */
  readonly local_path: string;
  /** Null with a local store. */
  readonly namespace: string | null;
  /** The kubeconfig's context; null for its current one. */
  readonly context: string | null;
  /** The kubeconfigs; empty where there is none: a local store, a pod's service account. */
  readonly kubeconfig: readonly FrozenText[];
  /** What the kubeconfig's login plugin sees; empty where there is none. */
  readonly environment: readonly Variable[];
  /** Where the job's states are, with the stop files of their renewers. */
  readonly state_folder: string;
  /** Others may take the lock so long after its last renewal. */
  readonly ttl_seconds: number;
  /** What others may do when it is not renewed any more. */
  readonly on_expiry: "takeover" | "verify" | "never";
  /** Commands for people, to look at the lock and to take it away. */
  readonly commands: readonly string[];
  /** All that were asked for, the last one last. */
  readonly grants: readonly string[];
  /** `asking`: it may hold; `held`; `over`: there is nothing to give back. */
  readonly phase: "asking" | "held" | "over";
  /** Fields that this version does not know. */
  readonly extra?: Extra;
}

const FILE = "journal.json";
/** Its presence says that the giving back has begun. */
const MARK = "giving-back";
const VERSION = 1;
/** Where the folders of all uses of the action in one job are, below RUNNER_TEMP. */
const BASE = "k8s-lock";

const line = text(4096);
const read: Reader<Journal> = object<Journal>({
  version: integer(1, VERSION),
  lock: line,
  object: line,
  store: oneOf("secret", "local"),
  local_path: line,
  namespace: nullable(line),
  context: nullable(line),
  kubeconfig: array(
    object<FrozenText>({ from: line, text: text(8 * 1024 * 1024), folder: line }),
    64,
  ),
  environment: array(object<Variable>({ name: line, value: text(1024 * 1024) }), 10_000),
  state_folder: line,
  ttl_seconds: integer(1),
  on_expiry: oneOf("takeover", "verify", "never"),
  commands: array(line, 16),
  grants: array(line, 10_000),
  phase: oneOf("asking", "held", "over"),
});

/** The journal in the folder, or null when there is none. Throws {@link Damaged}. */
export function readJournal(folder: string): Journal | null {
  const file = join(folder, FILE);
  if (!existsSync(file)) return null;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new Damaged("damaged", `${file} cannot be read`);
  }
  return read(value, file);
}

/** The journals of this job whose lock was taken and not given back, as far as they can be read. */
export function openJournals(runnerTemp: string): Journal[] {
  return journalsOf(runnerTemp).map(({ journal }) => journal);
}

/** That grant needs not be given back any more. */
export function endJournals(runnerTemp: string, grant: string): void {
  for (const { folder, journal } of journalsOf(runnerTemp)) {
    if (journal.grants.at(-1) === grant) endJournal(folder, journal);
  }
}

/** Nothing of it needs to be given back any more. Where that cannot be written, the end looks once more, and finds nothing. */
export function endJournal(folder: string, journal: Journal): void {
  try {
    writeJournal(folder, { ...journal, phase: "over" });
  } catch {
    // A full disk.
  }
}

function journalsOf(runnerTemp: string): { folder: string; journal: Journal }[] {
  const base = join(runnerTemp, BASE);
  const names = existsSync(base) ? readdirSync(base) : [];
  return names.filter((name) => name.startsWith("action-")).flatMap((name) => {
    const folder = join(base, name);
    try {
      const journal = readJournal(folder);
      return journal?.phase === "held" ? [{ folder, journal }] : [];
    } catch {
      // Another's, or half removed: nothing of it can be used.
      return [];
    }
  });
}

/**
 * Says that from now on nobody may take the lock for this use of the action any more. Where that cannot be written, whoever still tries to take it
 * cannot write either, and asks for nothing more.
 */
export function beginGivingBack(folder: string): void {
  try {
    writeFileSync(join(folder, MARK), "");
  } catch {
    // A full disk, or one that may not be written to any more.
  }
}

/** A journal that is being written. */
export class JournalKeeper {
  #journal: Journal;

  /** Nothing is written yet. */
  constructor(
    readonly folder: string,
    readonly release: "post" | "never",
    start: Omit<Journal, "version" | "grants" | "phase">,
  ) {
    this.#journal = { ...start, version: VERSION, grants: [], phase: "asking" };
  }

  /** A grant is about to be asked for. Throws when that cannot be written: then it must not be. */
  ask(grant: string): void {
    const { grants } = this.#journal;
    this.#write({ ...this.#journal, grants: [...grants, grant], phase: "asking" });
  }

  /** The last grant holds: with `post` it is to be given back at the job's end. */
  hold(): void {
    this.#write({ ...this.#journal, phase: this.release === "post" ? "held" : "over" });
  }

  /** Nothing is left to be given back. */
  end(): void {
    this.#write({ ...this.#journal, phase: "over" });
  }

  /** The giving back has begun, or it is over and all of it gone. */
  get isGivenBack(): boolean {
    return existsSync(join(this.folder, MARK)) || !existsSync(this.folder);
  }

  #write(journal: Journal): void {
    this.#journal = journal;
    writeJournal(this.folder, journal);
  }
}

/** Puts the journal in the place of the one before, whole or not at all. */
export function writeJournal(folder: string, journal: Journal): void {
  const draft = join(folder, `${FILE}.new`);
  writeFileSync(draft, JSON.stringify(journal), { mode: 0o600 });
  renameSync(draft, join(folder, FILE));
}
