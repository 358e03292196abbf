import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { RunOptions } from "./options.ts";

export function runCommand(_options: RunOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "run is not built yet"));
}
