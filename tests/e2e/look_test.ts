/** `status` and `list`, to the letter of what scripts may rely on. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../support/sandbox.ts";

const TIME = "2026-01-31T12:00:00.000Z";

/** Replaces what differs from run to run. */
function fixed(text: string): unknown {
  return JSON.parse(text, (key, value) => {
    if (/_at$|_since$/.test(key) && typeof value === "string") {
      assert(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value), `${key}: ${value}`);
      return TIME;
    }
    return key === "waited_seconds" && typeof value === "number" ? 0 : value;
  });
}

Deno.test("status and list as JSON have the documented fields, values and no others", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["run", "a", "--holder", "Past", "--link", "https://ci/0", "--", "true"]);
  const more = ["--holder", "Ann", "--description", "why", "--link", "https://ci/1"];
  const { grant, token } = await sandbox.json<{ grant: string; token: number }>(
    ["acquire", "a", "--no-renew", "-o", "json", ...more],
  );
  sandbox.start(["run", "a", "--holder", "Bob", "--link", "https://ci/2", "--", "true"]);
  const [ticket] = await sandbox.waiters("a", 1);
  const record = await sandbox.record("a");
  const status = await sandbox.run(["status", "a", "-o", "json"]);
  const list = await sandbox.run(["list", "-o", "json"]);
  const lock = {
    lock: "a",
    object: "local/k8s-lock-a",
    capacity: 1,
    token,
    order: "fifo",
    next_build: null,
    frozen: null,
    holders: [{
      grant,
      holder: "Ann",
      token,
      mode: "exclusive",
      slot: 0,
      slot_name: null,
      state: "held",
      ttl_seconds: 60,
      acquired_at: TIME,
      renewed_at: TIME,
      description: "why",
      link: "https://ci/1",
    }],
    queue: [{
      position: 1,
      grant: ticket?.grant,
      holder: "Bob",
      mode: "exclusive",
      priority: 0,
      order: "fifo",
      waiting_since: TIME,
      description: "",
      link: "https://ci/2",
    }],
  };
  const history = [{
    grant: record?.history[0]?.grant,
    holder: "Past",
    link: "https://ci/0",
    token: 1,
    acquired_at: TIME,
    released_at: TIME,
    waited_seconds: 0,
    outcome: "released",
    by: null,
    reason: null,
  }];
  assertEquals([status.code, status.stderr, list.code, list.stderr], [0, "", 0, ""]);
  assertEquals(fixed(status.stdout), { ...lock, history });
  assertEquals(fixed(list.stdout), [lock]);
});

Deno.test("the object that status names is found again by --object", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["run", "Grün & Co", "--", "true"]);
  const [{ object = "" } = {}] = await sandbox.json<{ object: string }[]>(["list", "-o", "json"]);
  const name = object.replace("local/", "");
  const found = await sandbox.json<{ lock: string }>(["status", "--object", name, "-o", "json"]);
  assertEquals(found.lock, "Grün & Co");
});

Deno.test("list takes names too, and shows those that nobody used as free", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew", "--holder", "Ann"]);
  const { code, stdout } = await sandbox.run(["list", "a", "unused"]);
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n").map((line) => line.split(/\s{2,}/).slice(0, 4));
  assertEquals(lines, [
    ["LOCK", "OF", "STATE", "HOLDER"],
    ["a", "-", "held", "Ann"],
    ["unused", "-", "free", "-"],
  ]);
});

Deno.test("names that differ in case or in their Unicode letters are locks of their own", async () => {
  await using sandbox = await Sandbox.create();
  const names = [
    "deploy",
    "Deploy",
    "DEPLOY",
    "déploy",
    "deploy ",
    "../deploy",
    "deploy/x",
    "de ploy",
  ];
  const ends = await Promise.all(
    names.map((name) => sandbox.run(["acquire", name, "--no-renew", "--timeout", "0"])),
  );
  assertEquals(ends.map(({ code }) => code), [0, 0, 0, 0, 2, 0, 0, 0]);
  const listed = await sandbox.json<{ lock: string; object: string }[]>(["list", "-o", "json"]);
  assertEquals(new Set(listed.map(({ object }) => object)).size, 7);
  assertEquals(
    listed.map(({ lock }) => lock).sort(),
    names.filter((name) => name !== "deploy ").sort(),
  );
});

Deno.test("status says in words who holds, since when, and who waits", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.run(["acquire", "a", "--no-renew", "--holder", "Ann", "--link", "https://ci/1"]);
  sandbox.start(["run", "a", "--holder", "Bob", "--", "true"]);
  await sandbox.waiters("a", 1);
  const { stdout } = await sandbox.run(["status", "a"]);
  for (
    const words of ["held by Ann", "last sign of life", "https://ci/1", "1 in line:", "1. Bob"]
  ) {
    assertStringIncludes(stdout, words);
  }
});
