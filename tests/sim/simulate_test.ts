import { assert, assertEquals, assertMatch } from "@std/assert";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { placeOf, withBug } from "../bugs/bug.ts";
import { BUGS } from "../bugs/list.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The project in a folder of its own, with a bug in it. */
async function projectWith(name: string): Promise<AsyncDisposable & { readonly folder: string }> {
  const bug = BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`there is no bug "${name}"`);
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-simulate-"));
  for (
    const path of ["lib", "tests/sim", "tests/lock", "tests/support", "deno.json", "deno.lock"]
  ) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true });
  }
  const path = join(folder, placeOf(bug, folder));
  await writeFile(path, withBug(bug, await readFile(path, "utf8")));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** What `deno task simulate` prints, and its exit code. */
function simulate(
  folder: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<
    { readonly code: number | null; readonly output: string }
  >();
  const child = spawn(
    process.execPath,
    ["run", "-A", "--no-check", "tests/sim/main.ts", ...args],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  );
  let output = "";
  child.stdout.on("data", (piece) => output += piece);
  child.stderr.on("data", (piece) => output += piece);
  child.on("error", reject);
  child.on("close", (code) => resolve({ code, output }));
  return promise;
}

/** The words of a command line as a shell takes them apart. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare = ""]) => quoted ?? bare);
}

Deno.test("a bug by which two work at once is found, and told as a story with few clients and mishaps that can be made again", async () => {
  await using project = await projectWith("nobody waits after the deletion of a record");
  const { code, output } = await simulate(project.folder, ["--seeds", "1-3000"]);
  assertEquals(code, 1, output);
  const [, clients, mishaps] = /clients (\d+) \(.*mishaps (\d+) \(/.exec(output) ?? [];
  assert(Number(clients) <= 3, output);
  assert(Number(mishaps) <= 4, output);
  const [overlap, late, early] = /(\S+) works while (\S+) does/.exec(output) ?? [];
  // The story shows when each began to work, and whose hand the record was lost by.
  for (const who of [early, late]) {
    assertMatch(output, new RegExp(`^ +\\d+\\.\\d{3} s +${who} +work begins with token`, "m"));
  }
  assertMatch(output, / s +! +\S+ \d+: the record is deleted$/m);
  assertMatch(output, new RegExp(`^ +=> ${overlap}$`, "m"));
  const [, again = ""] = /^Again: deno task simulate (.*)$/m.exec(output) ?? [];
  const replay = await simulate(project.folder, words(again));
  assertEquals(replay.code, 1);
  assertMatch(replay.output, new RegExp(`^seed \\d+: ${overlap}$`, "m"));
});

Deno.test("many seeds are run on all cores, counted and timed; a table says what met what", async () => {
  const { code, output } = await simulate(ROOT, ["--seeds", "1-120", "--table"]);
  assertEquals(code, 0, output);
  assertMatch(output, /^120 runs of chaos in \d+\.\d{3} s$/m);
  assertMatch(output, /^\| fault +\| +read \|.*\| clear away \|$/m);
  assertMatch(output, /^\| stale list +\|.*— \(\d\)/m);
});

Deno.test("what cannot be simulated is refused", async () => {
  for (
    const args of [
      ["--seeds", "9-1"],
      ["--seed", "x"],
      ["--play", "poker"],
      ["--hours", "-1"],
      ["--clients"],
      ["--nonsense"],
    ]
  ) {
    const { code, output } = await simulate(ROOT, args);
    assertEquals(code, 2, `${args}: ${output}`);
    assert(output.trim().split("\n").length <= 3, output);
  }
});
