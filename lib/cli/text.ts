/**
 * Texts that others can write (names of holders, descriptions, links, reasons, a server's messages), made harmless before
 * they are stored or shown.
 *
 * What they could do otherwise: move the cursor or change a terminal's state (control characters, escape sequences), pretend to
 * be lines of ours (line breaks), read differently from what they are (bidirectional overrides, invisible characters), or command the
 * CI that reads the log (`::set-output`, `##[…]`, `##vso[…]`, the sections of GitLab and Buildkite).
 */
import { stripVTControlCharacters } from "node:util";
import { MAX_TEXT } from "../lock/record.ts";

/** What the eye does not see, and what turns the direction of the text around it. Joiners stay: scripts and emoji need them. */
const INVISIBLE =
  /[\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** Control characters and everything that breaks a line. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Has one of the characters that {@link neutral} takes away. */
export function hasHiddenCharacters(text: string): boolean {
  return text.search(CONTROL) >= 0 || text.search(INVISIBLE) >= 0;
}

/**
 * `text` on one line of at most `most` characters, with nothing in it that a terminal, a reader or a CI would obey.
 *
 * @param most in UTF-16 units; what is longer is cut and ends in `…`
 */
export function neutral(text: string, most = MAX_TEXT): string {
  // Cut first: what follows need not read a megabyte. Removing can only shorten.
  const long = text.length > 4 * most;
  const start = long ? text.slice(0, 4 * most) : text;
  const plain = stripVTControlCharacters(start)
    .replace(CONTROL, " ")
    .replace(INVISIBLE, "")
    // A workflow command of GitHub begins a line; those of Azure Pipelines and older runners stand anywhere in it.
    .replace(/(^|\s)::(?=[a-z])/gi, "$1: :")
    .replace(/##(?=[a-z]*\[)/gi, "# #")
    .trim()
    // Buildkite folds its log at lines that begin so.
    .replace(/^(?:---|\+\+\+|~~~|\^\^\^)/, (mark) => `${mark.slice(0, 1)} ${mark.slice(1)}`);
  return shorten(plain, most, long ? "cut" : "whole");
}

function shorten(text: string, most: number, so: "cut" | "whole"): string {
  if (so === "whole" && text.length <= most) return text.toWellFormed();
  // Not in the middle of a pair of surrogates: what is left of one becomes U+FFFD, which is dropped here.
  const kept = text.slice(0, most - 1).toWellFormed().replace(/\ufffd$/, "");
  return `${kept}…`;
}

/**
 * `url` as it may be shown as a link: only http(s), nothing hidden in it; empty otherwise.
 *
 * A link is what people click in a log, so it must not be a script or a file.
 */
export function neutralLink(url: string): string {
  if (hasHiddenCharacters(url) || url.length > MAX_TEXT || /\s/.test(url)) return "";
  return /^https?:\/\/[^/]/i.test(url) ? url : "";
}

/** `word` as a POSIX shell reads it: as it is where that is safe, else in single quotes. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
