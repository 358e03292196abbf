/** SIGINT and SIGTERM at every moment of a run: ticket and lock are given back, and nothing is left. */
import { assertEquals } from "@std/assert";
import { type LockSite, withLock } from "../support/lock_site.ts";
import type { Program } from "../support/program.ts";
import { RequestProxy } from "../support/request_proxy.ts";
import { startWork, type Work } from "../support/work.ts";

const SIGNALS = [["SIGINT", 130], ["SIGTERM", 143]] as const;
/** What a claim is, to the server. */
const CLAIM = { method: "PUT", path: "/secrets/" };

/** Nobody holds, nobody has the turn, no ticket stands; and the next one finds it free. */
async function nothingIsLeft(site: LockSite): Promise<void> {
  await site.outside.queued(0);
  const { holders = [], turn = [] } = site.outside.record ?? {};
  assertEquals([holders, turn], [[], []]);
  const { code, stderr } = await site.call("later", [
    "run",
    "deploy",
    "--timeout",
    "0",
    "--",
    "true",
  ]);
  assertEquals(code, 0, stderr);
}

/** One that holds, and one that waits for it through a proxy. */
async function holderAndWaiter(
  site: LockSite,
  test: (
    actors: { holder: Program; held: Work; waiter: Program; proxy: RequestProxy },
  ) => Promise<void>,
): Promise<void> {
  await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
  using held = await startWork(site, "held");
  const holder = await site.run("holder", held);
  await held.begun;
  const waiter = await site.run("waiter", {
    command: ["sh", "-c", `echo ran > ${site.folder}/ran`],
  }, {
    server: proxy.url,
    args: ["--request-timeout", "1s"],
  });
  await site.outside.queued(1);
  await waiter.line("to look at it");
  await test({ holder, held, waiter, proxy });
}

for (const [signal, code] of SIGNALS) {
  Deno.test(`${signal} while waiting gives the ticket back and exits ${code}`, () =>
    withLock((site) =>
      holderAndWaiter(site, async ({ holder, held, waiter }) => {
        waiter.kill(signal);
        assertEquals((await waiter.end()).code, code);
        await site.outside.queued(0);
        await held.finish();
        assertEquals((await holder.end()).code, 0);
        await nothingIsLeft(site);
      })
    ));

  Deno.test(`${signal} at the turn, before the claim, gives the turn back and exits ${code}`, () =>
    withLock((site) =>
      holderAndWaiter(site, async ({ held, waiter, proxy }) => {
        proxy.pauseWatches();
        await held.finish();
        await site.outside.seen("a turn", ({ turn }) => turn.length === 1);
        waiter.kill(signal);
        assertEquals((await waiter.end()).code, code);
        await nothingIsLeft(site);
      })
    ));

  Deno.test(`${signal} with a claim that lands late exits ${code}, and the late one changes nothing`, () =>
    withLock((site) =>
      holderAndWaiter(site, async ({ held, waiter, proxy }) => {
        const claim = proxy.holdRequest(CLAIM);
        await held.finish();
        await claim.caught;
        waiter.kill(signal);
        assertEquals((await waiter.end()).code, code);
        assertEquals(await claim.pass(), 409);
        await nothingIsLeft(site);
      })
    ));

  Deno.test(`${signal} with a claim of a free lock that lands late exits ${code}, and the late one changes nothing`, () =>
    withLock(async (site) => {
      assertEquals((await site.call("before", ["run", "deploy", "--", "true"])).code, 0);
      await using proxy = await RequestProxy.to(site.cluster.kubeconfig);
      const claim = proxy.holdRequest(CLAIM);
      const options = { server: proxy.url, args: ["--request-timeout", "1s"] };
      const run = await site.run("user", { command: ["true"] }, options);
      await claim.caught;
      run.kill(signal);
      assertEquals((await run.end()).code, code);
      assertEquals(await claim.pass(), 409);
      await nothingIsLeft(site);
    }));

  Deno.test(`${signal} with a claim whose answer is lost gives the lock back and exits ${code}`, () =>
    withLock((site) =>
      holderAndWaiter(site, async ({ held, waiter, proxy }) => {
        const claim = proxy.holdRequest(CLAIM);
        await held.finish();
        await claim.caught;
        proxy.pauseWatches();
        assertEquals(await claim.lose(), 200);
        waiter.kill(signal);
        assertEquals((await waiter.end()).code, code);
        await nothingIsLeft(site);
        assertEquals(await site.read("ran"), "");
      })
    ));

  Deno.test(`${signal} while holding ends the command, gives the lock back and exits ${code}`, () =>
    withLock(async (site) => {
      // Not one long sleep: a shell may lose a SIGINT that comes just as it becomes that program.
      using held = await startWork(site, "held", "say begun; while :; do sleep 0.05; done");
      const holder = await site.run("holder", held);
      await held.begun;
      holder.kill(signal);
      assertEquals((await holder.end()).code, code);
      await held.dead;
      await nothingIsLeft(site);
    }));
}
