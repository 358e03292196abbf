/** The commands' code, each loaded only when it is asked for: `--help` must not wait for a Kubernetes client. */
import type { Handlers } from "./commands.ts";

/** What the commands of the program do. */
export const handlers: Handlers = {
  async run(options, context) {
    return (await import("./run.ts")).runCommand(options, context);
  },
  async acquire(options, context) {
    return (await import("./acquire.ts")).acquireCommand(options, context);
  },
  async release(options, context) {
    return (await import("./release.ts")).releaseCommand(options, context);
  },
  async verify(options, context) {
    return (await import("./verify.ts")).verifyCommand(options, context);
  },
  async renew(options, context) {
    return (await import("./renew.ts")).renewCommand(options, context);
  },
  async status(options, context) {
    return (await import("./status.ts")).statusCommand(options, context);
  },
  async list(options, context) {
    return (await import("./list.ts")).listCommand(options, context);
  },
  async break(options, context) {
    return (await import("./break.ts")).breakCommand(options, context);
  },
  async migrate(options, context) {
    return (await import("./migrate.ts")).migrateCommand(options, context);
  },
};
