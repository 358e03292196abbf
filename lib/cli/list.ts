import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { ListOptions } from "./options.ts";

export function listCommand(_options: ListOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "list is not built yet"));
}
