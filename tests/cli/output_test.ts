import { assert, assertEquals } from "@std/assert";

const chatter = new URL("chatter.ts", import.meta.url).pathname;

/** Runs the chatter by a shell that does something to its output; what it says is its exit code and its stdout. */
async function shell(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", Deno.execPath(), "run", "-A", chatter],
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("a log that nobody reads stops nothing", async () => {
  assertEquals(
    await shell(`("$@"; echo "exit $?") 2> >(exec sleep 5 >/dev/null)`),
    "20 ticks\nexit 7\n",
  );
});

Deno.test("a log that can only be written by blocking stops nothing either", async () => {
  const script = `("$@" thread; echo "exit $?") 2> >(exec sleep 5 >/dev/null)`;
  assertEquals(await shell(script), "20 ticks\nexit 7\n");
  assertEquals(await shell(`("$@" thread; echo "exit $?") 2> >(exec true)`), "20 ticks\nexit 7\n");
});

Deno.test("a log whose reader has gone stops nothing", async () => {
  assertEquals(await shell(`("$@"; echo "exit $?") 2> >(exec true)`), "20 ticks\nexit 7\n");
});

Deno.test("a closed stderr stops nothing", async () => {
  assertEquals(await shell(`("$@" 2>&-; echo "exit $?")`), "20 ticks\nexit 7\n");
});

Deno.test("a full disk under the log stops nothing", async () => {
  assertEquals(await shell(`("$@" 2>/dev/full; echo "exit $?")`), "20 ticks\nexit 7\n");
});

Deno.test("a log in a file is whole, and goes on where it was", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "before\n");
  assertEquals(await shell(`("$@" 2>>"${file}"; echo "exit $?")`), "20 ticks\nexit 7\n");
  const text = await Deno.readTextFile(file);
  assertEquals(text.length, "before\n".length + 20 * 100 * 1001);
  assert(text.startsWith("before\n"));
  await Deno.remove(file);
});

Deno.test("results wait for a slow reader, and none of them is lost", async () => {
  const program = `
    import { openOutput } from ${
    JSON.stringify(new URL("../../lib/cli/output.ts", import.meta.url).href)
  };
    const out = openOutput(1);
    out.write("x".repeat(3_000_000));
    await out.flush(Infinity);`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", `"$1" run -A "$2" | (sleep 1; wc -c)`, "bash", Deno.execPath(), file],
  }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "3000000");
  await Deno.remove(file);
});
