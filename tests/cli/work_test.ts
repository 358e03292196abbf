import { assert, assertEquals } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import type { Context } from "../../lib/cli/context.ts";
import { Logger } from "../../lib/cli/log.ts";
import type { RunOptions } from "../../lib/cli/options.ts";
import { Work } from "../../lib/cli/work.ts";
import type { State } from "../../lib/lock/driver.ts";
import { begin } from "../../lib/lock/step.ts";
import { CONFIG } from "../sim/world.ts";

const TTL_MS = 3_600_000;

const CONTEXT: Context = {
  env: { PATH: Deno.env.get("PATH") },
  ci: detectCi({}),
  log: new Logger(
    { isTerminal: false, columns: 80, write() {}, flush: () => Promise.resolve(), failure: null },
    { format: "text", level: "error", colour: "off" },
  ),
  stdout() {},
  stdinIsTerminal: false,
  stderrIsTerminal: false,
  wall: () => new Date(),
  monotonicMs: () => performance.now(),
  version: "0",
};

const OPTIONS: RunOptions = {
  store: "local",
  localPath: "/unused",
  kubeconfigPaths: null,
  kubeconfigData: null,
  context: null,
  namespace: null,
  requestTimeoutMs: 1000,
  target: { lock: "a", object: "k8s-lock-a", identity: CONFIG.identity!, by: "identity" },
  timeoutMs: null,
  order: null,
  runNumber: null,
  runAttempt: null,
  skipAfterMs: null,
  maxHoldMs: null,
  expiry: "takeover",
  ttlMs: TTL_MS,
  holder: "me",
  description: "",
  link: "",
  command: ["sh"],
  // In a test the program cannot start itself as a lifeline, so it goes on without.
  onLost: "warn",
  conflictExitCode: 10,
};

/** A command in sh under a hold that has just begun. */
function held(script: string, reapMs?: number): { work: Work; state: State } {
  const work = new Work({
    command: "/bin/sh",
    args: ["-c", script],
    options: OPTIONS,
    context: CONTEXT,
    ...(reapMs === undefined ? {} : { reapMs }),
  });
  const now = performance.now();
  const grantPrefix = `work-test-${crypto.randomUUID()}`;
  const hold = {
    uid: "u",
    token: 1,
    slot: 0,
    number: null,
    since: now,
    ackedAt: now,
    renewAt: now + TTL_MS / 6,
    pending: null,
    work: "running",
    stage: "fine",
    killAt: null,
    lost: null,
    gone: false,
    handsOver: false,
  } as const;
  const state = { ...begin({ ...CONFIG, grantPrefix }, now, 0), phase: "holding", hold } as const;
  work.follow(state);
  return { work, state };
}

Deno.test("a command that was told to end while its lifeline came up does not begin", async () => {
  const file = await Deno.makeTempFile();
  const { work, state } = held(`echo begun > ${file}`);
  const over = work.start(state);
  assert(work.signal("SIGTERM"), "it is the command's affair from now on");
  await over;
  await work.letGo();
  assertEquals([work.exitCode, await Deno.readTextFile(file)], [null, ""]);
  await Deno.remove(file);
});

Deno.test("what goes on after TERM is waited for until it is killed, however long after that is", async () => {
  const file = await Deno.makeTempFile();
  const { work, state } = held(
    `(trap "" TERM; echo begun > ${file}; while :; do sleep 0.02; done) & wait`,
    400,
  );
  let over = false;
  const end = work.start(state).then(() => over = true);
  while (await Deno.readTextFile(file) === "") await new Promise((go) => setTimeout(go, 10));
  work.stop("term");
  await new Promise((go) => setTimeout(go, 1000));
  assert(!over, "something of it still runs, and may until it is killed");
  work.stop("kill");
  await end;
  await work.letGo();
  assert(!work.unreaped);
  await Deno.remove(file);
});
