import { assert, assertEquals, assertThrows } from "@std/assert";
import { addToSummary, escapeMarkdown, setOutputs, workflowCommand } from "../../lib/ci/github.ts";

Deno.test("outputs are appended between lines that no value can forge", () => {
  const file = Deno.makeTempFileSync();
  Deno.writeTextFileSync(file, "earlier=1\n");
  const forged = "x\nk8s_lock_guess\nacquired=true";
  const written = setOutputs(
    { GITHUB_OUTPUT: file },
    new Map([["acquired", "false"], ["holder", forged]]),
  );
  assertEquals(written, { outcome: "written" });
  const lines = Deno.readTextFileSync(file).split("\n");
  assertEquals(lines[0], "earlier=1");
  const end = lines[1]?.split("<<")[1] ?? "";
  assert(end.length > 30);
  assertEquals(lines.slice(1, 4), [`acquired<<${end}`, "false", end]);
  assert(lines[4]?.startsWith("holder<<") && !lines[4].includes(end));
  Deno.removeSync(file);
});

Deno.test("a delimiter that is in the value is never used", () => {
  assertThrows(
    () => setOutputs({ GITHUB_OUTPUT: "/dev/null" }, new Map([["a", "xEND"]]), () => "END"),
    TypeError,
  );
  assertThrows(() => setOutputs({}, new Map([["a\nb", ""]])), TypeError);
});

Deno.test("outside a step there is nothing to write to", () => {
  assertEquals(setOutputs({}, new Map([["a", "b"]])), { outcome: "absent" });
  assertEquals(addToSummary({ GITHUB_STEP_SUMMARY: "" }, "x"), { outcome: "absent" });
});

Deno.test("an output file that cannot be written is told, not thrown", () => {
  const written = addToSummary({ GITHUB_STEP_SUMMARY: "/dev/null/x" }, "x");
  assertEquals(written.outcome, "failed");
});

Deno.test("a workflow command keeps its message on one line", () => {
  assertEquals(
    workflowCommand("error", "100% bad\r\n::set-output::x", { title: "a:b,c" }),
    "::error title=a%3Ab%2Cc::100%25 bad%0D%0A::set-output::x",
  );
  assertEquals(workflowCommand("debug", "x"), "::debug::x");
});

Deno.test("a text in a summary is neither markup nor HTML", () => {
  const escaped = escapeMarkdown("<img src=x> [a](b) | `c` *d*\n# e");
  assert(!/[<>[\]()|`*\n]/.test(escaped), escaped);
  assert(escaped.startsWith("&lt;img src=x&gt;"));
});
