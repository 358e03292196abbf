/** The project's own text files, for tests of how they are written. */
import { fileURLToPath } from "node:url";

/** A file, by its path within the project. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

const ROOT = new URL("../../", import.meta.url);
// Not ours, or made by tools.
const LEFT_OUT = new Set([".git", "node_modules", "dist", "coverage"]);
const TEXT_ENDINGS = /\.(ts|js|mjs|sh|json|jsonc|lock|md|ya?ml|mod|sum|html|css|toml)$/;

/** All text files under `folder` ("" for the whole project), or the file of that name. */
export function textFiles(...folders: readonly string[]): TextFile[] {
  return folders.flatMap((folder) => [...walk(folder)]);
}

function* walk(path: string): Generator<TextFile> {
  const url = new URL(path, ROOT);
  if (!Deno.statSync(url).isDirectory) {
    if (TEXT_ENDINGS.test(path)) yield { path, text: Deno.readTextFileSync(url) };
    return;
  }
  const folder = path === "" ? "" : `${path}/`;
  for (const entry of Deno.readDirSync(fileURLToPath(url))) {
    if (!LEFT_OUT.has(entry.name) && !entry.isSymlink) yield* walk(`${folder}${entry.name}`);
  }
}

/** Each line of `files` that has a match of `pattern`, as `path:line: the line`. */
export function linesWith(pattern: RegExp, files: readonly TextFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) =>
      pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []
    )
  );
}
