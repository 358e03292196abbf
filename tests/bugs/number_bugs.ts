/** Bugs in how turns are taken by run number. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const BY_NUMBER: readonly Bug[] = [
  {
    name: "whoever comes may claim, whatever its number",
    breaks: "exclusion",
    from: 'if (isV3(record) && me.number !== record.next_build) return "not_my_turn";',
    to: "",
  },
  {
    name: "those of every number are named",
    breaks: "order by number",
    from: "number === undefined || numberOf(ticket) === number",
    to: "number === undefined || numberOf(ticket) !== null",
  },
  {
    name: "the number moves on while others of the run wait",
    breaks: "order by number",
    from: "waitsFor(record, done, tickets) ? done : done + 1",
    to: "done + 1",
  },
  {
    name: "the number moves on while another holds",
    breaks: "exclusion",
    from: "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    to: "isV3(record) && record.next_build <= done;",
  },
  {
    name: "a number that moved on is taken back",
    breaks: "order by number",
    from: "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    to: "isV3(record) && record.holders.length === 0;",
  },
  {
    name: "a number that was set back stays there",
    breaks: "no stuck lock",
    from: "isV3(record) && record.holders.length === 0 && record.next_build <= done;",
    to: "isV3(record) && record.holders.length === 0 && record.next_build === done;",
  },
  {
    name: "one that gives up leaves a hole",
    breaks: "no stuck lock",
    from: "return helpedOn({ ...record, given_up: numbers }, tickets);",
    to: "return helpedOn(record, tickets);",
  },
  {
    name: "a run that gave up is passed although another of its jobs waits",
    breaks: "order by number",
    from: "while (given_up.includes(next) && !waitsFor(record, next, tickets)) next++;",
    to: "while (given_up.includes(next)) next++;",
  },
  {
    name: "a call that nobody stands in any more is taken off, and the number left",
    breaks: "no stuck lock",
    from: "return deserted ? passOver(record, tickets) : settle(record, tickets);",
    to: "return settle(record, tickets);",
  },
  {
    name: "a number is passed over after a short call",
    breaks: "order by number",
    from: "    leastStand(record, called),\n",
    to: "    0,\n",
  },
  {
    name: "a number that somebody came with is passed",
    breaks: "exclusion",
    from: "return holeIn(record, tickets) === number ? movedTo",
    to: "return record.next_build === number ? movedTo",
  },
  {
    name: "a held number is a hole",
    breaks: "exclusion",
    from: "const isFree = isV3(record) && record.freeze === null && record.holders.length === 0;",
    to: "const isFree = isV3(record) && record.freeze === null;",
  },
  {
    name: "no answer about a run is taken for one",
    breaks: "exclusion",
    from: 'if (hole.fate?.kind === "over" && isFresh) return hole.fate.why;',
    to: 'if (hole.fate !== null && hole.fate.kind !== "not_over") return hole.fate.why;',
  },
  {
    name: "an answer about a run counts however old it is",
    breaks: "exclusion",
    from: "const isFresh = d.now < hole.toldAt + ANSWER_COUNTS_MS;",
    to: "const isFresh = true;",
  },
  {
    name: "who gave up is forgotten when version 3 wipes it",
    breaks: "no stuck lock",
    from: "d.gaveUp = [...new Set([...d.gaveUp, ...given_up])].filter",
    to: "d.gaveUp = [...new Set(given_up)].filter",
  },
  {
    name: "who gave up is remembered when its number was passed",
    breaks: "no stuck lock",
    from: ".filter((number) => number >= next_build);",
    to: ".filter((number) => number >= 0 * next_build);",
  },
  {
    name: "an outage counts for --skip-after",
    breaks: "exclusion",
    from: 'else if (why === "outage") d.hole = { ...hole, since: d.now };',
    to: "",
  },
  {
    name: "nobody waits after a holder's entry was wiped",
    breaks: "exclusion",
    from: `    learnDeleted(d, "overwritten");
`,
    to: "",
  },
  {
    name: "one that was wiped out leaves its number",
    breaks: "no stuck lock",
    from: "if (d.hold?.gone && !mayHandOn(d)) return finish(d, result);",
    to: "if (d.hold?.gone) return finish(d, result);",
  },
  {
    name: "a release by number trusts a list of a moment ago",
    breaks: "order by number",
    from: 'const when = known !== null && isV3(known.record) ? "now" : "lately";',
    to: 'const when = "lately";',
  },
  {
    name: "one that gives up takes its ticket away first",
    breaks: "no stuck lock",
    from: "  if (owesNumber(d)) {\n",
    to: "  if (d.ticket === null && owesNumber(d)) {\n",
  },
  {
    name: "one that tries once leaves a hole",
    breaks: "no stuck lock",
    from: `  if (owesNumber(d)) leave(d, { kind: "busy" }, LEAVE_PATIENCE_MS);
  else finish`,
    to: "  finish",
  },
  {
    name: "a missing record is made with the number of whoever comes first",
    breaks: "order by number",
    from: "next_build: d.lowest };",
    to: "next_build: d.config.orderKey ?? d.lowest };",
  },
  {
    name: "one whose number was passed waits on",
    breaks: "no stuck lock",
    from: "orderKey < known.record.next_build) {",
    to: "orderKey < 0) {",
  },
  {
    name: "a hold goes on whose number was moved on",
    breaks: "exclusion",
    from: "if (next !== undefined && hold.number !== null && next > hold.number) {",
    to: "if (next !== undefined && hold.number !== null && next < 0) {",
  },
  {
    name: "a ticket of a passed number stays",
    breaks: "no stuck lock",
    from: "return isV3(record) && number !== null && number < record.next_build;",
    to: "return false;",
  },
];
