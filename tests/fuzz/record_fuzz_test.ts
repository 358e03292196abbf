/** Records and tickets as others might leave them: what the program does with them, and that it never writes over what it cannot read. */
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { Damaged } from "../../lib/lock/parse.ts";
import { encodeRecord, encodeTicket, parseRecord, parseTicket } from "../../lib/lock/record.ts";
import { lockRecord, ticket, v3Record } from "../lock/arbitraries.ts";
import { MemoryCore, memoryStores } from "../../lib/store/memory_store.ts";
import { assertSayable, exactly, fuzz, fuzzSideBySide, hurtJson } from "./fuzz.ts";
import { type Living, living } from "./living.ts";

const OBJECT = "k8s-lock-deploy";

const hurtRecord = fc.oneof(lockRecord, v3Record).chain((record) => hurtJson(encodeRecord(record)));
const hurtTicket = ticket.chain((each) => hurtJson(encodeTicket(each)));

function read<T>(parse: (stored: string) => T, stored: string): T | null {
  try {
    return parse(stored);
  } catch (error) {
    assert(error instanceof Damaged, `${error}`);
    assertSayable(error.message);
    return null;
  }
}

const exact = (text: string) => exactly(text) as Record<string, unknown>;

Deno.test("whatever stands where a record belongs is read or refused in a sentence, and what is read is written back as it was", () =>
  fuzz(hurtRecord, 800, (stored) => {
    const record = read(parseRecord, stored);
    if (record === null) return;
    const again = encodeRecord(record);
    assertEquals(encodeRecord(parseRecord(again)), again);
    // The format is that of what stands in it.
    assertEquals({ ...exact(again), version: 0 }, { ...exact(stored), version: 0 });
  }));

Deno.test("whatever stands where a ticket belongs is read or refused in a sentence, and what is read is written back as it was", () =>
  fuzz(hurtTicket, 1500, (stored) => {
    const found = read(parseTicket, stored);
    if (found === null) return;
    const again = encodeTicket(found);
    assertEquals(encodeTicket(parseTicket(again)), again);
    assertEquals(exact(again), exact(stored));
  }));

interface Scene extends Disposable {
  readonly core: MemoryCore;
  readonly holder: Living;
  readonly waits: Living;
}

/** One holds, one waits. */
async function scene(): Promise<Scene> {
  const core = new MemoryCore();
  const stores = memoryStores(core);
  const holder = living(stores.open(OBJECT, OBJECT), "holder");
  await holder.holds;
  const waits = living(stores.open(OBJECT, OBJECT), "waiter");
  const queued = Promise.withResolvers<void>();
  const stop = core.subscribe(({ kind }) => kind === "ticket" && queued.resolve());
  if (core.listTickets(OBJECT).length === 0) await queued.promise;
  stop();
  return {
    core,
    holder,
    waits,
    [Symbol.dispose]: () => [holder, waits].forEach((one) => one.end()),
  };
}

using calm = await scene();
const RECORD = calm.core.readRecord(OBJECT)?.text ?? "";
const TICKET = calm.core.listTickets(OBJECT)[0]?.text ?? "";

Deno.test("a holder and a waiter whose record is hurt beyond reading end with that said, and never write over it", () =>
  fuzzSideBySide(
    hurtJson(RECORD).filter((text) => isDamaged(parseRecord, text)),
    200,
    async (text) => {
      using hurt = await scene();
      const stored = hurt.core.readRecord(OBJECT);
      assert(stored !== null);
      const after = hurt.core.replaceRecord(OBJECT, stored, text);
      for (const client of [hurt.holder, hurt.waits]) {
        const { result } = await client.over;
        assert(result?.kind === "unusable" || result?.kind === "lost", `${result?.kind}`);
        if (result.kind === "unusable") assertSayable(result.message);
        else if (result.lost.kind === "damaged") assertSayable(result.lost.message);
        else assert(false, result.lost.kind);
      }
      assertEquals(hurt.core.readRecord(OBJECT), after, "it was written over");
    },
  ));

Deno.test("a waiter whose ticket is hurt beyond reading is served all the same, or told that a newer version wrote it", () =>
  fuzzSideBySide(
    hurtJson(TICKET).filter((text) => isDamaged(parseTicket, text)),
    100,
    async (text) => {
      using hurt = await scene();
      const [stored] = hurt.core.listTickets(OBJECT);
      assert(stored !== undefined);
      hurt.core.patchTicket(OBJECT, stored, text);
      hurt.holder.end();
      const served = await Promise.race([hurt.waits.holds, hurt.waits.over]);
      const kind = served?.result?.kind;
      assert(kind === undefined || kind === "unusable", kind);
      hurt.waits.end();
      await Promise.all([hurt.holder.over, hurt.waits.over]);
      const left = hurt.core.readRecord(OBJECT)?.text ?? "";
      assertEquals(parseRecord(left).holders, []);
    },
  ));

function isDamaged(parse: (stored: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return false;
  } catch {
    return true;
  }
}
