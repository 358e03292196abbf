/** `--on-expiry verify` on a real API server: the policy stands in the Secret, and whoever waits heeds it. */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { actionsApiServer, apiJob, jobOn, jobsOf, runningJob } from "../support/actions_api.ts";
import type { ActionsApiServer } from "../support/actions_api.ts";
import { withLock } from "../support/lock_site.ts";
import type { LockSite } from "../support/lock_site.ts";
import { startWork } from "../support/work.ts";

const TOKEN = "ghs_verysecret";

function github(server: ActionsApiServer): Record<string, string> {
  return { ...jobOn(server), K8S_LOCK_GITHUB_TOKEN: TOKEN };
}

/** What stands in the Secret under the key `lock`. */
async function stored(site: LockSite): Promise<string> {
  const { data } = await site.secret() as { readonly data?: Readonly<Record<string, string>> };
  return atob(data?.["lock"] ?? "");
}

Deno.test("a dead holder stays while its job runs, and is passed over when that is over, by one who asked", () =>
  withLock(async (site) => {
    await using server = await actionsApiServer(jobsOf(runningJob()));
    using work = await startWork(site, "work");
    using next = await startWork(site, "next");
    const args = ["--ttl", "5s", "--on-expiry", "verify"];
    const holder = await site.run("holder", work, { args, env: github(server) });
    await work.begun;
    holder.kill("SIGKILL");
    const busy = await site.run("busy", next, {
      args: ["--timeout", "8s"],
      env: github(server),
    });
    const { code, stderr } = await busy.end();
    assertEquals(code, 10, stderr);
    assertStringIncludes(stderr, "its job is not over");
    const record = site.outside.record;
    assertEquals(record?.holders.map(({ holder }) => holder), ["holder"]);
    assertEquals(record?.holders[0]?.on_expiry, "verify");
    assertEquals(JSON.parse(await stored(site)).version, 2);
    server.answer = jobsOf(apiJob());
    const since = performance.now();
    const successor = await site.run("next", next, { env: github(server) });
    await next.begun;
    // It is asked at a third of the TTL, and the program has to start.
    assertLess(performance.now() - since, 5000);
    await next.finish();
    assertEquals((await successor.end()).code, 0);
    const text = await stored(site);
    assertEquals([JSON.parse(text).version, text.includes(TOKEN)], [1, false]);
  }));
