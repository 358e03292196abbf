import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { AcquireOptions } from "./options.ts";

export function acquireCommand(_options: AcquireOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "acquire is not built yet"));
}
