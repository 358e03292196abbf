/**
 * Archives (`.tar.gz`) that are the same byte for byte whoever makes them: order, owners, modes and times are given,
 * nothing is taken from the disk. Tar is a format of fixed fields, so it is written here and not by a tool whose
 * defaults differ from system to system.
 */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";

/** A file for an archive. */
export interface Entry {
  /** Its name in the archive: at most 100 bytes, no folder. */
  readonly name: string;
  /** What is in it. */
  readonly content: Uint8Array;
  /** Whether it can be executed. */
  readonly executable: boolean;
}

const BLOCK = 512;

/** The archive of `entries` in this order, each with the time `seconds` since 1970. */
export function tarGz(entries: readonly Entry[], seconds: number): Uint8Array {
  const parts = entries.flatMap(({ name, content, executable }) => [
    header(name, content.length, executable, seconds),
    content,
    new Uint8Array((BLOCK - content.length % BLOCK) % BLOCK),
  ]);
  // Two empty blocks end it.
  parts.push(new Uint8Array(2 * BLOCK));
  return new Uint8Array(gzipSync(Buffer.concat(parts), { level: 9 }));
}

/** The 512 bytes before a file: POSIX's ustar, https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html */
function header(name: string, size: number, executable: boolean, seconds: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (offset: number, length: number, value: number) =>
    put(offset, value.toString(8).padStart(length - 1, "0"));
  if (!/^[\w.-]{1,100}$/.test(name)) throw new Error(`not a name for an archive: ${name}`);
  put(0, name);
  octal(100, 8, executable ? 0o755 : 0o644);
  octal(108, 8, 0); // user
  octal(116, 8, 0); // group
  octal(124, 12, size);
  octal(136, 12, seconds);
  put(148, " ".repeat(8)); // the checksum counts itself as blanks
  put(156, "0"); // an ordinary file
  put(257, "ustar\0" + "00");
  octal(148, 7, block.reduce((sum, byte) => sum + byte, 0));
  return block;
}
