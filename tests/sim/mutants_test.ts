import { fileURLToPath } from "node:url";
import { MUTANTS, placeOf } from "./mutant_list.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("each bug that is put in on purpose still has its one place in the code", () => {
  for (const mutant of MUTANTS) placeOf(mutant, ROOT);
});
