/** Publishing, with a repository on this disk for GitHub's and a stand-in for its command line: what fails is run again. */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";
import { TARGETS } from "../../tools/release/targets.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const TAG = `v${VERSION}`;
/** What publishing reads of the project. */
const NEEDED = ["action.yml", "action/release.txt", "deno.json", "deno.lock", "lib/cli/version.ts"];

/** Keeps a release in a folder, as `gh release` shows it; fails in the command that $FAIL names. */
const GH = `#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>"$SITE/asked"
[ "$1 $2" != "\${FAIL:-}" ] || { echo "HTTP 502" >&2; exit 1; }
case "$1 $2" in
"release view")
  [ -e "$SITE/release/state" ] || { echo "release not found" >&2; exit 1; }
  [ "$(cat "$SITE/release/state")" = draft ] && echo true || echo false ;;
"release create")
  git ls-remote --exit-code --tags origin "refs/tags/$3" >/dev/null
  mkdir -p "$SITE/release/files"; echo draft >"$SITE/release/state" ;;
"release upload") [ "$(cat "$SITE/release/state")" = draft ]; cp "\${@:5}" "$SITE/release/files/" ;;
"release edit") echo published >"$SITE/release/state" ;;
"release download") mkdir -p "$5"; cp "$SITE"/release/files/* "$5/" ;;
"api repos/acme/k8s-lock/releases/tags/"*) echo "\${IMMUTABLE:-true}" ;;
*) echo "gh $*: not known here" >&2; exit 1 ;;
esac
`;

class Site implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async create(): Promise<Site> {
    const site = new Site(await mkdtemp(join(tmpdir(), "k8s-lock-publish-")));
    for (const name of ["bin", "assets", "clone"]) await mkdir(join(site.folder, name));
    const tools = (await readdir(join(PROJECT, "tools/release"))).map((name) =>
      `tools/release/${name}`
    );
    for (const file of [...NEEDED, "tools/bundle.ts", ...tools]) {
      const to = join(site.clone, file);
      await mkdir(dirname(to), { recursive: true });
      await cp(join(PROJECT, file), to);
    }
    await writeFile(join(site.folder, "bin/gh"), GH, { mode: 0o755 });
    await Deno.symlink(Deno.execPath(), join(site.folder, "bin/deno"));
    await site.git("init", "--quiet", "--initial-branch=main");
    await site.git("add", ".");
    await site.git("commit", "--quiet", "-m", "what is built");
    await site.run("git", ["init", "--quiet", "--bare", "../origin.git"]);
    await site.git("remote", "add", "origin", "../origin.git");
    await site.git("push", "--quiet", "origin", "main");
    const names = [...TARGETS.map(({ archive }) => archive), "k8s-lock.js"];
    const sums = names.map((name) =>
      `${createHash("sha256").update(name).digest("hex")}  ${name}\n`
    );
    for (const name of names) await writeFile(join(site.assets, name), name);
    await writeFile(join(site.assets, "SHA256SUMS"), sums.join(""));
    return site;
  }

  get clone(): string {
    return join(this.folder, "clone");
  }
  get assets(): string {
    return join(this.folder, "assets");
  }

  async run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = new Deno.Command(command, {
      args: [...args],
      cwd: this.clone,
      env: {
        PATH: `${join(this.folder, "bin")}:${process.env["PATH"]}`,
        SITE: this.folder,
        GH_TOKEN: "token",
        GITHUB_REPOSITORY: "acme/k8s-lock",
        ...env,
      },
    });
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  async git(...args: readonly string[]): Promise<string> {
    const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    const { code, stdout, stderr } = await this.run("git", [...who, ...args]);
    assertEquals(code, 0, stderr);
    return stdout.trim();
  }

  publish(env: Readonly<Record<string, string>> = {}) {
    return this.run("bash", ["tools/release/publish.sh", this.assets], env);
  }

  /** The commit that a tag of the repository names; empty for none. */
  async tag(name: string): Promise<string> {
    return (await this.git("ls-remote", "--tags", "origin", `refs/tags/${name}`)).split("\t")[0] ??
      "";
  }

  async state(): Promise<string> {
    return (await Deno.readTextFile(join(this.folder, "release/state")).catch(() => "none")).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

Deno.test("a release is published with exactly what was built, on a commit that only stamps", async () => {
  await using site = await Site.create();
  const { code, stderr } = await site.publish();
  assertEquals([code, await site.state()], [0, "published"], stderr);
  assertEquals(
    (await readdir(join(site.folder, "release/files"))).sort(),
    (await readdir(site.assets)).sort(),
  );
  const commit = await site.tag(TAG);
  assertEquals(await site.git("rev-parse", `${commit}^`), await site.git("rev-parse", "main"));
  assertEquals(
    await site.git("diff", "--name-only", "main", commit),
    "action.yml\naction/release.txt",
  );
  assertStringIncludes(
    await site.git("show", `${commit}:action/release.txt`),
    `version ${VERSION}\n`,
  );
  assertEquals(
    await site.git("ls-remote", "--heads", "origin", "main"),
    `${await site.git("rev-parse", "main")}\trefs/heads/main`,
  );
});

for (
  const step of [
    "release view",
    "release create",
    "release upload",
    "release edit",
    "release download",
  ]
) {
  Deno.test(`after a failure of "${step}" it goes on where it was, on the same commit`, async () => {
    await using site = await Site.create();
    const { code, stderr } = await site.publish({ FAIL: step });
    assertEquals(code, 1);
    assertStringIncludes(stderr, "HTTP 502");
    const commit = await site.tag(TAG);
    assertMatch(commit, /^[0-9a-f]{40}$/);
    const again = await site.publish();
    assertEquals(
      [again.code, await site.state(), await site.tag(TAG)],
      [0, "published", commit],
      again.stderr,
    );
    const asked = await Deno.readTextFile(join(site.folder, "asked"));
    assertEquals(asked.match(/^release create/gm)?.length, step === "release create" ? 2 : 1);
    assertEquals((await site.publish()).code, 0, "what is published is only checked");
  });
}

Deno.test("a tag that is on another commit is never moved", async () => {
  await using site = await Site.create();
  await site.git("push", "--quiet", "origin", `main:refs/tags/${TAG}`);
  const { code, stderr } = await site.publish();
  assertEquals(code, 1);
  assertMatch(stderr, /^::error::the tag v\S+ is on [0-9a-f]{40} already/m);
  assertEquals([await site.state(), await site.tag(TAG)], [
    "none",
    await site.git("rev-parse", "main"),
  ]);
});

Deno.test("files that are not those of SHA256SUMS, or more than those, are not published", async () => {
  await using site = await Site.create();
  await writeFile(join(site.assets, "extra"), "");
  assertEquals((await site.publish()).code, 1);
  await rm(join(site.assets, "extra"));
  await writeFile(join(site.assets, "k8s-lock.js"), "other");
  assertEquals((await site.publish()).code, 1);
  assertEquals([await site.state(), await site.tag(TAG)], ["none", ""]);
});

Deno.test("a release that others could still change is an error", async () => {
  await using site = await Site.create();
  const { code, stderr } = await site.publish({ IMMUTABLE: "false" });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "is published, but not immutable");
});

Deno.test("what is published after a later version, by running a job again, is not the latest", async () => {
  await using site = await Site.create();
  const edited = async () => {
    const asked = await Deno.readTextFile(join(site.folder, "asked"));
    return asked.split("\n").filter((line) => line.startsWith("release edit"));
  };
  assertEquals((await site.publish({ FAIL: "release edit" })).code, 1);
  assertEquals(await edited(), [`release edit ${TAG} --draft=false --latest`]);
  await site.git("push", "--quiet", "origin", "main:refs/tags/v999.0.0");
  const { code, stderr } = await site.publish();
  assertEquals(code, 0, stderr);
  assertEquals((await edited()).at(-1), `release edit ${TAG} --draft=false --latest=false`);
});

Deno.test("the moving tag goes forwards only, and by number", async () => {
  await using site = await Site.create();
  const commits: Record<string, string> = {};
  const add = async (version: string) => {
    await site.git("commit", "--quiet", "--allow-empty", "-m", version);
    await site.git("push", "--quiet", "origin", `HEAD:refs/tags/v${version}`);
    commits[version] = await site.git("rev-parse", "HEAD");
  };
  const move = (version: string) => site.run("bash", ["tools/release/move_tag.sh", version]);
  const none = await move("4.9.0");
  assertEquals([none.code, none.stderr], [1, "::error::there is no tag v4.9.0\n"]);
  await add("4.9.0");
  assertEquals((await move("4.9.0")).code, 0);
  assertEquals(await site.tag("v4"), commits["4.9.0"]);
  for (const version of ["4.10.0", "4.10.1-rc.1", "5.0.0"]) await add(version);
  assertEquals((await move("4.10.0")).code, 0);
  assertEquals(await site.tag("v4"), commits["4.10.0"]);
  for (const version of ["4.9.0", "4.10.1-rc.1"]) {
    assertEquals((await move(version)).code, 0);
    assertEquals(await site.tag("v4"), commits["4.10.0"], `${version} moves nothing`);
  }
  assertEquals((await move("4.11.0")).code, 1, "there is no such release");
  assertEquals((await move("5.0.0")).code, 0);
  assertEquals([await site.tag("v4"), await site.tag("v5")], [commits["4.10.0"], commits["5.0.0"]]);
});
