import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { detectCi } from "../../lib/ci/detect.ts";
import type { OpenStores } from "../../lib/cli/connect.ts";
import type { Context } from "../../lib/cli/context.ts";
import { CliError, Exit } from "../../lib/cli/errors.ts";
import { listCommand } from "../../lib/cli/list.ts";
import { Logger } from "../../lib/cli/log.ts";
import type { Output } from "../../lib/cli/output.ts";
import { identityOf, objectName } from "../../lib/cli/names.ts";
import type { ListOptions, StatusOptions, Target, WhereOptions } from "../../lib/cli/options.ts";
import { statusCommand } from "../../lib/cli/status.ts";
import { emptyRecord, encodeRecord, encodeTicket } from "../../lib/lock/record.ts";
import type { Ticket } from "../../lib/lock/record.ts";
import { StoreError } from "../../lib/lock/store.ts";
import type { LockStores } from "../../lib/lock/store.ts";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";

const WHERE: WhereOptions = {
  store: "secret",
  localPath: "/unused",
  kubeconfigPaths: null,
  kubeconfigData: null,
  context: null,
  namespace: null,
  requestTimeoutMs: 1000,
};

/** A context that keeps what was printed, and a clock that moves on by itself. */
function stage(): { context: Context; printed: string[]; logged: () => string } {
  const printed: string[] = [];
  let log = "";
  let now = 0;
  const output: Output = {
    isTerminal: false,
    columns: 80,
    failure: null,
    write: (text) => log += text,
    flush: () => Promise.resolve(),
  };
  const context: Context = {
    env: {},
    ci: detectCi({}, () => ({ user: "jo", host: "box" })),
    log: new Logger(output, { format: "text", level: "info", colour: "off" }),
    stdout: (line) => printed.push(line),
    stdinIsTerminal: false,
    stderrIsTerminal: false,
    wall: () => new Date("2026-01-31T12:00:00Z"),
    monotonicMs: () => now += 300,
    version: "0",
  };
  return { context, printed, logged: () => log };
}

function opening(stores: LockStores): OpenStores {
  return () =>
    Promise.resolve({
      stores,
      address: { store: "secret", namespace: "ci", context: null, server: "https://c" },
    });
}

function target(lock: string): Target {
  const identity = identityOf("global", null, lock);
  return { lock, object: objectName(identity), identity, by: "identity" };
}

function status(lock: string): StatusOptions {
  return { ...WHERE, target: target(lock), output: "json" };
}

function list(...locks: string[]): ListOptions {
  return { ...WHERE, targets: locks.map(target), output: "json" };
}

const TICKET: Ticket = {
  version: 1,
  grant: "g2",
  holder: "me",
  mode: "exclusive",
  priority: 0,
  order: "fifo",
  order_key: null,
  order_revision: null,
  answered: 0,
  ttl_seconds: 60,
  waiting_since: "2026-01-31T11:59:00Z",
  description: "",
  link: "",
};

/** A store with the record of `lock`, as `text` or as a lock of this name that nobody holds. */
async function storeWith(core: MemoryCore, lock: string, text?: string): Promise<LockStores> {
  const stores = memoryStores(core);
  const { object, identity } = target(lock);
  assert(identity !== null);
  await stores.open(object, lock).createRecord(text ?? encodeRecord(emptyRecord(identity)));
  return stores;
}

Deno.test("status shows those who wait in order, and passes over tickets that cannot be read", async () => {
  const core = new MemoryCore();
  const stores = await storeWith(core, "deploy");
  const store = stores.open(target("deploy").object, "deploy");
  await store.createTicket({ grant: "bad", holder: "", text: "{}" });
  for (const grant of ["g2", "g3"]) {
    await store.createTicket({ grant, holder: "me", text: encodeTicket({ ...TICKET, grant }) });
  }
  const { context, printed } = stage();
  assertEquals(await statusCommand(status("deploy"), context, opening(stores)), Exit.done);
  const { queue } = JSON.parse(printed.join("\n"));
  assertEquals(queue.map((waiter: { grant: string }) => waiter.grant), ["g2", "g3"]);
});

Deno.test("status of another lock's record is exit 15, with both named", async () => {
  const core = new MemoryCore();
  const other = encodeRecord(
    emptyRecord({ scope: "repo", owner: "a-b", repository: "c", lock: "x" }),
  );
  const stores = await storeWith(core, "deploy", other);
  const error = await assertRejects(
    () => statusCommand(status("deploy"), stage().context, opening(stores)),
    CliError,
  );
  assertEquals(error.code, Exit.unusable);
  assertStringIncludes(error.message, "x of a-b/c");
  assertStringIncludes(error.message, "deploy");
});

Deno.test("--object shows a record whatever its identity is", async () => {
  const core = new MemoryCore();
  const other = encodeRecord(
    emptyRecord({ scope: "repo", owner: "a-b", repository: "c", lock: "x" }),
  );
  const stores = await storeWith(core, "deploy", other);
  const { context, printed } = stage();
  const byName = { ...target("deploy"), identity: null, by: "object" as const };
  const options = { ...status("deploy"), target: byName };
  assertEquals(await statusCommand(options, context, opening(stores)), Exit.done);
  assertEquals(JSON.parse(printed.join("\n")).lock, "x");
});

for (
  const [what, text, words] of [
    ["damaged", "not JSON", "is not JSON"],
    ["of a newer format", JSON.stringify({ version: 99 }), "newer k8s-lock"],
  ] as const
) {
  Deno.test(`status of a record that is ${what} is exit 15`, async () => {
    const stores = await storeWith(new MemoryCore(), "deploy", text);
    const error = await assertRejects(
      () => statusCommand(status("deploy"), stage().context, opening(stores)),
      CliError,
      words,
    );
    assertEquals(error.code, Exit.unusable);
  });
}

Deno.test("list shows all locks by name, and warns of one that cannot be read", async () => {
  const core = new MemoryCore();
  await storeWith(core, "zoo");
  await storeWith(core, "bad", "not JSON");
  const stores = await storeWith(core, "app");
  const { context, printed, logged } = stage();
  assertEquals(await listCommand(list(), context, opening(stores)), Exit.done);
  const locks = JSON.parse(printed.join("\n"));
  assertEquals(locks.map((lock: { lock: string }) => lock.lock), ["app", "zoo"]);
  assertStringIncludes(logged(), "k8s-lock-bad cannot be used");
});

Deno.test("list of named locks shows those, used or not", async () => {
  const stores = await storeWith(new MemoryCore(), "app");
  const { context, printed } = stage();
  await listCommand(list("never", "app"), context, opening(stores));
  const locks = JSON.parse(printed.join("\n"));
  assertEquals(locks.map((lock: { lock: string }) => lock.lock), ["never", "app"]);
});

Deno.test("who may not list is told to name the locks", async () => {
  const stores: LockStores = {
    ...memoryStores(),
    listRecords: () => Promise.reject(new StoreError("refused", "cannot list secrets: forbidden.")),
  };
  const error = await assertRejects(
    () => listCommand(list(), stage().context, opening(stores)),
    CliError,
    "k8s-lock list deploy",
  );
  assertEquals(error.code, Exit.unreachable);
});

Deno.test("a store that does not answer at first is asked again, for the request timeout", async () => {
  const memory = memoryStores();
  let failures = 2;
  const stores: LockStores = {
    ...memory,
    listRecords: () =>
      failures-- > 0
        ? Promise.reject(new StoreError("unknown", "no answer"))
        : memory.listRecords(),
  };
  const options = { ...list(), requestTimeoutMs: 60_000 };
  assertEquals(await listCommand(options, stage().context, opening(stores)), Exit.done);

  failures = Infinity;
  const error = await assertRejects(
    () => listCommand(list(), stage().context, opening(stores)),
    CliError,
    "no answer",
  );
  assertEquals(error.code, Exit.unreachable);
});
