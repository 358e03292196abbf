import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { VerifyOptions } from "./options.ts";

export function verifyCommand(_options: VerifyOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "verify is not built yet"));
}
