/** From the arguments to the command that was asked for: parsing, help, and errors in the words of this program. */
import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import type { Ci, Env } from "../ci/detect.ts";
import { COMMON } from "./commands.ts";
import type { CommandSpec, FlagGroup } from "./commands.ts";
import type { Context } from "./context.ts";
import { usage } from "./errors.ts";
import { Given } from "./given.ts";
import { commandHelp, describeFlag, programHelp } from "./help.ts";
import { neutral } from "./text.ts";
import { VERSION } from "./version.ts";

/** What the arguments ask for. */
export type Parsed =
  /** Something to print: help, the version. */
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "command";
    readonly spec: CommandSpec;
    readonly given: Given;
    readonly operands: readonly string[];
    readonly rest: readonly string[] | null;
  };

/**
 * Reads the arguments (without the program's own name).
 *
 * They are split at the first `--` before commander sees them: it does not tell `run a --` from `run a`, nor what stood before `--`
 * from what came after.
 *
 * @throws {CliError} (exit 2)
 */
export function parse(
  args: readonly string[],
  specs: readonly CommandSpec[],
  env: Env,
): Parsed {
  const end = args.indexOf("--");
  const head = end < 0 ? args : args.slice(0, end);
  const rest = end < 0 ? null : args.slice(end + 1);
  let printed = "";
  let parsed: Parsed | null = null;

  const program = rootCommand((text) => printed += text);
  for (const spec of specs) {
    // A command that is not named needs no options: to make all of them takes 4 ms.
    const groups = head.includes(spec.name) ? spec.groups : [];
    const command = addFlags(
      program.command(spec.name).summary(spec.summary).description(capital(spec.summary))
        .usage(spec.usage).argument("[words...]").helpOption("-h, --help", "show this help")
        .addHelpText("after", commandHelp(spec)),
      groups,
    );
    command.action((operands: string[]) => {
      // What is said after the command's name counts more than what is said before it.
      const values = { ...program.opts(), ...command.opts() };
      parsed = { kind: "command", spec, given: new Given(values, env), operands, rest };
    });
  }
  program.addHelpText("after", programHelp());

  if (head.length === 0) {
    throw usage(
      "no command was given; k8s-lock --help lists them (for example: k8s-lock run deploy -- ./deploy.sh)",
    );
  }
  const [first, about] = head;
  const isKnown = specs.some(({ name }) => name === about);
  if (first === "help" && about !== undefined && !about.startsWith("-") && !isKnown) {
    throw usage(`unknown command '${neutral(about, 40)}'; see k8s-lock --help`);
  }
  try {
    program.parse(head, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // What `help` itself exits with depends on the exit code that this process was given so far.
    const isFine = error.exitCode === 0 || error.code === "commander.help";
    if (isFine && printed !== "") return { kind: "text", text: printed };
    throw usage(inOurWords(error, head, specs));
  }
  if (parsed === null) throw usage("no command was given; k8s-lock --help lists them");
  return parsed;
}

/** Prepares what was asked for. Throws {@link CliError} (exit 2) for options that are wrong. */
export function prepare(
  parsed: Parsed & { kind: "command" },
  env: Env,
  ci: Ci,
  warn: (message: string) => void,
): (context: Context) => Promise<number> {
  const { spec, given, operands, rest } = parsed;
  return spec.prepare({ command: spec.name, given, env, ci, operands, rest, warn });
}

function rootCommand(print: (text: string) => void): Command {
  const program = new Command("k8s-lock");
  program
    .description("Makes CI jobs take turns, by a lock that is kept in a Kubernetes cluster.")
    .usage("<command> [options]")
    .version(VERSION, "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    // So that the same options may stand before and after the command's name.
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  addFlags(program, COMMON);
  return program;
}

/** Adds the options to a command of whatever types. */
function addFlags<C extends { addOption(option: Option): unknown }>(
  command: C,
  groups: readonly FlagGroup[],
): C {
  for (const { title, flags } of groups) {
    for (const flag of flags) {
      command.addOption(new Option(flag.flags, describeFlag(flag)).helpGroup(title));
    }
  }
  return command;
}

/** What is wrong with the arguments, on one line and with a way out. */
function inOurWords(
  error: CommanderError,
  head: readonly string[],
  specs: readonly CommandSpec[],
): string {
  const [what = "", hint = ""] = error.message.replace(/^error: /, "").split("\n");
  const named = specs.find((spec) => head.includes(spec.name));
  const help = named === undefined || error.code === "commander.unknownCommand"
    ? "k8s-lock --help"
    : `k8s-lock ${named.name} --help`;
  const cause = what.replace(/argument missing$/, "needs a value after it");
  const suggestion = hint === "" ? "" : ` ${hint.replace("Did", "did")}`;
  return `${neutral(cause, 200)}${suggestion}; see ${help}`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
