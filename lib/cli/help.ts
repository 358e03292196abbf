/** What `--help` shows beside the options themselves. */
import type { CommandSpec, ExitLine } from "./commands.ts";
import type { Flag } from "./flags.ts";

/** An option's line. */
export function describeFlag(flag: Flag): string {
  return flag.env === undefined ? flag.help : `${flag.help} [${flag.env}]`;
}

/** What comes after a command's options. */
export function commandHelp(spec: CommandSpec): string {
  const codes: ExitLine[] = [["0", spec.done ?? "done"], WRONG, ...spec.exitCodes];
  const about = spec.groups.length === 0
    ? ""
    : "\nA variable in brackets is read when the option is not given; k8s-lock --help has more variables.\n";
  return section("Examples:", spec.examples) + section("Exit codes:", columns(codes)) + about;
}

/** What comes after the program's own options and commands. */
export function programHelp(): string {
  return section("Environment:", [
    "A variable in brackets is read when its option is not given. Without an option there are:",
    "K8S_LOCK_KUBECONFIG_DATA  a kubeconfig in base64, for CI secrets",
    "K8S_LOCK_STATE_DIR        where acquire keeps what release, verify and renew need",
    "K8S_LOCK_BYPASS           a reason to go on without any lock, in an emergency",
    "K8S_LOCK_GITHUB_TOKEN     to ask GitHub whether a silent holder's job is over (--on-expiry verify)",
    "K8S_LOCK_CHECK_RUN_ID     ${{ job.check_run_id }} of this job, for --on-expiry verify",
    "NO_COLOR                  no colours at a terminal",
  ]) + section(
    "Exit codes:",
    columns([
      ["0", "done; run passes its command's own exit code on"],
      ["1", "a bug"],
      WRONG,
      ["10", "did not get the lock in time, or was dropped from the queue by a person"],
      ["11", "the cluster cannot be reached, or refuses"],
      ["12", "the lock was lost while held"],
      ["14", "this job does not hold the lock and never did"],
      ["15", "the record or the local state cannot be used"],
      ["126, 127", "run: the command cannot be executed, is not found"],
      ["130, 143", "ended by SIGINT, SIGTERM"],
    ]),
  ) + section("Examples:", [
    "k8s-lock run deploy -- ./deploy.sh",
    "k8s-lock acquire deploy --timeout 15m",
    "k8s-lock status deploy --repo acme/shop",
  ]) + "\nk8s-lock <command> --help says more about each command.\n";
}

const WRONG: ExitLine = ["2", "wrong usage or configuration"];

function columns(lines: readonly ExitLine[]): readonly string[] {
  const width = Math.max(...lines.map(([codes]) => codes.length));
  return lines.map(([codes, meaning]) => `${codes.padEnd(width)}  ${meaning}`);
}

function section(title: string, lines: readonly string[]): string {
  return `\n${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
