/** Writes docs/evidence.md from the lists in this folder: `deno task evidence`. */
import { writeFile } from "node:fs/promises";
import { page } from "./page.ts";

const PAGE = new URL("../../docs/evidence.md", import.meta.url);

await writeFile(PAGE, page());
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["fmt", "-q", PAGE.pathname],
}).output();
if (!success) throw new Error("the page could not be formatted");
