/** The commit of a release: what is stamped, and that nothing else is taken for one. */
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";
import { actionText, type Release, releaseText, STAMPED } from "../../tools/release/stamp.ts";
import { TARGETS } from "../../tools/release/targets.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const RELEASE: Release = {
  repository: "acme/k8s-lock",
  version: "4.0.1",
  parent: "0123456789abcdef0123456789abcdef01234567",
  assets: TARGETS.map(({ platform }, index) => ({
    platform,
    sha256: String(index).repeat(64),
    size: 1000 + index,
  })),
};

Deno.test("the action of a release knows where, which version, and the hash and size of each archive", () => {
  const lines = releaseText(RELEASE).trimEnd().split("\n");
  assertEquals(lines.slice(1), [
    "repository acme/k8s-lock",
    "version 4.0.1",
    ...RELEASE.assets.map(({ platform, sha256, size }) => `${platform} ${sha256} ${size}`),
  ]);
});

Deno.test("nothing is stamped that is not of its form, or without one of the archives", () => {
  const wrong: [Partial<Release>, string][] = [
    [{ repository: "acme" }, "not a repository"],
    [{ version: "v4.0.1" }, "not a version"],
    [{ version: "4" }, "not a version"],
    [{ assets: RELEASE.assets.slice(1) }, "no archive for linux-arm64"],
  ];
  for (const [change, message] of wrong) {
    assertThrows(() => releaseText({ ...RELEASE, ...change }), Error, message);
  }
  assertThrows(
    () => actionText("uses: $/post\n", { ...RELEASE, parent: "main" }),
    Error,
    "not a full SHA",
  );
});

Deno.test("the post step of a release is named by the full SHA of the commit before, once", async () => {
  const branch = await readFile(join(PROJECT, "action.yml"), "utf8");
  const released = actionText(branch, RELEASE);
  const [before, after] = [branch.split("\n"), released.split("\n")];
  const changed = after.filter((line, index) => line !== before[index]).map((line) => line.trim());
  assertEquals(changed, [`uses: acme/k8s-lock/post@${RELEASE.parent}`]);
  assertThrows(() => actionText(released, RELEASE), Error, '0 lines "uses: $/post"');
});

Deno.test("the commit of a release", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-stamp-"));
  const assets = join(folder, "assets");
  const tree = join(folder, "tree");
  const git = async (...args: readonly string[]) => {
    const { success, stdout, stderr } = await new Deno.Command("git", {
      args: ["-c", "user.name=Test", "-c", "user.email=test@example.com", ...args],
      cwd: tree,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  };
  const stamp = async (...args: readonly string[]) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", join(PROJECT, "tools/release/stamp.ts"), ...args]
        .concat("--repository", "acme/k8s-lock", "--assets", assets),
      cwd: tree,
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  try {
    await Deno.mkdir(assets);
    for (const { platform, archive } of TARGETS) await writeFile(join(assets, archive), platform);
    await Deno.mkdir(join(tree, "action"), { recursive: true });
    for (const file of STAMPED) await cp(join(PROJECT, file), join(tree, file));
    await git("init", "--quiet");
    await git("add", ".");
    await git("commit", "--quiet", "-m", "before");
    const parent = await git("rev-parse", "HEAD");
    const check = (commit: string) => stamp("check", "--parent", parent, commit);

    await t.step("is right as it is written", async () => {
      assertEquals(await stamp("write", "--parent", parent), { code: 0, stderr: "" });
      await git("commit", "--quiet", "-am", "release");
      assertEquals(await check("HEAD"), { code: 0, stderr: "" });
      const text = await readFile(join(tree, "action/release.txt"), "utf8");
      const hash = createHash("sha256").update("linux-x64").digest("hex");
      assertStringIncludes(text, `version ${VERSION}\n`);
      assertStringIncludes(text, `linux-x64 ${hash} ${"linux-x64".length}\n`);
    });

    await t.step("is wrong with a change of anything else", async () => {
      await writeFile(join(tree, "main.ts"), "evil();\n");
      await git("add", "main.ts");
      await git("commit", "--quiet", "--amend", "-m", "release");
      const { code, stderr } = await check("HEAD");
      assertEquals([code, stderr], [1, "main.ts is changed, and is none of the stamped files\n"]);
      await git("rm", "--quiet", "-f", "main.ts");
      await git("commit", "--quiet", "--amend", "-m", "release");
    });

    await t.step("is wrong with more in a stamped file than what is stamped", async () => {
      const action = await readFile(join(tree, "action.yml"), "utf8");
      await writeFile(join(tree, "action.yml"), action + "# more\n");
      await git("commit", "--quiet", "--amend", "-am", "release");
      const { code, stderr } = await check("HEAD");
      assertEquals([code, stderr], [1, "action.yml is not what stamping writes\n"]);
      await writeFile(join(tree, "action.yml"), action);
      await git("commit", "--quiet", "--amend", "-am", "release");
    });

    await t.step("is wrong for other archives than those at hand", async () => {
      await writeFile(join(assets, "k8s-lock-macos-arm64.tar.gz"), "other");
      const { code, stderr } = await check("HEAD");
      assertEquals([code, stderr], [1, "action/release.txt is not what stamping writes\n"]);
      await writeFile(join(assets, "k8s-lock-macos-arm64.tar.gz"), "macos-arm64");
    });

    await t.step("is wrong on another parent", async () => {
      await git("commit", "--quiet", "--allow-empty", "-m", "one more");
      const { code, stderr } = await check("HEAD");
      assertEquals(code, 1);
      assertMatch(stderr, new RegExp(`^its parent is [0-9a-f]{40}, and not ${parent}\n$`));
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
