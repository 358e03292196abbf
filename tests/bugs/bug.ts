/** What a deliberate bug is, and how it gets into a copy of the lock. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A promise of docs/protocol.md, or what else people rely on. */
export type Promised =
  | "exclusion"
  | "no stuck lock"
  | "fairness"
  | "fencing"
  | "idempotence"
  /** What others may do about a silent holder is what it asked for. */
  | "policy"
  /** Turns go by run number where version 3 shares the lock. */
  | "order by number"
  /** What a person did or has to be told. */
  | "people"
  /** Nobody asks a server more often than it takes. */
  | "restraint";

/** One text of the lock, and what stands there instead. */
export interface Edit {
  /** Exact, and in one place only. */
  readonly from: string;
  readonly to: string;
}

/** A bug that somebody might make. Nothing of it is in the lock: it is put into a copy. */
export interface Bug extends Edit {
  readonly name: string;
  /** The promise that does not hold any more. */
  readonly breaks: Promised;
  /** What takes more than one edit, all in the file of the first. */
  readonly also?: readonly Edit[];
  /** Its file, where that is not one of those that simulation and model run. */
  readonly file?: string;
  /** What it uses that its file does not import: lines for the file's head. */
  readonly imports?: string;
  /** Where the small model looks for it, if not where it looks for all others. */
  readonly model?: Scenery;
  /** Why neither the simulation nor the model can see it, where that is so. */
  readonly unitOnly?: string;
  /** True when it was thought up from docs/protocol.md and the code by somebody who had not seen the tests. */
  readonly stranger?: true;
  /** What was added because nothing caught it at first. */
  readonly survived?: string;
}

/** A scene of the small model, with so many faults at most, and of these kinds alone where some are named. */
export interface Scenery {
  readonly scene: string;
  readonly faults: number;
  readonly only?: readonly string[];
}

/** Where bugs may be: what the simulation and the model run. */
function places(root: string): string[] {
  const lock = readdirSync(join(root, "lib/lock")).map((file) => `lib/lock/${file}`);
  return [...lock, "lib/store/memory_store.ts"];
}

/**
 * The file of the project in `root` that a bug changes.
 *
 * Throws when its text does not stand in exactly one place: the code has moved on, and the bug has to follow.
 */
export function placeOf({ name, from, file }: Bug, root: string): string {
  const found = (file === undefined ? places(root) : [file]).flatMap((file) =>
    readFileSync(join(root, file), "utf8").split(from).slice(1).map(() => file)
  );
  const [place, ...others] = found;
  if (place === undefined || others.length > 0) {
    throw new Error(`bug "${name}": its text stands in ${found.length} places`);
  }
  return place;
}

/** `original`, the text of the bug's file, with the bug in it. Throws where a text does not stand in it just once. */
export function withBug({ name, from, to, also = [], imports }: Bug, original: string): string {
  const changed = [{ from, to }, ...also].reduce((text, edit) => {
    const parts = text.split(edit.from);
    if (parts.length !== 2) {
      throw new Error(`bug "${name}": "${edit.from}" stands in ${parts.length - 1} places`);
    }
    return parts.join(edit.to);
  }, original);
  return imports === undefined ? changed : `${imports}\n${changed}`;
}
