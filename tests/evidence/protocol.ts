/** The sentences of docs/protocol.md, and the rows of its tables: what it says, piece by piece. */

/** `page` without its headings, in pieces, each on one line. */
export function sentencesOf(page: string): string[] {
  return page.split(/\n\s*\n/).map((block) => block.trim()).flatMap((block) => {
    if (block.startsWith("#")) return [];
    if (block.startsWith("|")) return rowsOf(block);
    return block.split(/\n(?=\d+\. |- )/).flatMap(partsOf);
  });
}

/** The rows of a table but for its head. */
function rowsOf(table: string): string[] {
  return table.split("\n").slice(2).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim()).join(" | ")
  );
}

function partsOf(paragraph: string): string[] {
  const text = paragraph.replace(/\s+/g, " ").replace(/^(\d+\.|-) /, "");
  const parts = text.split(/(?<=[.!?)](?:\*\*)?) (?=[A-Z`*(_])/);
  // A title such as "**Exclusion.**" says nothing by itself.
  return parts.filter((part) => !/^\*\*[^*;]*\.\*\*$/.test(part));
}
