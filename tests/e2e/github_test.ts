/** What a job on GitHub gets: outputs, the summary, annotations. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../support/sandbox.ts";

/** A job with files for its outputs and its summary. */
async function job(): Promise<Sandbox & { readonly outputs: () => Record<string, string> }> {
  const folder = await Deno.makeTempDir();
  const sandbox = await Sandbox.create({
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_WORKFLOW: "Deploy",
    GITHUB_RUN_NUMBER: "42",
    GITHUB_RUN_ID: "1001",
    GITHUB_JOB: "build",
    GITHUB_OUTPUT: `${folder}/output`,
    GITHUB_STEP_SUMMARY: `${folder}/summary`,
  });
  const dispose = sandbox[Symbol.asyncDispose].bind(sandbox);
  return Object.assign(sandbox, {
    outputs: () => parsed(Deno.readTextFileSync(`${folder}/output`)),
    async [Symbol.asyncDispose]() {
      await dispose();
      await Deno.remove(folder, { recursive: true });
    },
  });
}

/** Outputs as the runner reads them. */
function parsed(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lines = text.split("\n");
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name, end] = /^([\w-]+)<<(\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    found[name] = lines.splice(0, lines.indexOf(end ?? "")).join("\n");
  }
  return found;
}

Deno.test("acquire gives the step its outputs and the job a line in its summary", async () => {
  await using sandbox = await job();
  const { code, stdout, stderr } = await sandbox.run([
    "acquire",
    "deploy",
    "-o",
    "json",
    "--no-renew",
  ]);
  assertEquals(code, 0, stderr);
  const got = JSON.parse(stdout);
  const { locks = "", ...outputs } = sandbox.outputs();
  assertEquals(outputs, {
    acquired: "true",
    token: String(got.token),
    grant: got.grant,
    slot: "0",
    slot_name: "",
    waited_seconds: String(got.waited_seconds),
    holder: "acme/shop Deploy #42",
    lock_object: "local/k8s-lock-acme-shop-deploy",
  });
  assertEquals(JSON.parse(locks), [got]);
  const summary = await Deno.readTextFile(sandbox.env["GITHUB_STEP_SUMMARY"] ?? "");
  assertMatch(summary, new RegExp(`deploy.*held with token ${got.token}`));
  assertEquals((await sandbox.run(["verify", "deploy"])).code, 0);
  assertEquals((await sandbox.run(["release", "deploy", "--strict"])).code, 0);
});

Deno.test("--on-busy skip goes on with acquired=false; fail is an annotation and exit 10", async () => {
  await using sandbox = await job();
  await sandbox.run(["acquire", "deploy", "--no-renew"], {
    env: { K8S_LOCK_STATE_DIR: `${sandbox.folder}/other`, GITHUB_OUTPUT: "" },
  });
  const skipped = await sandbox.run(
    ["acquire", "deploy", "--timeout", "0", "--on-busy", "skip", "-o", "json"],
  );
  assertEquals(skipped.code, 0, skipped.stderr);
  assertEquals(JSON.parse(skipped.stdout), { lock: "deploy", acquired: false });
  assertEquals(sandbox.outputs(), { acquired: "false" });
  const failed = await sandbox.run(["acquire", "deploy", "--timeout", "0"]);
  assertEquals([failed.code, failed.stdout], [10, ""]);
  assertMatch(failed.stderr, /^::error title=k8s-lock::deploy is not free/m);
  assertEquals((await sandbox.run(["release", "deploy", "--strict"])).code, 14, "nothing is left");
});

Deno.test("outputs that cannot be written are warned of, and the lock is held all the same", async () => {
  await using sandbox = await job();
  const env = { GITHUB_OUTPUT: "/dev/null/none", GITHUB_STEP_SUMMARY: "/dev/null/none" };
  const { code, stderr } = await sandbox.run(["acquire", "deploy", "--no-renew"], { env });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "cannot write the step's outputs");
  assertEquals((await sandbox.run(["verify", "deploy"])).code, 0);
});

Deno.test("a run whose parent dies in a CI gives up, as at a SIGTERM", async () => {
  await using sandbox = await job();
  await sandbox.run(["acquire", "deploy", "--no-renew"]);
  const shell = sandbox.start(["run", "deploy", "--", "true"], {
    by: ["bash", "-c", '"$@"; true', "bash"],
  });
  await shell.says("place 1 of 1");
  shell.kill("SIGKILL");
  const { stderr } = await shell.ended;
  assertStringIncludes(stderr, "the process that started this one is gone");
  assertEquals(await sandbox.tickets("acme-shop-deploy"), []);
  assert(sandbox.processes(" run deploy").length === 0);
});
