/**
 * The two forms of a record where version 3 of this program may read it: its number under a key of its own, everything else beside
 * it. For the lock both are one text.
 */
import { UNKNOWN_IDENTITY } from "./identity.ts";
import { parseJson } from "./json.ts";
import { emptyRecord, encodeRecord } from "./record.ts";

/**
 * The record's text from its two parts.
 *
 * @param lock what we wrote; undefined where only version 3 wrote, which knows no other key than its own
 * @param nextBuild as it stands there. What is no number makes a text that `parseRecord` refuses
 */
export function joined(lock: string | undefined, nextBuild: string): string {
  // What `echo 42 | base64` gives ends with a line break; version 3's shell took that off, too.
  const digits = nextBuild.replace(/[\r\n]+$/, "");
  const number = /^\d{1,15}$/.test(digits) ? Number(digits) : digits;
  if (lock === undefined) {
    const empty = encodeRecord({ ...emptyRecord(UNKNOWN_IDENTITY), order: "sequential" });
    return JSON.stringify({ ...JSON.parse(empty), next_build: number });
  }
  try {
    const fields = parseJson(lock);
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return lock;
    return JSON.stringify({ ...fields, next_build: number });
  } catch {
    return lock;
  }
}

/** A record's text as its two parts; `nextBuild` null for one in today's form. */
export function parted(text: string): { readonly lock: string; readonly nextBuild: string | null } {
  // Most are in today's form.
  if (!text.includes('"next_build"')) return { lock: text, nextBuild: null };
  const { next_build: number, ...fields } = parseJson(text) as Record<string, unknown>;
  return typeof number === "number"
    ? { lock: JSON.stringify(fields), nextBuild: String(number) }
    : { lock: text, nextBuild: null };
}
