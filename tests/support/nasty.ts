/** Texts that others can write to deceive those who read them, and the eyes of those who would be deceived. */

/** Each tries to be something else than a text. */
export const NASTY: readonly string[] = [
  "::error::forged",
  "\n::error::forged",
  "\r\n ::set-output name=acquired::true",
  "\u2028::warning title=k8s-lock::forged",
  "\u00a0::add-mask::a",
  ":\u200b:stop-commands::x",
  "##[error]forged",
  "a ##[group]b",
  "#\u202e#[section]x",
  "##vso[task.setvariable variable=a;isOutput=true]b",
  "###vso[task.complete result=Succeeded;]",
  "##teamcity[message text='x']",
  "--- forged",
  "+++ :fire: forged",
  "~~~",
  "^^^ +++",
  "section_start:1560896352:forged[collapsed=true]\r\u001b[0K",
  "section_end:1560896352:forged\r\u001b[0K",
  "\u001b]1338;url='https://evil.test';alt='x'\u0007",
  "\u001b[31mred\u001b[0m",
  "\u001b[2J\u001b[1;1H",
  "\u001b]0;title\u0007",
  "\u001b]8;;https://evil.test\u001b\\click\u001b]8;;\u001b\\",
  "\u009b31m",
  "\u009d0;title\u009c",
  "\b\b\b\b",
  "\u0007",
  "\0",
  "\u202eexe.gnp",
  "\u2066a\u2069",
  "\u061cx",
  "\ufeffx\u200fy",
  "\u{e0041}\u{e0042}",
  "k8s_lock_0\nacquired=true",
  "x<<EOF\ny\nEOF",
  "ghadelimiter_1\nacquired=true\nghadelimiter_1",
  "<img src=x onerror=alert(1)>",
  "<details><summary>x</summary>",
  "![x](https://evil.test/x.png)",
  "[x](javascript:alert(1))",
  "https://evil.test",
  "www.evil.test",
  "@octocat #1 | x | y |",
  "**lost** `code` ~~no~~ _x_",
  "\\",
  "&lt;b&gt;&#58;",
  "\ud800",
  "😀".repeat(300),
  "a".repeat(5000),
];

/** What a terminal, a reader or a CI's log would obey in `output`; empty when there is nothing. */
export function obeyed(output: string): string[] {
  const found: string[] = [];
  const look = (what: string, pattern: RegExp) => {
    const match = pattern.exec(output);
    if (match !== null) {
      found.push(`${what}: ${JSON.stringify(output.slice(match.index, match.index + 60))}`);
    }
  };
  // deno-lint-ignore no-control-regex
  look("a control character", /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
  look(
    "an invisible character",
    /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}]/u,
  );
  look("an older command of GitHub, or one of Azure or TeamCity", /##[a-z]*\[/i);
  look("a group of Buildkite", /^\s*(---|\+\+\+|~~~|\^\^\^)/m);
  if (!output.isWellFormed()) found.push("half a character");
  for (const line of output.split("\n")) {
    // Our own are those of the log format github: nobody else's text is in their beginning.
    const own = /^::(debug|(warning|error) title=k8s-lock)::/.test(line);
    if (/^\s*::[a-z]/i.test(line) && !own) found.push(`a command of GitHub: ${line.slice(0, 60)}`);
  }
  return found;
}

/** What a page made of Markdown would have in it beside text: HTML, links, images, code, tables. */
export function markedUp(markdown: string): string[] {
  const text = markdown.replace(/\\[\s\S]/g, "");
  return [
    ["HTML", /<[a-z/!]/i],
    ["a link or an image", /\]\(|\]\[|!\[/],
    ["a link by itself", /[a-z]:\/\/|\bwww\.|@\w/i],
    ["code", /`/],
    ["emphasis", /[*_~]/],
    ["a table", /\|/],
  ].flatMap(([what, pattern]) => (pattern as RegExp).test(text) ? [String(what)] : []);
}

/** The outputs that a runner reads in a file of theirs, by its rules. */
export function outputsOf(file: string): Map<string, string> {
  const outputs = new Map<string, string>();
  const lines = file.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const [name = "", end] = line.split("<<", 2);
    if (end === undefined || line.indexOf("=") >= 0 && line.indexOf("=") < line.indexOf("<<")) {
      if (line !== "") outputs.set(line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1));
      continue;
    }
    const value: string[] = [];
    for (i++; i < lines.length && lines[i] !== end; i++) value.push(lines[i] ?? "");
    outputs.set(name, value.join("\n"));
  }
  return outputs;
}
