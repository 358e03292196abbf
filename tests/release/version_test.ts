import { assertEquals } from "@std/assert";
import { VERSION } from "../../lib/cli/version.ts";

Deno.test("the program says the version that deno.json has, by which a release is named", async () => {
  const { version } = JSON.parse(
    await Deno.readTextFile(new URL("../../deno.json", import.meta.url)),
  );
  assertEquals(VERSION, version);
});
