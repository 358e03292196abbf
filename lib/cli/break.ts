import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { BreakOptions } from "./options.ts";

export function breakCommand(_options: BreakOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "break is not built yet"));
}
