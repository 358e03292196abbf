import { assertEquals } from "@std/assert";
import { parentGone } from "../../lib/host/signals.ts";
import { fixture, start } from "./fixtures/start.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${signal} is told, and told as repeated when it comes again`, async () => {
    const program = start(fixture("signals.ts"));
    await program.says("watching");
    program.kill(signal);
    assertEquals(await program.says("first"), signal);
    program.kill(signal);
    assertEquals(await program.says("again"), signal);
    program.kill(signal);
    assertEquals(await program.exited(), [null, signal]);
  });
}

Deno.test("another signal than the first is told as a first one of its own", async () => {
  const program = start(fixture("signals.ts"));
  await program.says("watching");
  program.kill("SIGINT");
  await program.says("first SIGINT");
  program.kill("SIGTERM");
  await program.says("first SIGTERM");
  program.kill("SIGKILL");
  await program.closed();
});

Deno.test("the death of the parent is told", async () => {
  const parent = start(["/bin/sh", "-c", '"$@" & wait', "sh", ...fixture("signals.ts")]);
  await parent.says("watching");
  parent.kill("SIGKILL");
  await parent.says("orphan");
  await parent.closed();
});

Deno.test("the watch of a parent that lives ends when it is told to", async () => {
  const stop = new AbortController();
  const watch = parentGone(stop.signal).catch((error) => error);
  const why = new Error("enough");
  stop.abort(why);
  assertEquals(await watch, why);
  assertEquals(await parentGone(AbortSignal.abort(why)).catch((error) => error), why);
});
