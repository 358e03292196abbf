// The first step of the action: makes the private folder of this use and tells the other steps where it is.
//
// It comes first because the runner registers a post step when its main begins: also a job that is cancelled while the program is
// downloaded, or while it waits for the lock, gives back what it has asked for. It uses nothing but Node's own modules.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

try {
  // From the environment: `runner.temp` is a path of the host, also for a job in a container.
  const base = join(process.env.RUNNER_TEMP, "k8s-lock");
  mkdirSync(base, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(base, "action-"));
  appendFileSync(process.env.GITHUB_OUTPUT, `folder=${folder}\n`);
  // All that the end relies on: the inputs of a nested post step are evaluated again, in the wrong scope.
  appendFileSync(process.env.GITHUB_STATE, `folder=${folder}\n`);
} catch (error) {
  console.log(`::error title=k8s-lock::the action cannot write to RUNNER_TEMP: ${error.message}`);
  process.exitCode = 1;
}

// The other steps are shell scripts. Where there is no bash the runner's own message would not say what helps.
const path = (process.env.PATH ?? "").split(delimiter);
if (process.platform !== "win32" && !path.some((place) => existsSync(join(place, "bash")))) {
  console.log(
    "::error title=k8s-lock::the image of this job has no bash, which the action needs. Install it before this step " +
      "(Alpine: the k8s-lock binary needs glibc, too, so use an image of Debian or Ubuntu, or npx k8s-lock run).",
  );
  process.exitCode = 1;
}
