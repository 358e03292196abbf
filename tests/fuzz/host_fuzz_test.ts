/** State files and databases as others, or a dying disk, might leave them. */
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readState, readStates, writeState } from "../../lib/host/state.ts";
import { StateError } from "../../lib/host/state_folder.ts";
import { StoreError } from "../../lib/lock/store.ts";
import { sqliteStores } from "../../lib/store/sqlite_store.ts";
import { folder } from "../host/fixtures/folder.ts";
import { anyText, assertSayable, exactly, fuzz, hurtBytes, hurtJson } from "./fuzz.ts";

const GRANT = "0a1b2c3d4e5f";
const STATE = JSON.stringify({
  version: 1,
  lock: "deploy",
  object: "secret/ci/k8s-lock-deploy",
  store_address: "https://cluster.example:6443 ci",
  namespace: "ci",
  grant: GRANT,
  holder: "o/r deploy #1",
  token: 7,
  phase: "held",
  ttl_seconds: 60,
  acquired_at: "2026-01-31T12:00:00.000Z",
  renewer_pid: 4711,
  renewer_started: "12345",
  watch_pid: null,
  job: "42",
  connection: { kubeconfig: ["/etc/kube/config"], context: "prod" },
  last_renewed_at: "2026-01-31T12:00:10.000Z",
  last_error: null,
  lost: null,
  of_a_later_version: { kept: true },
});

Deno.test("whatever stands in a state file is read or named with what is wrong, and what is read is written back as it was", async () => {
  using here = folder();
  const file = join(here.path, `${GRANT}.json`);
  await fuzz(hurtJson(STATE), 1500, (text) => {
    writeFileSync(file, text, { mode: 0o600 });
    const { states, damaged } = readStates(here.path);
    assertEquals(states.length + damaged.length, 1);
    for (const { why } of damaged) assertSayable(why);
    try {
      const state = readState(here.path, GRANT);
      if (state === null || state.grant !== GRANT) return;
      writeState(here.path, state);
      assertEquals(readState(here.path, GRANT)?.grant, GRANT);
      assertEquals(exactly(readFileSync(file, "utf8")), exactly(text.toWellFormed()));
    } catch (error) {
      assert(error instanceof StateError, `${error}`);
      assertSayable(error.message);
      assertEquals(readFileSync(file, "utf8"), text.toWellFormed());
    }
  });
});

Deno.test("whatever became of a database is read or refused in a sentence, and one that is refused stays as it is", async () => {
  using here = folder();
  const whole = join(here.path, "whole.db");
  const stores = sqliteStores(whole);
  const lock = stores.open("deploy", "deploy");
  await lock.createRecord("x".repeat(9000));
  for (const grant of ["one", "two", "three"]) {
    await lock.createTicket({ grant, holder: "someone", text: "y".repeat(900) });
  }
  stores.close();
  const valid = readFileSync(whole);
  const file = join(here.path, "hurt.db");
  await fuzz(fc.oneof(hurtBytes(valid), anyText.map(bytesOf)), 150, async (bytes) => {
    for (const ending of ["", "-wal", "-shm"]) remove(file + ending);
    writeFileSync(file, bytes, { mode: 0o600 });
    const hurt = sqliteStores(file, { requestTimeoutMs: 500 });
    try {
      const one = hurt.open("deploy", "deploy");
      const refused = [
        await told(one.readRecord()),
        await told(one.listTickets()),
        await told(hurt.listRecords()),
      ];
      if (refused.includes("first of all")) {
        assertEquals(Uint8Array.from(readFileSync(file)), Uint8Array.from(bytes));
      }
      const record = await one.readRecord().catch(() => null);
      if (record !== null) await told(one.replaceRecord(record, "next"));
      await told(one.createTicket({ grant: "four", holder: "someone", text: "z" }));
    } finally {
      hurt.close();
    }
  });
});

/** What a request came to: `fine`, or refused in a sentence of the right kind; `first of all` where the file was not even opened. */
async function told(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return "fine";
  } catch (error) {
    assert(error instanceof StoreError, `${error instanceof Error ? error.stack : error}`);
    assertSayable(error.message);
    return /is not a lock database|another program|newer/.test(error.message)
      ? "first of all"
      : "refused";
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
