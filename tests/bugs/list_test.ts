import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { placeOf, withBug } from "./bug.ts";
import { ROOT } from "./copy.ts";
import { BUGS } from "./list.ts";

Deno.test("each deliberate bug still has its one place in the lock, and a name of its own", () => {
  for (const bug of BUGS) withBug(bug, readFileSync(join(ROOT, placeOf(bug, ROOT)), "utf8"));
  assertEquals(new Set(BUGS.map(({ name }) => name)).size, BUGS.length);
});
