// The last step of the action, after all steps of the job, however they ended: gives back what was taken.
//
// It relies on the private folder alone, whatever the job has done to its PATH, its KUBECONFIG or its logins since, and uses
// nothing but Node's own modules. Where nothing was taken it says nothing.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

// The server ends a cancelled job after five minutes, and other post steps want to run too.
const LIMIT_MS = 60_000;
// What the program exits with (docs/action.md).
const LOST = 12;

const folder = process.env.STATE_folder ?? "";

/** An annotation of the job. */
function say(level, message) {
  const data = message.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  console.log(`::${level} title=k8s-lock::${data}`);
}

/** What this use of the action asked for; null when nothing was. */
function readJournal() {
  const file = join(folder, "journal.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}

/** It is not renewed any more, and nobody takes it any more, also where the program could not run. */
function stopRenewers(journal) {
  writeFileSync(join(folder, "giving-back"), "");
  if (!existsSync(journal.state_folder)) return;
  for (const grant of journal.grants) {
    writeFileSync(join(journal.state_folder, `${grant}.stop`), "");
  }
}

/** The program's environment: none of the job's settings of the lock, and what the login saw when the lock was taken. */
function environmentFor(journal) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("K8S_LOCK_"));
  const frozen = journal.environment.map(({ name, value }) => [name, value]);
  return {
    ...Object.fromEntries([...own, ...frozen]),
    K8S_LOCK_ACTION_FOLDER: folder,
    // An input of a post step is evaluated again: this is the status at the job's end.
    K8S_LOCK_ACTION_JOB_STATUS: process.env.INPUT_JOB_STATUS ?? "",
  };
}

/** Resolves with the program's exit code, or with a text that says why there is none. */
function giveBack(journal) {
  const program = join(folder, "bin", process.platform === "win32" ? "k8s-lock.exe" : "k8s-lock");
  return new Promise((ended) => {
    const resolve = (end) => {
      clearTimeout(timer);
      ended(end);
    };
    const child = spawn(program, ["__action", "give-back"], {
      env: environmentFor(journal),
      stdio: ["ignore", "inherit", "inherit"],
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve(`it took longer than ${LIMIT_MS / 1000} s`);
    }, LIMIT_MS);
    child.on("error", (error) => resolve(`${program} cannot be run (${error.code})`));
    child.on("exit", (code, signal) => resolve(code ?? `it was ended by ${signal}`));
  });
}

/** What a person needs where the lock could not be given back. */
function tellLeft(journal, why) {
  const { lock, ttl_seconds: ttl, commands } = journal;
  const until = new Date(Date.now() + ttl * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  const next = {
    takeover: `the others pass it over at ${until} at the latest (its TTL is ${ttl} s)`,
    verify: "the others pass it over once GitHub tells them that this job is over",
    never: "it stays until a person takes it away (on_expiry: never)",
  }[journal.on_expiry];
  say(
    "warning",
    `${lock} was not given back: ${why}. It is not renewed any more: ${next}. What to type to have it free earlier:\n` +
      commands.join("\n"),
  );
}

/** All of it. */
async function end() {
  if (!existsSync(folder)) {
    return say(
      "warning",
      `the folder ${folder} is gone, which the lock was to be given back by. If the job still held one, it is not renewed after ` +
        "the job's end and expires after its TTL. k8s-lock status shows it; a step of this job has cleaned RUNNER_TEMP.",
    );
  }
  const journal = readJournal();
  if (journal === null || journal.phase === "over") return;
  const ended = await giveBack(journal);
  if (ended === LOST) process.exitCode = 1;
  else if (ended !== 0) {
    tellLeft(journal, typeof ended === "number" ? `exit code ${ended}, see above` : ended);
  }
  if (ended !== 0) stopRenewers(journal);
}

// Without a folder the first step has failed, before anything was asked for.
if (folder !== "") {
  await end().catch((error) =>
    say("warning", `the lock was not given back, and expires after its TTL: ${error.message}`)
  );
  try {
    // The credentials are in it. On Windows the renewer's program cannot be removed before the renewer has noticed that it has to end.
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 300 });
  } catch (error) {
    say("warning", `${folder} cannot be removed, and has the credentials in it: ${error.message}`);
  }
}
