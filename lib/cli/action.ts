/**
 * The program as the GitHub action starts it, in a mode of its own: options come from the action's inputs, and its errors speak of
 * those.
 */
import process from "node:process";
import { detectCi } from "../ci/detect.ts";
import type { Env } from "../ci/detect.ts";
import { processStatus } from "../host/processes.ts";
import { lookAt, standing } from "../lock/people.ts";
import { StoreError } from "../lock/store.ts";
import type { LockStore } from "../lock/store.ts";
import { acquireCommand } from "./acquire.ts";
import type { KeepJournal } from "./acquire.ts";
import { frozenTexts, patienceFor } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, Exit, usage } from "./errors.ts";
import { ACQUIRING, TAKING, WHERE } from "./flags.ts";
import { giveBackCommand } from "./give_back.ts";
import { Inputs } from "./inputs.ts";
import type { Deeds } from "./inputs.ts";
import { statesOf } from "./job.ts";
import { JournalKeeper } from "./journal.ts";
import type { Variable } from "./journal.ts";
import { Logger } from "./log.ts";
import { howToLook } from "./look.ts";
import type { AcquireOptions } from "./options.ts";
import { releaseCommand } from "./release.ts";
import { acquireOptions, releaseOptions, verifyOptions } from "./resolve.ts";
import { concluded, contextOf } from "./run_program.ts";
import type { Edges } from "./run_program.ts";
import { neutral } from "./text.ts";
import { verifyCommand } from "./verify.ts";
import type { Asked } from "./where.ts";

/** The hidden mode's name: the first argument. */
export const ACTION_MODE = "__action";

const FOLDER = "K8S_LOCK_ACTION_FOLDER";
const DATA = "K8S_LOCK_KUBECONFIG_DATA";
const TOKEN = "K8S_LOCK_GITHUB_TOKEN";

/**
 * Resolves with the exit code; never rejects.
 *
 * @param args `take` does what the inputs say, `give-back` ends it
 */
export function actionProgram([deed]: readonly string[], edges: Edges): Promise<number> {
  const { stdout, stderr } = edges;
  const env = withSecrets(edges.env);
  const ci = detectCi(env);
  const log = new Logger(stderr, {
    format: "github",
    level: env["RUNNER_DEBUG"] === "1" ? "debug" : "info",
    colour: "off",
  });
  const context = contextOf({ ...edges, env }, ci, log);
  return concluded(() => log, stdout, async () => {
    const folder = env[FOLDER] ?? "";
    if (folder === "") throw usage(`${FOLDER} is not set: only the GitHub action starts this mode`);
    return await (deed === "give-back" ? giveBackCommand(folder, context) : take(folder, context));
  });
}

/** The secret inputs as the variables that stand for them everywhere. One that was left out leaves the job's own variable alone. */
function withSecrets(env: Env): Env {
  const given = [[DATA, "KUBE_CONFIG_DATA"], [TOKEN, "GITHUB_TOKEN"]].flatMap(([name, input]) => {
    const variable = `K8S_LOCK_INPUT_${input}`;
    const value = env[variable] ?? "";
    // Login plugins get this process's environment.
    delete process.env[variable];
    return value.trim() === "" ? [] : [[name, value]];
  });
  return { ...env, ...Object.fromEntries(given) };
}

async function take(folder: string, context: Context): Promise<number> {
  const inputs = new Inputs(context.env);
  const { log, env, ci } = context;
  try {
    const deeds = inputs.deeds;
    const warn = (message: string) => log.warn(message);
    if (inputs.lock === null && inputs.text(WHERE.object) === null) {
      throw usage("lock_name is empty: give the lock a name, for example lock_name: deploy");
    }
    const operands = inputs.lock === null ? [] : [inputs.lock];
    const asked: Asked = {
      command: deeds.command,
      given: inputs,
      env,
      ci,
      operands,
      rest: null,
      warn,
    };
    switch (deeds.command) {
      case "release":
        return await releaseCommand(releaseOptions(asked), context);
      case "verify":
        return await verifyCommand(verifyOptions(asked), context);
      case "acquire":
        return await acquire(folder, deeds, asked, inputs, context);
    }
  } catch (error) {
    throw inTheWordsOfInputs(error, context);
  }
}

async function acquire(
  folder: string,
  { release }: Deeds,
  asked: Asked,
  inputs: Inputs,
  context: Context,
): Promise<number> {
  if (release === "never") {
    if (inputs.text(TAKING.ttl) === null) {
      throw usage(
        "release: never leaves the lock to its ttl, so say how long that is, for example ttl: 2h",
      );
    }
    if (inputs.text(TAKING.maxHold)?.typed) {
      throw usage("max_hold and release: never contradict each other: say ttl instead");
    }
    inputs.set(ACQUIRING.noRenew);
  } else {
    const worker = runnersProcess();
    // On a machine that lives longer than its jobs, the renewer must end with the job, also where the runner was killed.
    if (worker !== null) inputs.give(ACQUIRING.watchPid, `${worker}`);
  }
  const options = acquireOptions(asked);
  return await acquireCommand(
    options,
    context,
    undefined,
    keeper(folder, release, options, context),
  );
}

/** The runner's process for this job, which started this step's shell; null where it cannot be seen (Windows, a container). */
function runnersProcess(): number | null {
  const parent = process.ppid;
  return process.platform !== "win32" && parent > 1 && processStatus(parent) !== null
    ? parent
    : null;
}

function keeper(
  folder: string,
  release: Deeds["release"],
  options: AcquireOptions,
  context: Context,
): KeepJournal {
  return async (address, stateFolder, store) => {
    await demandOnlyOne(options, context, stateFolder, store);
    const kubeconfig = await frozenTexts(options, context);
    const asksPlugin = kubeconfig.some(({ text }) => /\b(exec|auth-provider)\b/.test(text));
    return new JournalKeeper(folder, release, {
      lock: options.target.lock,
      object: options.target.object,
      store: options.store,
      local_path: options.localPath,
      namespace: address.store === "local" ? null : address.namespace,
      context: options.context,
      kubeconfig,
      environment: asksPlugin ? environmentOfPlugins(context) : [],
      state_folder: stateFolder,
      ttl_seconds: Math.max(1, Math.round(options.ttlMs / 1000)),
      on_expiry: typeof options.expiry === "string" ? options.expiry : "verify",
      commands: howToLook(options.target.object, address),
    });
  };
}

/** A login plugin may read any variable: all that were not set by the runner or by the action for this step. */
function environmentOfPlugins({ env }: Context): Variable[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value === undefined || /^(K8S_LOCK|GITHUB|RUNNER|INPUT)_/.test(name) ? [] : [{ name, value }]
  );
}

/**
 * A second use of the action for a lock that this job holds would wait for itself, to the end of the job.
 *
 * @throws {CliError} (exit 2)
 */
async function demandOnlyOne(
  { target, requestTimeoutMs }: AcquireOptions,
  context: Context,
  stateFolder: string,
  store: LockStore,
): Promise<void> {
  const held = statesOf(context, stateFolder, store.object).filter(({ phase }) => phase === "held");
  if (held.length === 0) return;
  const look = await lookAt(store, patienceFor(requestTimeoutMs, context)).catch((error) => {
    // Whoever takes the lock says what is wrong with its store.
    if (error instanceof StoreError) return null;
    throw error;
  });
  const mine = held.find(({ grant }) => standing(look?.record ?? null, grant).kind === "held");
  if (mine === undefined) return;
  const lock = neutral(target.lock);
  throw usage(
    `this job holds ${lock} already (token ${mine.token}, taken by an earlier step), so this step would wait for itself. ` +
      "Leave it out, or give the lock back before it: the action with command: release",
  );
}

/** An error whose reader has written inputs, not options or variables. */
function inTheWordsOfInputs(error: unknown, { env }: Context): unknown {
  if (!(error instanceof CliError)) return error;
  const told = error.message.replaceAll(DATA, "kube_config_data");
  if (error.code !== Exit.usage || !/^no cluster is configured/.test(told)) {
    return new CliError(error.code, told);
  }
  const fork = /^pull_request/.test(env["GITHUB_EVENT_NAME"] ?? "")
    ? "and GitHub gives none to the pull request of a fork, which this run may be of"
    : "and GitHub gives none to pull requests of forks";
  return new CliError(
    error.code,
    "the input kube_config_data is empty, and no cluster is configured in another way. A secret that is not set is empty " +
      `(is its name spelled right, and may this job's environment read it?), ${fork}. Set it to the output of ` +
      "`kubectl config view --raw --flatten --minify | base64`, or log in to the cluster in a step before this one",
  );
}
