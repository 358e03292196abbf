/** What is recorded of the bugs: tests/evidence/bugs.json. */
import { readFileSync, writeFileSync } from "node:fs";
import type { CaughtBug } from "./catch.ts";
import { BUGS } from "./list.ts";

const FILE = new URL("../evidence/bugs.json", import.meta.url);

/** All that is recorded. */
export function recorded(): CaughtBug[] {
  try {
    return JSON.parse(readFileSync(FILE, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Records `bugs` in place of what was recorded of them; what is no bug of the list any more is taken off. */
export function record(bugs: readonly CaughtBug[]): void {
  const all = new Map([...recorded(), ...bugs].map((bug) => [bug.name, bug]));
  const listed = BUGS.flatMap(({ name }) => all.get(name) ?? []);
  writeFileSync(FILE, `${JSON.stringify(listed, null, 2)}\n`);
}
