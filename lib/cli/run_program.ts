/** Runs one command line: what to do is parsed, done, and its errors are said. */
import { detectCi } from "../ci/detect.ts";
import type { Ci, Env } from "../ci/detect.ts";
import { commands } from "./commands.ts";
import { completionSpec } from "./completion.ts";
import type { Context } from "./context.ts";
import { CliError, Exit, usage } from "./errors.ts";
import { SPEAKING } from "./flags.ts";
import type { Given } from "./given.ts";
import { handlers } from "./handlers.ts";
import { Logger } from "./log.ts";
import type { LogFormat, LogOptions } from "./log.ts";
import type { Output } from "./output.ts";
import { parse, prepare } from "./program.ts";
import { VERSION } from "./version.ts";

/** What the program touches of its process. */
export interface Edges {
  /** Read only. */
  readonly env: Env;
  /** Results; a failure of it fails the program. */
  readonly stdout: Output;
  /** The log; nobody has to read it. */
  readonly stderr: Output;
  /** Whether a person can answer. */
  readonly stdinIsTerminal: boolean;
}

/** Resolves with the exit code; never rejects. */
export async function runProgram(args: readonly string[], edges: Edges): Promise<number> {
  const { env, stdout, stderr } = edges;
  const ci = detectCi(env);
  // Until the options are read: as they most likely are.
  let log = new Logger(stderr, {
    format: defaultFormat(env, ci),
    level: "info",
    colour: colourOf(env, stderr),
  });
  return await concluded(() => log, stdout, () => {
    const own = commands(handlers);
    const parsed = parse(args, [...own, completionSpec(own)], env);
    if (parsed.kind === "text") {
      stdout.write(parsed.text);
      return Promise.resolve(Exit.done);
    }
    log = new Logger(stderr, logOptions(parsed.given, env, ci, stderr));
    const execute = prepare(parsed, env, ci, (message) => log.warn(message));
    return execute(contextOf(edges, ci, log));
  });
}

/**
 * Does it, and says how it failed, if it did. Resolves with the exit code; never rejects.
 *
 * @param logger the one that speaks when it is over
 */
export async function concluded(
  logger: () => Logger,
  stdout: Output,
  execute: () => Promise<number>,
): Promise<number> {
  try {
    const code = await execute();
    await stdout.flush(Infinity);
    if (stdout.failure === null || code !== Exit.done) return code;
    logger().error(
      `cannot write the result to stdout: ${stdout.failure} (what was asked for is done all the same)`,
    );
    return Exit.bug;
  } catch (error) {
    const log = logger();
    log.showStatus("");
    if (error instanceof CliError) {
      log.error(error.message);
      return error.code;
    }
    log.error(`a bug, please report it: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof Error) log.debug(error.stack ?? "");
    return Exit.bug;
  }
}

/** What commands get, made from what the program touches of its process. */
export function contextOf(
  { env, stdout, stderr, stdinIsTerminal }: Edges,
  ci: Ci,
  log: Logger,
): Context {
  return {
    env,
    ci,
    log,
    stdout: (line) => stdout.write(`${line}\n`),
    stdinIsTerminal,
    stderrIsTerminal: stderr.isTerminal,
    wall: () => new Date(),
    monotonicMs: () => performance.now(),
    version: VERSION,
  };
}

function logOptions(given: Given, env: Env, ci: Ci, stderr: Output): LogOptions {
  const quiet = given.has(SPEAKING.quiet);
  const verbose = given.has(SPEAKING.verbose);
  if (quiet && verbose) throw usage("-q and -v contradict each other; leave one of them out");
  const format = given.choice(SPEAKING.logFormat, defaultFormat(env, ci));
  // What GitHub offers as "enable debug logging" when a job is run again.
  const debug = verbose || (format === "github" && env["RUNNER_DEBUG"] === "1");
  return {
    format,
    level: quiet ? "warning" : debug ? "debug" : "info",
    colour: format === "text" ? colourOf(env, stderr) : "off",
  };
}

function defaultFormat(env: Env, ci: Ci): LogFormat {
  const asked = env["K8S_LOCK_LOG_FORMAT"]?.trim();
  if (asked === "json" || asked === "github" || asked === "text") return asked;
  return ci.product === "github" ? "github" : "text";
}

function colourOf(env: Env, stderr: Output): "on" | "off" {
  // https://no-color.org: set to anything but nothing.
  const unwanted = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return stderr.isTerminal && !unwanted ? "on" : "off";
}
