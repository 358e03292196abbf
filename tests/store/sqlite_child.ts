/**
 * Another process that uses a lock database. Started by the tests as `<mode> <path>`, also as a bundle on Node, so without `Deno.`; it says
 * what happens in lines on stdout.
 *
 * - `count N`: adds 1 to the number in the record, N times, and says each new number once it is acknowledged; makes the record when it is
 *   missing
 * - `answer`: for each `ping N` that appears in the record writes `pong N`, until it finds `end`
 * - `powerless`: tries a read and a write as a user who owns nothing, and says how they ended
 */
import process from "node:process";
import { StoreError } from "../../lib/lock/store.ts";
import type { LockStore, StoredRecord } from "../../lib/lock/store.ts";
import { sqliteStores } from "../../lib/store/sqlite_store.ts";

const OBJECT = "shared";
const [mode, path = "", argument] = process.argv.slice(2);

async function count(lock: LockStore, times: number): Promise<void> {
  let done = 0;
  while (done < times) {
    try {
      const base = await lock.readRecord() ?? await lock.createRecord("0");
      const { text } = await lock.replaceRecord(base, `${Number(base.text) + 1}`);
      done++;
      say(text);
    } catch (error) {
      // `unknown` is the answer of a database that is deleted under the write.
      const again = error instanceof StoreError &&
        ["conflict", "exists", "missing", "unknown"].includes(error.kind);
      if (!again) throw error;
    }
  }
}

function answer(lock: LockStore): Promise<void> {
  return new Promise((resolve, reject) => {
    const watch = lock.watchRecord("", 1, (event) => {
      if (event.kind === "ended") reject(event.error);
      if (event.kind !== "record") return;
      if (event.record.text === "end") {
        watch.close();
        resolve();
      } else if (event.record.text.startsWith("ping")) {
        lock.replaceRecord(event.record, event.record.text.replace("ping", "pong")).catch(reject);
      }
    });
    say("watching");
  });
}

async function powerless(lock: LockStore): Promise<void> {
  const NOBODY = 65534;
  if (process.getuid?.() === 0) {
    process.setgid?.(NOBODY);
    process.setuid?.(NOBODY);
  }
  say(await outcome(lock.readRecord()));
  say(await outcome(lock.createRecord("one")));
}

async function outcome(asked: Promise<StoredRecord | null>): Promise<string> {
  try {
    return `answered ${(await asked)?.text ?? "nothing"}`;
  } catch (error) {
    return error instanceof StoreError ? `${error.kind} ${error.message}` : `threw ${error}`;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const stores = sqliteStores(path);
const lock = stores.open(OBJECT, OBJECT);
if (mode === "count") await count(lock, Number(argument));
else if (mode === "answer") await answer(lock);
else if (mode === "powerless") await powerless(lock);
else throw new Error(`no such mode: ${mode}`);
stores.close();
