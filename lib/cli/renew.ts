import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { RenewOptions } from "./options.ts";

export function renewCommand(_options: RenewOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "renew is not built yet"));
}
