/**
 * How this program starts itself again. It does so for its helpers (the lifeline, the renewer), each in a
 * hidden mode: a first argument that no person types.
 *
 * The same code runs as a compiled binary, under `deno run` and on Node, and each is started differently. This
 * is the one place that knows how, and the one place that looks at `Deno`.
 */
import { fileURLToPath } from "node:url";
import process from "node:process";

/** A program and its arguments. */
export interface SelfCommand {
  /** The program's path. */
  readonly command: string;
  /** What follows it. */
  readonly args: readonly string[];
}

/** What we use of Deno's own global, which Node does not have. */
interface DenoGlobal {
  readonly mainModule: string;
  readonly build: { readonly standalone?: boolean };
}

/** Where the program runs. Tests give their own; everybody else leaves it out. */
export interface Runtime {
  /** The running executable: ours, Deno, or Node. */
  readonly execPath: string;
  /** As `process.argv`: the second is the script. */
  readonly argv: readonly string[];
  /** Node's own options. */
  readonly execArgv: readonly string[];
  /** Null on Node. */
  readonly deno: { readonly standalone: boolean; readonly mainModule: string | null } | null;
}

function currentRuntime(): Runtime {
  const { execPath, argv, execArgv } = process;
  const deno = (globalThis as { readonly Deno?: DenoGlobal }).Deno;
  if (deno === undefined) return { execPath, argv, execArgv, deno: null };
  let mainModule: string | null = null;
  try {
    mainModule = deno.mainModule;
  } catch {
    // Without the right to read the current folder Deno does not say. argv[1] serves then.
  }
  return {
    execPath,
    argv,
    execArgv,
    deno: { standalone: deno.build.standalone === true, mainModule },
  };
}

/**
 * The command that starts this program in a hidden mode.
 *
 * Under `deno run` the permissions and options of the running process cannot be read back: the helper gets all
 * permissions, and finds its deno.json by the script's place as the program itself did.
 */
export function selfCommand(
  mode: string,
  args: readonly string[] = [],
  runtime: Runtime = currentRuntime(),
): SelfCommand {
  const { execPath, argv, execArgv, deno } = runtime;
  const script = argv[1] ?? "";
  if (deno === null) {
    // A debugger's port can be taken once only.
    const options = execArgv.filter((option) => !option.startsWith("--inspect"));
    return { command: execPath, args: [...options, script, mode, ...args] };
  }
  if (deno.standalone) return { command: execPath, args: [mode, ...args] };
  const main = deno.mainModule === null
    ? script
    : deno.mainModule.startsWith("file:")
    ? fileURLToPath(deno.mainModule)
    : deno.mainModule;
  return { command: execPath, args: ["run", "-A", "-q", main, mode, ...args] };
}

/**
 * The environment for a helper: ours, without what it must not have. Secrets reach a helper by a pipe, and a
 * helper is not part of the work of any `run` around it.
 */
export function helperEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && !entry[0].startsWith("K8S_LOCK_")
  );
  return { ...Object.fromEntries(kept), DENO_NO_UPDATE_CHECK: "1" };
}
