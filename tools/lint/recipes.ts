/** The files of docs/recipes as files, for the linters: workflows, and shell scripts, also those that stand in other products' YAML. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { filesOf, pages } from "../../tests/support/recipes/pages.ts";
import type { RecipeFile } from "../../tests/support/recipes/pages.ts";

/** The keys under which the products have shell: a line, several lines, or a list of them. */
const SHELL_KEYS = new Set(["before_script", "script", "after_script", "command", "run"]);

/** Writes them below `folder`, each in a folder that says its page. Returns their paths. */
export async function writeRecipes(
  folder: string,
): Promise<{ readonly workflows: readonly string[]; readonly shell: readonly string[] }> {
  const workflows: string[] = [];
  const shell: string[] = [];
  for (const [index, file] of pages().flatMap(filesOf).entries()) {
    const at = join(folder, file.page, `${index}`);
    await mkdir(at, { recursive: true });
    const put = async (name: string, text: string) => {
      const path = join(at, name);
      await writeFile(path, text);
      return path;
    };
    const name = file.name.slice(file.name.lastIndexOf("/") + 1);
    if (file.name.startsWith(".github/workflows/")) workflows.push(await put(name, file.text));
    else if (file.language === "sh") shell.push(await put(`${name}.sh`, withShebang(file.text)));
    else {
      for (const [count, script] of scriptsIn(file).entries()) {
        shell.push(await put(`${count}.sh`, script));
      }
    }
  }
  if (workflows.length === 0 || shell.length === 0) throw new Error("the recipes have no files");
  return { workflows, shell };
}

function withShebang(text: string): string {
  return text.startsWith("#!") ? text : `#!/bin/sh\n${text}`;
}

function scriptsIn(file: RecipeFile): string[] {
  if (file.language === "groovy") {
    return [...file.text.matchAll(/^ *sh '([^']*)'$/gm)].map(([, line]) => `#!/bin/sh\n${line}\n`);
  }
  if (file.language === "crontab") {
    return [...file.text.matchAll(/^(?:[*\d/]+\s+){5}\w+\s+(.*)$/gm)].map(([, line]) =>
      `#!/bin/sh\n${line}\n`
    );
  }
  if (file.language !== "yaml") return [];
  const scripts: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, one] of Object.entries(value)) {
      const lines = typeof one === "string" ? [one] : Array.isArray(one) ? one : [];
      // A container's command is a list of words, not of lines.
      const isShell = SHELL_KEYS.has(key) && !("image" in value && "args" in value) &&
        lines.every((line) => typeof line === "string");
      if (isShell && lines.length > 0) scripts.push(bash(lines, file));
      else look(one);
    }
  };
  look(loadAll(file.text));
  return scripts;
}

function bash(lines: readonly string[], { page }: RecipeFile): string {
  // Buildkite's upload makes one dollar of two.
  const text = page === "buildkite.md" ? lines.join("\n").replaceAll("$$", "$") : lines.join("\n");
  return `#!/bin/bash\n${text}\n`;
}
