/** Bugs in how turns are taken by run number. */
import type { Mutant } from "./mutant_list.ts";

/** Each has to be noticed. */
export const BY_NUMBER: readonly Mutant[] = ([
  [
    "whoever comes may claim, whatever its number",
    'if (isV3(record) && me.number !== record.next_build) return "not_my_turn";',
    "",
  ],
  [
    "those of every number are named",
    "number === undefined || numberOf(ticket) === number",
    "number === undefined || numberOf(ticket) !== null",
  ],
  [
    "the number moves on while others of the run wait",
    "waitsFor(record, done, tickets) ? done : done + 1",
    "done + 1",
  ],
  [
    "the number moves on while another holds",
    "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    "isV3(record) && record.next_build <= done;",
  ],
  [
    "a number that moved on is taken back",
    "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    "isV3(record) && record.holders.length === 0;",
  ],
  [
    "a number that was set back stays there",
    "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    "isV3(record) && record.holders.length === 0 && record.next_build === done;",
  ],
  [
    "one that gives up leaves a hole",
    "return helpedOn({ ...record, given_up: numbers }, tickets);",
    "return helpedOn(record, tickets);",
  ],
  [
    "a run that gave up is passed although another of its jobs waits",
    "while (given_up.includes(next) && !waitsFor(record, next, tickets)) next++;",
    "while (given_up.includes(next)) next++;",
  ],
  [
    "a call that nobody stands in any more is taken off, and the number left",
    "return deserted ? passOver(record, tickets) : settle(record, tickets);",
    "return settle(record, tickets);",
  ],
  [
    "a number is passed over after a short call",
    "    leastStand(record, called),\n",
    "    0,\n",
  ],
  [
    "a number that somebody came with is passed",
    "return holeIn(record, tickets) === number ? movedTo",
    "return record.next_build === number ? movedTo",
  ],
  [
    "a held number is a hole",
    "const isFree = isV3(record) && record.freeze === null && record.holders.length === 0;",
    "const isFree = isV3(record) && record.freeze === null;",
  ],
  [
    "no answer about a run is taken for one",
    'if (hole.fate?.kind === "over" && isFresh) return hole.fate.why;',
    'if (hole.fate !== null && hole.fate.kind !== "not_over") return hole.fate.why;',
  ],
  [
    "an answer about a run counts however old it is",
    "const isFresh = d.now < hole.toldAt + ANSWER_COUNTS_MS;",
    "const isFresh = true;",
  ],
  [
    "who gave up is forgotten when version 3 wipes it",
    "d.gaveUp = [...new Set([...d.gaveUp, ...given_up])].filter",
    "d.gaveUp = [...new Set(given_up)].filter",
  ],
  [
    "who gave up is remembered when its number was passed",
    ".filter((number) => number >= next_build);",
    ".filter((number) => number >= 0 * next_build);",
  ],
  [
    "an outage counts for --skip-after",
    'else if (why === "outage") d.hole = { ...hole, since: d.now };',
    "",
  ],
  [
    "nobody waits after a holder's entry was wiped",
    '    learnDeleted(d, "overwritten");\n',
    "",
  ],
  [
    "one that was wiped out leaves its number",
    "if (d.hold?.gone && !mayHandOn(d)) return finish(d, result);",
    "if (d.hold?.gone) return finish(d, result);",
  ],
  [
    "a release by number trusts a list of a moment ago",
    'const when = known !== null && isV3(known.record) ? "now" : "lately";',
    'const when = "lately";',
  ],
  [
    "one that gives up takes its ticket away first",
    "  if (owesNumber(d)) {\n",
    "  if (d.ticket === null && owesNumber(d)) {\n",
  ],
  [
    "one that tries once leaves a hole",
    '  if (owesNumber(d)) leave(d, { kind: "busy" }, LEAVE_PATIENCE_MS);\n  else finish',
    "  finish",
  ],
  [
    "a missing record is made with the number of whoever comes first",
    "next_build: d.lowest };",
    "next_build: d.config.orderKey ?? d.lowest };",
  ],
  [
    "one whose number was passed waits on",
    "orderKey < known.record.next_build) {",
    "orderKey < 0) {",
  ],
  [
    "a hold goes on whose number was moved on",
    "if (next !== undefined && hold.number !== null && next > hold.number) {",
    "if (next !== undefined && hold.number !== null && next < 0) {",
  ],
  [
    "a ticket of a passed number stays",
    "return isV3(record) && number !== null && number < record.next_build;",
    "return false;",
  ],
] as const).map(([name, from, to]) => ({ name, from, to }));
