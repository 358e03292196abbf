/** The list of faults as it stands in docs/evidence.md. */
import { type Fault, FAULTS } from "./faults.ts";

/** Between these two lines the page is made, not written. */
export const MARKS = {
  begin: "<!-- faults: made by `deno task evidence` from tests/evidence/faults.json -->",
  end: "<!-- end of faults -->",
} as const;

/** The page with its table made anew. Without the marks it comes at the end. */
export function withTable(page: string): string {
  const made = `${MARKS.begin}\n\n${table()}\n\n${MARKS.end}\n`;
  const [before = "", rest] = page.split(MARKS.begin);
  if (rest === undefined) return `${page}\n${made}`;
  return `${before}${made}${rest.split(`${MARKS.end}\n`)[1] ?? ""}`;
}

/** As the formatter of Markdown leaves no trace in it. */
export function plain(page: string): string {
  return page.replace(/[ \t]+/g, " ").replace(/-{2,}/g, "---").trim();
}

function table(): string {
  const head = ["| # | fault | what happens | shown by |", "| --- | --- | --- | --- |"];
  return [...head, ...FAULTS.map(row)].join("\n");
}

function row({ number, fault, outcome, tests, missing }: Fault): string {
  const shown = tests.map((test) => {
    const [file = "", name = ""] = test.split("|");
    return `${file.replace(/_test\.ts$|\.ts$/, "")}: ${name.replace(/\$\{\w+\}/g, "…")}`;
  });
  const all = [...shown, ...missing === undefined ? [] : [`**not shown:** ${missing}`]];
  return `| ${number} | ${cell(fault)} | ${cell(outcome)} | ${all.map(cell).join("<br>")} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
