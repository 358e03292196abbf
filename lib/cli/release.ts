import type { Context } from "./context.ts";
import { CliError, Exit } from "./errors.ts";
import type { ReleaseOptions } from "./options.ts";

export function releaseCommand(_options: ReleaseOptions, _context: Context): Promise<number> {
  return Promise.reject(new CliError(Exit.bug, "release is not built yet"));
}
