/** A wall clock that tests may set for one process: libfaketime, where this system has it or Debian gives it. */
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { builtOnce, componentFolder } from "./cluster/cache.ts";

let found: Promise<string | null> | undefined;

/** The path of the library; null where there is none. Asked of Debian's archive once for each user's cache. */
export function findFakeTime(): Promise<string | null> {
  return found ??= search();
}

/** The wall clock of one process and of what it starts. Their monotonic clock runs on as it does. */
export class WallClock implements AsyncDisposable {
  /** For the process. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(library: string, folder: string) {
    this.#folder = folder;
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: join(folder, "offset"),
      // Each look at the clock reads the file, so that a jump is seen at once.
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DISABLE_SHM: "1",
      NO_FAKE_STAT: "1",
    };
  }

  /** That is off by so many seconds. */
  static async off(seconds: number): Promise<WallClock | null> {
    const library = await findFakeTime();
    if (library === null) return null;
    const clock = new WallClock(library, await mkdtemp(join(tmpdir(), "k8s-lock-clock-")));
    await clock.jump(seconds);
    return clock;
  }

  /** From now on it is off by so many seconds. */
  async jump(seconds: number): Promise<void> {
    const file = join(this.#folder, "offset");
    await writeFile(`${file}.new`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}\n`);
    await rename(`${file}.new`, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function search(): Promise<string | null> {
  if (process.platform !== "linux") return null;
  return await libraryIn("/") ?? await download().catch(() => null);
}

async function libraryIn(root: string): Promise<string | null> {
  const libraries = join(root, "usr", "lib");
  for (const folder of await readdir(libraries).catch(() => [])) {
    const path = join(libraries, folder, "faketime", "libfaketime.so.1");
    if (await works(path)) return path;
  }
  return null;
}

/** Whether Deno, under this library, has another date and the same monotonic clock. */
async function works(library: string): Promise<boolean> {
  const { stdout } = await run(process.execPath, [
    "eval",
    "console.log(new Date().getUTCFullYear())",
  ], {
    env: {
      LD_PRELOAD: library,
      FAKETIME: "@2001-02-03 04:05:06",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  return stdout.trim() === "2001";
}

/** Debian's package, unpacked beside what else tests need. */
async function download(): Promise<string | null> {
  const folder = await builtOnce(componentFolder("libfaketime", "debian"), async (into) => {
    if (!(await run("apt-get", ["download", "libfaketime"], { cwd: into })).success) {
      throw new Error("apt-get has no libfaketime");
    }
    for (const name of await readdir(into)) await run("dpkg-deb", ["-x", join(into, name), into]);
  });
  return await libraryIn(folder);
}

async function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<{ readonly success: boolean; readonly stdout: string }> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      ...options,
    }).output();
    return { success, stdout: new TextDecoder().decode(stdout) };
  } catch {
    return { success: false, stdout: "" };
  }
}
