import { assertEquals, assertStringIncludes } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import type { Context } from "../../lib/cli/context.ts";
import { Logger } from "../../lib/cli/log.ts";
import { identityOf, objectName } from "../../lib/cli/names.ts";
import type { TakeOptions } from "../../lib/cli/options.ts";
import { configFor, endOf, WaitTeller } from "../../lib/cli/take.ts";
import type { Result, State } from "../../lib/lock/driver.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import type { Holder } from "../../lib/lock/record.ts";
import { begin } from "../../lib/lock/step.ts";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";

const identity = identityOf("global", null, "deploy");
const OPTIONS: TakeOptions = {
  store: "secret",
  localPath: "/unused",
  kubeconfigPaths: null,
  kubeconfigData: null,
  context: null,
  namespace: null,
  requestTimeoutMs: 1000,
  target: { lock: "deploy", object: objectName(identity), identity, by: "identity" },
  timeoutMs: null,
  order: null,
  runNumber: null,
  runAttempt: null,
  skipAfterMs: null,
  maxHoldMs: null,
  expiry: "takeover",
  ttlMs: 60_000,
  holder: "me",
  description: "",
  link: "",
};

const HOLDER: Holder = {
  grant: "g1",
  holder: "ann",
  mode: "exclusive",
  slot: 0,
  token: 42,
  state: "held",
  ttl_seconds: 60,
  renewals: 3,
  acquired_at: "2026-01-31T11:59:00Z",
  renewed_at: "2026-01-31T11:59:50Z",
  waited_seconds: 0,
  description: "",
  link: "",
};

function state(changes: Partial<State> = {}): State {
  const config = configFor(OPTIONS, { work: "command", onLost: "stop", resumed: null });
  return { ...begin(config, 0, 0), ...changes };
}

function message(result: Result): string {
  return endOf(result, OPTIONS, state({ now: 90_000 }), 10).message;
}

Deno.test("a record that cannot be used is said with what helps, once", () => {
  const unusable = (text: string) => message({ kind: "unusable", message: text });
  assertEquals(
    unusable("the record is not JSON"),
    "the record of deploy cannot be used: the record is not JSON; delete it if the lock is not in use; k8s-lock never overwrites what it cannot read",
  );
  assertStringIncludes(
    unusable("the record was written by a newer k8s-lock (format 9; this one knows 1)"),
    "; use a newer k8s-lock",
  );
  const whole = "it is somebody else's. Give the lock another name.";
  assertEquals(unusable(whole), `the record of deploy cannot be used: ${whole}`);
});

Deno.test("who gives up while waiting says how long it waited", () => {
  assertEquals(message({ kind: "gave_up" }), "gave up waiting for deploy after 1 min");
});

Deno.test("at a terminal the line of a wait is written again although nothing happens", async () => {
  const written: string[] = [];
  const twice = Promise.withResolvers<void>();
  let seconds = 0;
  const context: Context = {
    env: {},
    ci: detectCi({}, () => ({ user: "jo", host: "box" })),
    log: new Logger({
      isTerminal: true,
      columns: 200,
      failure: null,
      write(text) {
        written.push(text);
        if (written.filter((one) => one.includes("waiting for")).length === 2) twice.resolve();
      },
      flush: () => Promise.resolve(),
    }, { format: "text", level: "info", colour: "off" }),
    stdout: () => {},
    stdinIsTerminal: true,
    stderrIsTerminal: true,
    wall: () => new Date(Date.parse("2026-01-31T12:00:00Z") + 1000 * seconds++),
    monotonicMs: () => 0,
    version: "0",
  };
  const store = memoryStores(new MemoryCore()).open("k8s-lock-deploy", "deploy");
  const waits = new WaitTeller(context, OPTIONS, store, { store: "local", path: "/x" });
  const known = { at: 0, stored: null, record: { ...emptyRecord(identity), holders: [HOLDER] } };
  waits.changed(state({ phase: "trying", known }));
  // The program lives on by its watch; the line alone keeps nothing alive.
  const alive = setInterval(() => {}, 1000);
  await twice.promise;
  clearInterval(alive);
  waits.end();
});
