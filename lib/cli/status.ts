import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { StatusOptions } from "./options.ts";

export function statusCommand(_options: StatusOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "status is not built yet"));
}
