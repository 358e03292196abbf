/** The command under `run`: what it is told, what becomes of its exit code, and what ends it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { FaultProxy } from "../support/cluster/fault_proxy.ts";
import { withLock } from "../support/lock_site.ts";
import { startWork } from "../support/work.ts";

const TTL = ["--ttl", "6s"];

Deno.test("the command's exit code is passed on, and the last line says whose it is", () =>
  withLock(async (site) => {
    const own = ["run", "deploy", "--log-format", "json", "--", "sh", "-c", "exit 12"];
    const { code, stderr } = await site.call("user", own);
    assertEquals(code, 12);
    const last = JSON.parse(stderr.split("\n").at(-1) ?? "");
    assertEquals([last.exit_code, last.exit_by], [12, "command"]);
    const killed = await site.call("user", ["run", "deploy", "--", "sh", "-c", "kill -9 $$"]);
    assertEquals(killed.code, 137);
  }));

Deno.test("a command that is not there is 127, one that cannot be executed 126, before anybody waits", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    await site.run("holder", work);
    await work.begun;
    const missing = await site.call("user", ["run", "deploy", "--", "no-such-command"]);
    assertEquals(missing.code, 127, missing.stderr);
    const unfit = await site.call("user", ["run", "deploy", "--", site.folder]);
    assertEquals(unfit.code, 126, unfit.stderr);
    assertEquals(site.outside.tickets, []);
  }));

Deno.test("the command knows lock, grant, token and slot, and not the kubeconfig of ours", () =>
  withLock(async (site) => {
    const { KUBECONFIG = "", ...env } = await site.environment("user");
    const secret = Buffer.from(await readFile(KUBECONFIG)).toString("base64");
    const given = { K8S_LOCK_KUBECONFIG_DATA: secret, KUBECONFIG: "", MINE: "kept" };
    const args = ["run", "deploy", "-n", site.namespace, "--", "env"];
    const { code, stdout, stderr } = await site.call("user", args, { env: { ...env, ...given } });
    assertEquals(code, 0, stderr);
    const told = new Map(
      stdout.split("\n").map((line) => {
        const [name = "", ...value] = line.split("=");
        return [name, value.join("=")];
      }),
    );
    const { grant, token } = site.outside.record?.history[0] ?? {};
    assertEquals(
      ["NAME", "GRANT", "TOKEN", "SLOT", "SLOT_NAME"].map((one) => told.get(`K8S_LOCK_${one}`)),
      ["deploy", grant, String(token), "0", ""],
    );
    assertEquals([told.get("MINE"), told.has("K8S_LOCK_KUBECONFIG_DATA")], ["kept", false]);
  }));

Deno.test("verify inside the command knows which hold is meant, and outside there is none", () =>
  withLock(async (site) => {
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const verify = [Deno.execPath(), "run", "-A", main, "verify", "deploy"];
    const inside = await site.call("user", ["run", "deploy", "--", ...verify]);
    assertEquals(inside.code, 0, inside.stderr);
    assertEquals((await site.call("user", ["verify", "deploy"])).code, 14);
  }));

Deno.test("no credential is in any output, at -v, whatever goes wrong", () =>
  withLock(async (site) => {
    const { token, kubeconfig } = await site.cluster.createServiceAccount(site.namespace, "nobody");
    const secret = Buffer.from(await readFile(kubeconfig.path)).toString("base64");
    const env = { KUBECONFIG: "", K8S_LOCK_KUBECONFIG_DATA: secret };
    const refused = await site.call("user", ["run", "deploy", "-v", "--", "true"], { env });
    assertEquals(refused.code, 11);
    assertStringIncludes(refused.stderr, "nobody");
    await site.cluster.grant({
      namespace: site.namespace,
      to: { serviceAccount: "nobody" },
      rules: [{ apiGroups: ["", "coordination.k8s.io"], resources: ["*"], verbs: ["*"] }],
    });
    const args = ["run", "deploy", "-v", "--log-format", "json", "--", "env"];
    const allowed = await site.call("user", args, { env });
    assertEquals(allowed.code, 0, allowed.stderr);
    for (const { stdout, stderr } of [refused, allowed]) {
      for (const hidden of [token, secret, secret.slice(40, 80)]) {
        assert(!`${stdout}${stderr}`.includes(hidden), stderr);
      }
    }
  }));

Deno.test("not got in time is 10, or what --conflict-exit-code says, and names the holder", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work");
    await site.run("holder", work);
    await work.begun;
    const limits = [
      [["--timeout", "0"], 10, "is not free"],
      [["--timeout", "1s", "--max-attempts", "9"], 10, "within 1 s"],
      // An attempt is a wait of ten seconds.
      [["--timeout", "1h", "--max-attempts", "1"], 10, "within 10 s"],
      [["--timeout", "0", "--conflict-exit-code", "75"], 75, "is not free"],
    ] as const;
    await Promise.all(limits.map(async ([args, expected, words]) => {
      const { code, stderr } = await site.call("user", ["run", "deploy", ...args, "--", "true"]);
      assertEquals(code, expected, stderr);
      assertStringIncludes(stderr, words);
      assertStringIncludes(stderr, "held by holder");
    }));
    await site.outside.queued(0);
  }));

Deno.test("a hold that lasts longer than --max-hold is ended with 12 and given back", () =>
  withLock(async (site) => {
    using work = await startWork(site, "work", "say begun; sleep 1000");
    const holder = await site.run("holder", work, { args: ["--max-hold", "1s"] });
    await work.begun;
    const { code, stderr } = await holder.end();
    assertEquals(code, 12, stderr);
    assertStringIncludes(stderr, "--max-hold");
    await work.dead;
    assertEquals(site.outside.record?.holders, []);
  }));

Deno.test("with --on-lost warn a lost lock is told, and the command goes on to its own end", () =>
  withLock(async (site) => {
    await using proxy = await FaultProxy.toUrl(site.cluster.server);
    using work = await startWork(site, "work");
    using next = await startWork(site, "next");
    const args = [...TTL, "--on-lost", "warn"];
    const holder = await site.run("holder", work, { args, server: proxy.url });
    await work.begun;
    await site.run("next", next, { args: TTL });
    await site.outside.queued(1);
    proxy.stall();
    await next.begun;
    proxy.resume();
    await work.finish(3);
    const { code, stderr } = await holder.end();
    assertEquals(code, 3, stderr);
    assertStringIncludes(stderr, "lost deploy");
    assertEquals(site.outside.record?.holders.map(({ holder }) => holder), ["next"]);
  }));

Deno.test("K8S_LOCK_BYPASS goes on without any lock, says so, and needs a reason", () =>
  withLock(async (site) => {
    const mark = await site.cluster.auditMark();
    const args = ["run", "deploy", "--", "sh", "-c", "exit 4"];
    const with_ = (reason: string) => site.call("user", args, { env: { K8S_LOCK_BYPASS: reason } });
    const bypassed = await with_("the cluster burns");
    assertEquals(bypassed.code, 4);
    assertStringIncludes(bypassed.stderr, "the cluster burns");
    assertEquals((await with_("")).code, 2);
    assertEquals(await site.audit(mark), []);
  }));
