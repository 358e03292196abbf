import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Logger, StatusLine } from "../../lib/cli/log.ts";
import type { LogOptions } from "../../lib/cli/log.ts";
import type { Output } from "../../lib/cli/output.ts";

/** An output that keeps what is written. */
class Kept implements Output {
  text = "";
  readonly columns = 80;
  readonly failure = null;
  constructor(readonly isTerminal: boolean) {}
  write(text: string): void {
    this.text += text;
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
}

const NOON = () => new Date("2026-01-31T12:00:00Z");

function logger(options: Partial<LogOptions>, output = new Kept(false)): [Logger, Kept] {
  const all: LogOptions = { format: "text", level: "info", colour: "off", ...options };
  return [new Logger(output, all, NOON), output];
}

Deno.test("warnings and errors are always said, the rest by level", () => {
  for (
    const [level, words] of [
      ["warning", ["e", "w"]],
      ["info", ["e", "w", "i"]],
      ["debug", ["e", "w", "i", "d"]],
    ] as const
  ) {
    const [log, output] = logger({ level });
    log.error("e");
    log.warn("w");
    log.info("i");
    log.debug("d");
    const last = output.text.trim().split("\n").map((line) => line.slice(-1));
    assertEquals(last, [...words]);
  }
});

Deno.test("a line of text names the program", () => {
  const [log, output] = logger({});
  log.info("waiting");
  log.warn("slow");
  assertEquals(output.text, "k8s-lock: waiting\nk8s-lock: warning: slow\n");
});

Deno.test("a line of JSON has its time, level, message and fields", () => {
  const [log, output] = logger({ format: "json" });
  log.error("lost\nit", { exit_by: "k8s-lock", code: 12, who: "a\u202eb" });
  assertEquals(JSON.parse(output.text), {
    time: "2026-01-31T12:00:00.000Z",
    level: "error",
    message: "lost it",
    exit_by: "k8s-lock",
    code: 12,
    who: "ab",
  });
});

Deno.test("for GitHub warnings and errors are commands, and other lines never are", () => {
  const [log, output] = logger({ format: "github", level: "debug" });
  log.error("50% lost\n::set-output name=a::b");
  log.debug("d");
  log.info("::error::forged");
  assertEquals(output.text.split("\n"), [
    "::error title=k8s-lock::50%25 lost : :set-output name=a::b",
    "::debug::d",
    "k8s-lock: : :error::forged",
    "",
  ]);
});

Deno.test("colours are there when they were asked for", () => {
  const [log, output] = logger({ colour: "on" }, new Kept(true));
  log.error("x");
  assertStringIncludes(output.text, "\u001b[31m");
});

Deno.test("at a terminal a wait is one line, below whatever else is said", () => {
  const [log, output] = logger({}, new Kept(true));
  const status = new StatusLine(log, () => 0);
  status.update("waiting 1 s", "a");
  log.info("news");
  status.update("waiting 2 s", "a");
  status.end();
  assertEquals(
    output.text,
    "\r\u001b[2Kwaiting 1 s\r\u001b[2Kk8s-lock: news\nwaiting 1 s\r\u001b[2Kwaiting 2 s\r\u001b[2K",
  );
});

Deno.test("in a log a wait is said when something changes, and at most once a minute otherwise", () => {
  const [log, output] = logger({});
  let now = 0;
  const status = new StatusLine(log, () => now);
  for (
    const [at, key] of [[0, "a"], [1, "a"], [2, "b"], [3, "b"], [61, "b"], [61.9, "b"]] as const
  ) {
    now = at * 1000;
    status.update(`${at} s`, key);
  }
  now = 62_001;
  status.update("last", "b");
  assertEquals(output.text, "k8s-lock: 0 s\nk8s-lock: 2 s\nk8s-lock: last\n");
});

Deno.test("with -q nothing is said of a wait", () => {
  for (const terminal of [true, false]) {
    const [log, output] = logger({ level: "warning" }, new Kept(terminal));
    new StatusLine(log).update("waiting", "a");
    assertEquals(output.text, "");
  }
});

Deno.test("a line is never longer than what a pipe takes whole", () => {
  const [log, output] = logger({ format: "json" });
  log.info("ü".repeat(1_000_000));
  assert(new TextEncoder().encode(output.text).length < 4096 + 100);
});
