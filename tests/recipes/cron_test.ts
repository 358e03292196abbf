/** The crontab of docs/recipes/cron.md, its lines run as cron runs them: by sh, in an almost empty environment. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { bundle } from "../../tools/bundle.ts";
import { kill } from "../support/sandbox.ts";
import { pages, recipeFile } from "../support/recipes/pages.ts";
import { Project } from "../support/recipes/project.ts";
import { testRecipe, worksUnderLock } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

/** Numbers that are nobody's. */
const GROUP = 65533;
const USERS = [65533, 65532] as const;

interface Crontab {
  readonly variables: Readonly<Record<string, string>>;
  /** What stands after the times and the user. */
  readonly commands: readonly string[];
}

function crontab(): Crontab {
  const lines = recipeFile("cron.md", "/etc/cron.d/nightly").text.split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const variables = lines.flatMap((line) => {
    const [, name, value] = /^([A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  const commands = lines.flatMap((line) =>
    /^(?:\S+\s+){5}backup\s+(.*)$/.exec(line)?.slice(1, 2) ?? []
  );
  return { variables: Object.fromEntries(variables), commands };
}

const { variables, commands: [backup = "", report = ""] } = crontab();

/** What a job of cron finds: the crontab's variables, and four of cron's own. PATH and the file's folder are the test's. */
function environment({ folder, sandbox }: Project): Record<string, string> {
  const path = variables["PATH"] ?? "";
  assertStringIncludes(path, "/usr/local/bin");
  assert(variables["K8S_LOCK_LOCAL_PATH"]?.startsWith("/var/lib/k8s-lock/"));
  return {
    SHELL: variables["SHELL"] ?? "",
    HOME: sandbox.folder,
    LOGNAME: "backup",
    PATH: path.replace("/usr/local/bin", `${sandbox.folder}:${folder}`),
    K8S_LOCK_LOCAL_PATH: sandbox.database,
    // The sandbox sets it for all of its processes; here the command line has to say it.
    K8S_LOCK_STORE: "",
  };
}

const cron: Product = {
  name: "cron.md",
  record: "nightly",
  outside: ["nightly", "--scope", "global"],
  holder: null,
  scripts: ["backup.sh"],
  worker: "backup.sh",
  env: environment,
  start: (project, env) => Promise.resolve(project.start(["sh", "-c", backup], env)),
  // A person's `kill`. dash becomes the last command that it is given, bash does too.
  cancel: (_, step) => kill(step.pid, "SIGTERM"),
  whenCancelled: "given back",
};
testRecipe(cron);

Deno.test("cron.md: the second job leaves its turn out while the first one works, and that is no failure", async () => {
  await using project = await Project.create(["backup.sh", "report.sh"], "backup.sh");
  const env = { ...environment(project), TEST_WORK: "hold" };
  const first = project.start(["sh", "-c", backup], env);
  await worksUnderLock(project, cron);
  const second = await project.start(["sh", "-c", report], env).ended;
  assertEquals(second.code, 0, second.stderr);
  assertEquals(await project.story(), ["backup.sh"]);
  first.kill("SIGTERM");
  await first.ended;
  const third = await project.start(["sh", "-c", report], env).ended;
  assertEquals([third.code, third.stdout, third.stderr], [0, "", ""], "cron would mail it");
  assertEquals(await project.story(), ["backup.sh", "report.sh"]);
});

Deno.test("cron.md: the second job's own failure is one", async () => {
  await using project = await Project.create(["backup.sh", "report.sh"], "report.sh");
  const env = { ...environment(project), TEST_WORK: "fail" };
  assert((await project.start(["sh", "-c", report], env).ended).code !== 0);
});

/** Only root can become somebody else. */
const root = process.getuid?.() === 0;

Deno.test({
  name:
    "cron.md: another user is refused the first one's file, and may use one that was prepared for a group",
  ignore: !root,
  async fn() {
    await using project = await Project.create([], "");
    const { folder } = project.sandbox;
    // What runs the tests may lie in a folder of root's own, as may the packages that the sources import.
    const [deno, program] = [join(folder, "deno"), join(folder, "k8s-lock.js")];
    await copyFile(Deno.execPath(), deno);
    await bundle("main.ts", program);
    await chmod(folder, 0o755);
    const use = (user: number, database: string) =>
      project.start([
        ...["setpriv", `--reuid=${user}`, `--regid=${GROUP}`, "--clear-groups"],
        ...[deno, "run", "-A", "-q", "--no-config", program],
        ...["run", "nightly", "--local", "-q", "--", "true"],
      ], {
        ...environment(project),
        HOME: join(folder, `${user}`),
        DENO_DIR: join(folder, `${user}`),
        K8S_LOCK_LOCAL_PATH: database,
      }).ended;

    // A folder that both may write in, and the file that the first one makes there.
    const open = join(folder, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    const [first, second] = [
      await use(USERS[0], join(open, "locks.db")),
      await use(USERS[1], join(open, "locks.db")),
    ];
    assertEquals([first.code, second.code], [0, 15], first.stderr + second.stderr);
    assertStringIncludes(second.stderr, "locks.db");

    // As the page says it.
    const shared = join(folder, "shared");
    const database = join(shared, "locks.db");
    const commands = pages().find(({ name }) => name === "cron.md")?.text.replace(/\s+/g, " ") ??
      "";
    const lines = [...commands.matchAll(/`(install (?:-d )?-m \d+ -g jobs [^`]*)`/g)]
      .map(([, line = ""]) => line);
    assertEquals(lines.length, 2);
    for (const line of lines) {
      const args = line.replaceAll("/var/lib/k8s-lock", shared).replace("-g jobs", `-g ${GROUP}`)
        .split(" ").slice(1);
      assert((await new Deno.Command("install", { args }).output()).success);
    }
    for (const user of USERS) {
      const { code, stderr } = await use(user, database);
      assertEquals(code, 0, stderr);
    }
  },
});
