/** What `--help` shows beside the options themselves. */
import type { CommandSpec } from "./commands.ts";
import type { Flag } from "./flags.ts";

/** An option's line. */
export function describeFlag(flag: Flag): string {
  return flag.env === undefined ? flag.help : `${flag.help} [${flag.env}]`;
}

/** What comes after a command's options. */
export function commandHelp(spec: CommandSpec): string {
  const codes = ["0  done", "2  wrong usage or configuration", ...spec.exitCodes];
  return section("Examples:", spec.examples) + section("Exit codes:", codes) +
    "\nA variable in brackets is read when the option is not given.\n";
}

/** What comes after the program's own options and commands. */
export function programHelp(): string {
  return section("Environment:", [
    "A variable in brackets is read when its option is not given. Without an option there are:",
    "K8S_LOCK_KUBECONFIG_DATA  a kubeconfig in base64, for CI secrets",
    "K8S_LOCK_STATE_DIR        where acquire keeps what release, verify and renew need",
    "K8S_LOCK_BYPASS           a reason to go on without any lock, in an emergency",
    "NO_COLOR                  no colours at a terminal",
  ]) + section("Exit codes:", [
    "0  done (run: the command's own exit code)",
    "1  a bug",
    "2  wrong usage or configuration",
    "10  did not get the lock in time, or was dropped from the queue by a person",
    "11  the cluster cannot be reached, or refuses",
    "12  the lock was lost while held",
    "14  this job does not hold the lock and never did",
    "15  the record or the local state cannot be used",
    "126, 127  run: the command cannot be executed, is not found",
    "130, 143  ended by SIGINT, SIGTERM",
  ]) + section("Examples:", [
    "k8s-lock run deploy -- ./deploy.sh",
    "k8s-lock acquire deploy --timeout 15m",
    "k8s-lock status deploy --repo acme/shop",
  ]) + "\nk8s-lock <command> --help says more about each command.\n";
}

function section(title: string, lines: readonly string[]): string {
  return `\n${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
