/** Whatever others have written into a record, a ticket or a CI's variables: it is shown as a text and obeyed by nobody. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { escapeMarkdown, setOutputs, workflowCommand } from "../../lib/ci/github.ts";
import { Logger } from "../../lib/cli/log.ts";
import {
  describeHolder,
  describePast,
  listText,
  statusText,
  waitLine,
} from "../../lib/cli/prose.ts";
import { describeLost } from "../../lib/cli/take.ts";
import { neutral, neutralLink } from "../../lib/cli/text.ts";
import { lockJson, statusJson } from "../../lib/cli/views.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import type { Holder, LockRecord, Past, Ticket } from "../../lib/lock/record.ts";
import { markedUp, NASTY, obeyed, outputsOf } from "../support/nasty.ts";

const WALL = new Date("2026-01-31T12:00:00Z");

function holder(x: string, more: Partial<Holder> = {}): Holder {
  return {
    grant: x,
    holder: x,
    mode: "exclusive",
    slot: 0,
    token: 1,
    state: "held",
    ttl_seconds: 60,
    renewals: 1,
    acquired_at: x,
    renewed_at: "2026-01-31T11:00:00Z",
    waited_seconds: 0,
    description: x,
    link: x,
    ...more,
  };
}

function past(x: string): Past {
  return {
    grant: x,
    holder: x,
    link: x,
    mode: "exclusive",
    token: 3,
    acquired_at: x,
    released_at: x,
    waited_seconds: 3,
    outcome: "broken",
    by: x,
    reason: x,
  };
}

function ticket(x: string): Ticket {
  return {
    version: 1,
    grant: x,
    holder: x,
    mode: "exclusive",
    priority: 0,
    order: "fifo",
    order_key: null,
    order_revision: null,
    answered: 0,
    ttl_seconds: 60,
    waiting_since: x,
    description: x,
    link: x,
  };
}

/** A record with `x` in every text that others can write. */
function record(x: string): LockRecord {
  return {
    ...emptyRecord({ scope: "repo", owner: x, repository: x, lock: x }),
    capacity: 4,
    pool: [x],
    last_token: 9,
    holders: [
      holder(x),
      holder(x, { state: "broken", broken_by: x, broken_reason: x }),
      holder(x, { state: "cooling" }),
      holder(x, { on_expiry: "verify" }),
    ],
    turn: [x, "gone"],
    freeze: { by: x, reason: x, since: x, until: x },
    history: [past(x), { ...past(x), by: null, reason: null }],
  };
}

/** Everything that is shown of them, line by line. */
function shown(x: string): string[] {
  const one = record(x);
  const queue = [{ ticket: ticket(x), uid: "u", revision: "1" }];
  const fate = { kind: "unknown", why: x } as const;
  const observed = { turnMs: 5000, fates: new Map([[x, fate]]) };
  return [
    ...statusText("secret/ci/k8s-lock-a", one, queue, WALL, observed),
    ...listText([{ record: one, queue }], WALL),
    ...listText([{ record: { ...one, freeze: null }, queue }], WALL),
    waitLine(one, { grant: "me", position: 1, length: 2 }, WALL, observed).text,
    ...one.holders.map((each) => describeHolder(each, WALL, fate)),
    ...one.history.map((each) => describePast(each, WALL)),
    describeLost({ kind: "expired", by: x, token: 3 }),
    describeLost({ kind: "broken", by: x, reason: x }),
    describeLost({ kind: "silent", seconds: 3, cause: x }),
    describeLost({ kind: "damaged", message: x }),
  ];
}

/** Each text anywhere in a JSON value. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function check(x: string): void {
  for (const line of shown(x)) {
    assert(!line.includes("\n"), line);
    assertEquals(obeyed(line), [], line);
  }
  const queue = [{ ticket: ticket(x), uid: "u", revision: "1" }];
  for (const view of [statusJson("o", record(x), queue), lockJson("o", record(x), queue)]) {
    for (const text of textsIn(view)) assertEquals(obeyed(text), []);
  }
  for (const format of ["text", "github", "json"] as const) {
    for (const line of logged(x, format)) assertEquals(obeyed(line), []);
  }
}

/** What the log writes of a message, and of a field. */
function logged(x: string, format: "text" | "github" | "json"): string[] {
  let all = "";
  const log = new Logger(
    {
      isTerminal: false,
      failure: null,
      columns: 80,
      write: (text: string) => void (all += text),
      flush: () => Promise.resolve(),
    },
    { format, level: "debug", colour: "off" },
    () => WALL,
  );
  for (const say of ["error", "warn", "info", "debug"] as const) log[say](x, { lock: x });
  const lines = all.split("\n");
  assertEquals(lines.length, 5, all);
  return lines.filter((line) => line !== "");
}

/** Nasty for those who read Markdown or outputs alone, or too long. */
const FINE_IN_A_LOG =
  /^(k8s_lock|x<<EOF|ghadelimiter|<|!\[|\[x\]|https:|www|@octocat|\*\*|\\|&lt|😀|aaaa)/;

Deno.test("shown as they are, such texts would be obeyed: the eyes of these tests are open", () => {
  for (const x of NASTY.filter((x) => !FINE_IN_A_LOG.test(x))) assert(obeyed(x).length > 0, x);
  const marked = NASTY.filter((x) => /^(<|!\[|\[x\]|https:|www|@octocat|\*\*)/.test(x));
  assertEquals(marked.length, 8);
  for (const x of marked) assert(markedUp(x).length > 0, x);
  const forged = "acquired=false\nholder<<EOF\nx\nEOF\nacquired=true\n";
  assertEquals(outputsOf(forged).get("acquired"), "true");
});

for (const x of NASTY) {
  Deno.test(`${JSON.stringify(x).slice(0, 60)} is obeyed by nobody, wherever it is shown`, () => {
    check(x);
    // Where it is not the whole text either.
    check(`acme/shop ${x} deploy`);
  });
}

/** Texts made of what is dangerous, in any order. */
const mixed = fc.array(
  fc.oneof(
    fc.constantFrom(...NASTY.filter((text) => text.length < 60)),
    fc.constantFrom(
      ":",
      "#",
      "[",
      "]",
      "-",
      "+",
      "~",
      "^",
      "\u001b",
      "\r",
      "\n",
      " ",
      "vso",
      "error",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

Deno.test("nothing made of such texts is obeyed by anybody, wherever it is shown", () => {
  fc.assert(fc.property(mixed, check), { numRuns: 1500 });
});

Deno.test("a summary shows a text as it is, whatever Markdown or HTML it has in it", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...NASTY), mixed), (x) => {
      assertEquals(markedUp(escapeMarkdown(neutral(x))), [], x);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a link that is shown leads to the web, and its address ends nowhere else", () => {
  for (
    const x of [...NASTY, "https://a.test/>)[x](y", 'https://a.test/"onclick=', "HTTPS://a.test"]
  ) {
    const link = neutralLink(x);
    assert(link === "" || /^https?:\/\/[^\s]+$/i.test(link), x);
    assertEquals(obeyed(link), []);
  }
});

Deno.test("an output is read as it was given, and no other output beside it", () => {
  const file = Deno.makeTempFileSync();
  try {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...NASTY), mixed), (x) => {
        // A file holds no half characters and no bare carriage returns that a reader would keep apart.
        const value = x.toWellFormed();
        Deno.writeTextFileSync(file, "");
        const given = new Map([["acquired", "false"], ["holder", value], ["token", "3"]]);
        assertEquals(setOutputs({ GITHUB_OUTPUT: file }, given), { outcome: "written" });
        assertEquals([...outputsOf(Deno.readTextFileSync(file))], [...given]);
      }),
      { numRuns: 300 },
    );
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("a workflow command stays one command on one line, whatever its message and properties are", () => {
  fc.assert(fc.property(mixed, mixed, (message, title) => {
    const command = workflowCommand("error", message, { title });
    assert(!/[\r\n]/.test(command));
    const [, name, properties, told] = /^::(\w+) ([^:]*)::(.*)$/s.exec(command) ?? [];
    assertEquals([name, properties?.split(",").length], ["error", 1]);
    assertEquals(
      told?.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%"),
      message,
    );
  }));
});
