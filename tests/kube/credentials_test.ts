/** Logins are fetched ahead, by one at a time, and nobody waits for one while another is good. */
import { assertEquals, assertRejects } from "@std/assert";
import { Credentials } from "../../lib/kube/credentials.ts";
import type { Login, Obtained } from "../../lib/kube/credentials.ts";

/** A source whose answers are given by the test. */
function source() {
  const asked: PromiseWithResolvers<Obtained>[] = [];
  return {
    asked,
    obtain() {
      const one = Promise.withResolvers<Obtained>();
      asked.push(one);
      return one.promise;
    },
    close() {},
  };
}

const login = (token: string): Login => ({ headers: { authorization: token }, tls: {} });
const obtained = (token: string, freshForMs = 10, validForMs = 100): Obtained => ({
  login: login(token),
  freshForMs,
  validForMs,
});

/** Credentials with a first login in them, at time 0. */
async function begun() {
  const clock = { now: 0 };
  const from = source();
  const credentials = new Credentials(from, () => clock.now);
  const first = credentials.get();
  from.asked[0]?.resolve(obtained("one"));
  await first;
  return { clock, from, credentials };
}

Deno.test("all who need a first login wait for the same", async () => {
  const from = source();
  const credentials = new Credentials(from);
  const both = Promise.all([credentials.get(), credentials.get()]);
  from.asked[0]?.resolve(obtained("one"));
  assertEquals(await both, [login("one"), login("one")]);
  assertEquals(from.asked.length, 1);
});

Deno.test("while a login is valid nobody waits for the next one", async () => {
  const { clock, from, credentials } = await begun();
  clock.now = 50;
  assertEquals(await credentials.get(), login("one"));
  assertEquals(await credentials.get(), login("one"));
  assertEquals(from.asked.length, 2);
  from.asked[1]?.resolve(obtained("two"));
  await from.asked[1]?.promise;
  await Promise.resolve();
  assertEquals(await credentials.get(), login("two"));
});

Deno.test("a fetch ahead that fails changes nothing, and is tried again later", async () => {
  const { clock, from, credentials } = await begun();
  clock.now = 20;
  await credentials.get();
  from.asked[1]?.reject(new Error("no"));
  await assertRejects(() => from.asked[1]?.promise ?? Promise.resolve());
  assertEquals(await credentials.get(), login("one"));
  assertEquals(from.asked.length, 2);
});

Deno.test("a login that is over is not used, and the failure to get another is told", async () => {
  const { clock, from, credentials } = await begun();
  clock.now = 100;
  const next = credentials.get();
  from.asked[1]?.reject(new Error("no"));
  await assertRejects(() => next, Error, "no");
});

Deno.test("one that the server refused is replaced; where it stays the same there is no other", async () => {
  const { from, credentials } = await begun();
  const refused = await credentials.get();
  const same = credentials.other(refused);
  from.asked[1]?.resolve(obtained("one"));
  assertEquals(await same, null);
  const other = credentials.other(refused);
  from.asked[2]?.resolve(obtained("two"));
  assertEquals(await other, login("two"));
  // A second request with the old one does not fetch again: there is a newer one.
  assertEquals(await credentials.other(refused), login("two"));
  assertEquals(from.asked.length, 3);
});
