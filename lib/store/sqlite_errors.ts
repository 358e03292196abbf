/** What went wrong with an SQLite file, in people's words. */
import { StoreError } from "../lock/store.ts";

/** Nothing was done, because somebody else is using the file (or has just replaced it): to be tried again. */
export class Busy extends Error {
  /** What traces call it. */
  override readonly name = "Busy";
}

// The primary result codes, https://sqlite.org/rescode.html
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** Errors of the file system that mean that this user may not do it, or nobody may. */
const NOT_WRITABLE = new Set(["EACCES", "EPERM", "EROFS"]);
const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);

/** What `error`, thrown by node:sqlite or node:fs while using the file `path`, means for a request. */
export function explained(error: unknown, path: string): StoreError | Busy {
  const said = shown(error instanceof Error ? error.message : String(error));
  const code = resultCode(error) ?? fileCode(error);
  switch (code) {
    case BUSY:
    case LOCKED:
      return new Busy(said);
    case READONLY:
      return new StoreError(
        "unusable",
        `the lock database ${path} cannot be written: it or its folder is read-only for this user. ` +
          "Give this user the right to write both, or name another file with --local-path.",
      );
    case FULL:
      return new StoreError(
        "refused",
        `the lock database ${path} cannot grow: the disk (or this user's quota) is full. ` +
          "Nothing was written; make room and try again.",
      );
    case CORRUPT:
    case NOTADB:
      return new StoreError(
        "unusable",
        `${path} is not a lock database, or is damaged (${said}). It was left as it is: move it away, ` +
          "or name another file with --local-path.",
      );
    case CANTOPEN:
      return new StoreError(
        "unusable",
        `the lock database ${path} cannot be opened (${said}). Its folder has to be there or to be made, and it and the ` +
          "file to be writable for this user; --local-path names another file.",
      );
    case IOERR:
      // The only one that may come after the change was written.
      return new StoreError(
        "unknown",
        `the disk failed while the lock database ${path} was used (${said})`,
      );
    default:
      return new StoreError("unusable", `the lock database ${path} cannot be used: ${said}`);
  }
}

/** One line of what SQLite said, which quotes the file: what it holds is no text for a terminal. */
function shown(message: string): string {
  const [line = ""] = message.split("\n", 1);
  return line.slice(0, 300).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}

/** Nothing was written for as long as the request could wait. */
export function stillLocked(path: string, waitedMs: number): StoreError {
  return new StoreError(
    "throttled",
    `the lock database ${path} stayed locked for ${
      Math.round(waitedMs / 100) / 10
    } s: another program is writing to it. ` +
      `Nothing was written. Find it with: fuser -v ${path}`,
  );
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  // The extended codes carry the primary one in their low byte.
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  // Deno (2.9) has no code in what `exec` and the constructor throw.
  if (/^database (table )?is locked/.test(error.message)) return BUSY;
  if (/^(attempt to write a )?readonly database/.test(error.message)) return READONLY;
  if (/^database or disk is full/.test(error.message)) return FULL;
  if (/^unable to open database/.test(error.message)) return CANTOPEN;
  return undefined;
}

function fileCode(error: unknown): number | undefined {
  if (!(error instanceof Error && "code" in error && "syscall" in error)) return undefined;
  const code = String(error.code);
  if (NOT_WRITABLE.has(code)) return READONLY;
  if (NO_SPACE.has(code)) return FULL;
  return CANTOPEN;
}
