import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { neutral, neutralLink, shellQuote } from "../../lib/cli/text.ts";

for (
  const [what, text, shown] of [
    ["plain text", "acme/shop Deploy #42 (é, 日本, 👩‍👩‍👧)", "acme/shop Deploy #42 (é, 日本, 👩‍👩‍👧)"],
    ["colours", "\u001b[31mred\u001b[0m", "red"],
    ["a terminal's title", "a\u001b]0;owned\u0007b", "ab"],
    ["line breaks", "one\r\ntwo\u2028three\u0085four", "one two three four"],
    ["a backspace and a null", "a\bb\0c", "a b c"],
    ["a bidirectional override", "abc\u202edcba\u2066", "abcdcba"],
    ["invisible characters", "a\u200bb\ufeffc\u{e0041}", "abc"],
    ["a workflow command", "::set-output name=x::y", ": :set-output name=x::y"],
    ["a workflow command after a break", "a\n::error::b", "a : :error::b"],
    ["a workflow command behind invisible characters", ":\u200b:error::b", ": :error::b"],
    ["an older workflow command", "a ##[error]b", "a # #[error]b"],
    ["a command of Azure Pipelines", "##vso[task.setvariable]x", "# #vso[task.setvariable]x"],
    ["a command of TeamCity", "##teamcity[x]", "# #teamcity[x]"],
    ["a group of Buildkite", " --- deploy", "- -- deploy"],
    ["an open group of Buildkite", "+++", "+ ++"],
    ["Buildkite's command to open one", "^^^ +++", "^ ^^ +++"],
    ["a section of GitLab", "section_start:1:x\r\u001b[0Ky", "section_start:1:x y"],
    ["dashes inside", "a --- b", "a --- b"],
    ["a C++ name and an address", "std::vector at fe80::1", "std::vector at fe80::1"],
    ["half a surrogate pair", "a\ud83d", "a\ufffd"],
  ] as const
) {
  Deno.test(`${what} is shown harmless`, () => assertEquals(neutral(text), shown));
}

Deno.test("a long text is cut, not in the middle of a character", () => {
  assertEquals(neutral("x".repeat(20), 10), `${"x".repeat(9)}…`);
  assertEquals(neutral("👩".repeat(20), 6), "👩👩…");
  assertEquals(neutral("x".repeat(10), 10), "x".repeat(10));
});

Deno.test("a megabyte of anything becomes a short text at once", () => {
  for (const unit of ["x", "\u001b[", "\n", "##", "::", "\u202e", "\u001b]"]) {
    const began = performance.now();
    assert(neutral(unit.repeat(1_000_000 / unit.length), 512).length <= 512);
    assert(performance.now() - began < 1000, unit);
  }
});

Deno.test("whatever a text is, it stays on one line, short, and commands nobody", () => {
  const nasty = fc.constantFrom(
    ":",
    "::",
    "#",
    "##[",
    "\u001b[",
    "\n",
    "error",
    "\u202e",
    "m",
    " ",
  );
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.array(nasty).map((all) => all.join("")));
  fc.assert(
    fc.property(text, (value) => {
      const shown = neutral(value, 64);
      assert(shown.length <= 64);
      // deno-lint-ignore no-control-regex
      assert(!/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(shown));
      assert(!/^\s*::[a-z]/i.test(shown) && !/##[a-z]*\[/i.test(shown), shown);
      assert(shown.isWellFormed());
    }),
    { numRuns: 3000 },
  );
});

Deno.test("only web pages are links", () => {
  assertEquals(neutralLink("https://github.com/a/b"), "https://github.com/a/b");
  for (
    const url of ["javascript:alert(1)", "file:///etc/passwd", "https://a b", "https://", "x\n"]
  ) {
    assertEquals(neutralLink(url), "");
  }
});

Deno.test("a shell reads a quoted word as it was", async () => {
  const words = ["deploy", "it's", "a b", "$(id)", "`x`", "", "-n", 'a"b', "a\\b", "a;b"];
  const script = `printf '%s\\n' ${words.map(shellQuote).join(" ")}`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  assertEquals(new TextDecoder().decode(stdout).split("\n").slice(0, -1), words);
});
