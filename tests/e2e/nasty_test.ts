/** The program among texts that others wrote to deceive: in the record, in tickets, in the CI's own variables. */
import { assert, assertEquals } from "@std/assert";
import { encodeRecord, encodeTicket, parseRecord, parseTicket } from "../../lib/lock/record.ts";
import { markedUp, NASTY, obeyed, outputsOf } from "../support/nasty.ts";
import { Sandbox } from "../support/sandbox.ts";

/** Many at once, as a process is dear. */
const PILES = [0, 1, 2].map((rest) =>
  NASTY.filter((x, index) => index % 3 === rest && x.length < 100 && x.isWellFormed())
);

/** What a program said, line by line: nobody obeys any of it. */
function harmless(what: string, ...outputs: readonly string[]): void {
  for (const output of outputs) {
    for (const line of output.split("\n")) assertEquals(obeyed(line), [], `${what}: ${line}`);
  }
}

for (const [index, pile] of PILES.entries()) {
  Deno.test(`whatever others wrote into a record is obeyed by nobody, by no command (${index})`, async () => {
    const outputs = "outputs";
    await using sandbox = await Sandbox.create({
      GITHUB_ACTIONS: "true",
      GITHUB_REPOSITORY: "acme/shop",
      GITHUB_RUN_ID: "7",
      GITHUB_JOB: "deploy",
      K8S_LOCK_SCOPE: "global",
    });
    const files = {
      GITHUB_OUTPUT: `${sandbox.folder}/${outputs}`,
      GITHUB_STEP_SUMMARY: `${sandbox.folder}/summary`,
    };
    const some = (i: number) => pile[i % pile.length] ?? "";
    await sandbox.run(["acquire", "a", "--no-renew", "--ttl", "1h"]);
    const waiter = sandbox.start(["run", "a", "--", "true"]);
    await sandbox.waiters("a", 1);
    await sandbox.edit("a", (text) => {
      const record = parseRecord(text);
      return encodeRecord({
        ...record,
        capacity: 2,
        holders: record.holders.map((holder) => ({
          ...holder,
          holder: some(0),
          description: some(1),
          link: some(2),
          acquired_at: some(3),
          on_expiry: "never",
        })),
        freeze: { by: some(4), reason: some(5), since: some(6), until: some(7) },
        history: pile.map((x, i) => ({
          grant: `old-${i}`,
          holder: x,
          link: some(i + 1),
          mode: "exclusive",
          token: 1,
          acquired_at: some(i + 2),
          released_at: some(i + 3),
          waited_seconds: 2,
          outcome: "broken",
          by: some(i + 4),
          reason: some(i + 5),
        })),
      });
    });
    const store = sandbox.store("a");
    for (const stored of await store.listTickets()) {
      const ticket = parseTicket(stored.text);
      const changed = { ...ticket, holder: some(8), description: some(9), link: some(10) };
      await store.patchTicket(stored, encodeTicket(changed));
    }
    const { holders: [held] } = await sandbox.until("a", ({ freeze }) => freeze !== null);
    const formats = ["text", "github", "json"];
    for (
      const [i, args] of [
        ["status", "a"],
        ["list"],
        ["run", "a", "--timeout", "0", "--", "true"],
        ["acquire", "a", "--timeout", "1s", "--on-busy", "skip"],
        ["verify", "a"],
        ["renew", "a"],
        ["break", "a", "--grant", "nobody", "--yes"],
        ["release", "a"],
      ].entries()
    ) {
      const env = { ...files, K8S_LOCK_LOG_FORMAT: formats[i % 3] };
      const { stdout, stderr } = await sandbox.run(args, { env });
      harmless(args.join(" "), stdout, stderr);
    }
    for (const command of ["status", "list"]) {
      const { stdout } = await sandbox.run([command, "a", "-o", "json"]);
      harmless(command, JSON.stringify(JSON.parse(stdout)));
      harmless(command, ...textsIn(JSON.parse(stdout)));
    }
    assert(held !== undefined);
    // Now somebody comes to hold after all those: the summary tells of one of them.
    await sandbox.edit("a", (text) => encodeRecord({ ...parseRecord(text), freeze: null }));
    await waiter.ended;
    const taken = await sandbox.run(["acquire", "a", "--no-renew"], { env: files });
    assertEquals(taken.code, 0, taken.stderr);
    harmless("acquire", taken.stdout, taken.stderr);
    const told = outputsOf(await Deno.readTextFile(files.GITHUB_OUTPUT));
    assertEquals(told.get("acquired"), "true");
    harmless("the outputs", ...told.values());
    harmless("the summary", await Deno.readTextFile(files.GITHUB_STEP_SUMMARY));
  });
}

/** Each text anywhere in a JSON value. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

for (
  const x of [
    "::error::forged",
    "x\n::error::y",
    "##vso[task.x]y",
    "<img src=x> [a](b) @c",
    "\u001b]0;x\u0007\u202e",
  ]
) {
  Deno.test(`a branch, workflow or actor called ${JSON.stringify(x)} is a text in log, outputs and summary`, async () => {
    await using sandbox = await Sandbox.create({ K8S_LOCK_SCOPE: "global" });
    const files = {
      GITHUB_OUTPUT: `${sandbox.folder}/outputs`,
      GITHUB_STEP_SUMMARY: `${sandbox.folder}/summary`,
    };
    const env = {
      ...files,
      GITHUB_ACTIONS: "true",
      GITHUB_REPOSITORY: "acme/shop",
      GITHUB_RUN_ID: "7",
      GITHUB_WORKFLOW: x,
      GITHUB_JOB: x,
      GITHUB_ACTOR: x,
      GITHUB_REF_NAME: x,
      GITHUB_HEAD_REF: x,
      GITHUB_SERVER_URL: `https://${x}`,
    };
    const said: string[] = [];
    for (
      const args of [["acquire", "a", "--no-renew"], ["status", "a"], ["release", "a"], [
        "acquire",
        "a",
        "--no-renew",
      ]]
    ) {
      const { code, stdout, stderr } = await sandbox.run(args, { env });
      assertEquals(code, 0, stderr);
      said.push(stdout, stderr);
    }
    harmless("the log", ...said);
    const outputs = outputsOf(await Deno.readTextFile(files.GITHUB_OUTPUT));
    harmless("the outputs", ...outputs.values());
    const summary = await Deno.readTextFile(files.GITHUB_STEP_SUMMARY);
    harmless("the summary", summary);
    // Our own marks are bold names and, of a web address, one link.
    const theirs = summary.replace(/^- \*\*a\*\*: /gm, "");
    assertEquals(markedUp(theirs.replace(/\]\(<https:[^>]*>\)/g, "").replaceAll("[", "")), []);
  });
}
