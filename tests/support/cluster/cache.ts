/** The folder of what is built once and used by every clone, and who may write into it. */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

/** `$XDG_CACHE_HOME/k8s-lock`, else `~/.cache/k8s-lock`. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] || join(process.env["HOME"] || homedir(), ".cache");
  return join(base, "k8s-lock");
}

/** The folder of one component, keyed by everything that makes its bytes differ. */
export function componentFolder(component: string, version: string): string {
  return join(cacheFolder(), `${component}-${version}-${process.platform}-${process.arch}`);
}

/**
 * Makes `folder` with what `build` puts into it, once: where it exists, nothing is built.
 *
 * It appears complete or not at all (built beside it, then renamed). Of several processes that want it
 * at once one builds, the others wait for it.
 */
export async function builtOnce(
  folder: string,
  build: (into: string) => Promise<void>,
): Promise<string> {
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  // A lock of the kernel's (flock): it ends with its process, so a killed builder leaves nothing behind.
  // Only Deno offers one, node:fs does not; these are tests, which run on Deno.
  using lock = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (await exists(folder)) return folder;
  const prefix = `${folder}.building-`;
  await removeAll(prefix); // of builders that were killed: a living one would hold the lock
  const temporary = await mkdtemp(prefix);
  try {
    await build(temporary);
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

async function removeAll(prefix: string): Promise<void> {
  const folder = dirname(prefix);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (path.startsWith(prefix)) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
