/** Writes the list of faults and their tests into docs/evidence.md: `deno task evidence`. */
import { readFile, writeFile } from "node:fs/promises";
import { withTable } from "./table.ts";

const PAGE = new URL("../../docs/evidence.md", import.meta.url);
const EMPTY = `# What was checked

Every fault that the lock has to survive, what happens then, and which tests show it: by their file under \`tests/\` and a part of their
name. The rules that are kept by it are in [protocol.md](protocol.md).
`;

await writeFile(PAGE, withTable(await readFile(PAGE, "utf8").catch(() => EMPTY)));
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["fmt", "-q", PAGE.pathname],
}).output();
if (!success) throw new Error("the page could not be formatted");
