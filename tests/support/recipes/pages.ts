/** The pages of docs/recipes, and the files that readers copy from them: blocks whose first line says ` ```yaml file=NAME `. */
import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../../docs/recipes/", import.meta.url);

/** A page, by its file's name. */
export interface Page {
  readonly name: string;
  readonly text: string;
}

/** A file to copy. */
export interface RecipeFile {
  readonly page: string;
  readonly name: string;
  readonly language: string;
  readonly text: string;
}

/** All pages, the index included. */
export function pages(): Page[] {
  return readdirSync(FOLDER).filter((name) => name.endsWith(".md")).sort().map((name) => ({
    name,
    text: readFileSync(new URL(name, FOLDER), "utf8"),
  }));
}

/** The files of a page, in its order; a name can come twice, as variants of the same file. */
export function filesOf({ name: page, text }: Page): RecipeFile[] {
  return [...text.matchAll(/^```(\w+) file=(\S+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", name = "", block = ""]) => ({ page, name, language, text: block }),
  );
}

/** The `variant`th (from 0) file of that name on that page. Throws when the page has none. */
export function recipeFile(page: string, name: string, variant = 0): RecipeFile {
  const own = pages().find((one) => one.name === page);
  const found = own && filesOf(own).filter((file) => file.name === name)[variant];
  if (found === undefined) throw new Error(`docs/recipes/${page} has no ${name} number ${variant}`);
  return found;
}

/** The sentences of a page's table about whose lock it is: what stands in `for example` of that row, without its quotes. */
export function identityOf(page: string, row: "holder" | "record"): string {
  const text = pages().find((one) => one.name === page)?.text ?? "";
  const found = new RegExp(`^\\| ${row} +\\| \`([^\`]+)\``, "m").exec(text)?.[1];
  if (found === undefined) throw new Error(`docs/recipes/${page} does not say the ${row}`);
  return found;
}
