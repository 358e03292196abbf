/** A store that takes something out of what is written to it, as a mutating webhook may. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import type { Client } from "../sim/client.ts";
import {
  calmWorld,
  ENDLESS,
  holderOf,
  requests,
  ticketsStanding,
  untilItIsOver,
  untilItWorks,
  waiter,
} from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";

/** From now on nobody of that name gets into the record, whoever writes it. */
function strip(world: World, name: string): void {
  const { core } = world;
  const replace = core.replaceRecord.bind(core);
  core.replaceRecord = (object, base, text) => {
    const record = JSON.parse(text);
    record.holders = record.holders.filter(({ holder }: { holder: string }) => holder !== name);
    return replace(object, base, JSON.stringify(record));
  };
}

function assertTold(client: Client): void {
  const { result } = client.state;
  assert(result?.kind === "refused", `${result?.kind}`);
  assertStringIncludes(result.message, "came back without");
}

Deno.test("one whose entry is taken out of what it writes ends with that said, and nothing of it stays", () => {
  const world = calmWorld();
  strip(world, "stripped");
  const client = world.start("stripped", {}, ENDLESS);
  untilItIsOver(world, client, 5_000);
  assertTold(client);
  assertLess(requests(world, client).length, 12);
  assertEquals(world.record()?.holders, []);
});

Deno.test("a waiter whose entry is taken out ends with that said, and the next one holds", () => {
  const world = calmWorld();
  strip(world, "stripped");
  const holder = holderOf(world, "holder");
  const [stripped, next] = [waiter(world, "stripped"), waiter(world, "next")];
  holder.signal();
  untilItWorks(world, next, 5_000);
  untilItIsOver(world, stripped);
  assertTold(stripped);
  world.run(() => ticketsStanding(world).length === 0, 5_000, "a ticket stays");
});

Deno.test("a holder whose entry is taken out by its own renewal has lost the lock at once", () => {
  const world = calmWorld();
  const holder = holderOf(world, "holder");
  strip(world, "holder");
  const before = world.time.now;
  untilItIsOver(world, holder);
  assertEquals(holder.state.result?.kind, "lost");
  assertLess(world.time.now - before, holder.state.config.ttlMs / 2);
});

Deno.test("a waiter whose ticket does not come back as it was made ends with that said, and leaves none", () => {
  const world = calmWorld();
  holderOf(world, "holder");
  const { core } = world;
  const create = core.createTicket.bind(core);
  core.createTicket = (object, ticket) => create(object, { ...ticket, text: "{}" });
  const client = world.start("stripped");
  untilItIsOver(world, client, 5_000);
  assertTold(client);
  world.run(() => ticketsStanding(world).length === 0, 5_000, "its ticket stays");
  assertEquals(requests(world, client).filter((kind) => kind === "create_ticket").length, 1);
});
