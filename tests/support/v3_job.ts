/** A job of version 3 of the action, as its shell scripts behave: the same requests by kubectl, in the same order. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { LockSite } from "./lock_site.ts";

/** So often a waiting job looks, in seconds. Version 3 itself sleeps 10; nothing depends on it but how long a test takes. */
const POLL_SECONDS = 0.3;

/**
 * What it does: reads the Secret; where any error stands for "there is none" it makes it with its own number and holds; where the
 * number is its own it holds; else it sleeps. Its post step writes its number plus one over whatever stands there, in later releases
 * only if the number is still its own.
 */
const SCRIPT = `
set -e
while :; do
  if ! found=$("$KUBECTL" get secret "$NAME" -o json 2>/dev/null); then
    "$KUBECTL" create secret generic "$NAME" --from-literal=next_build="$RUN" >/dev/null
    break
  fi
  next=$("$KUBECTL" get secret "$NAME" -o jsonpath='{.data.next_build}' | base64 -d)
  [ "$next" = "$RUN" ] && break
  sleep "$POLL"
done
echo "run $RUN holds"
sh -c "$WORK"
if [ "$LOOKS" = yes ]; then
  next=$("$KUBECTL" get secret "$NAME" -o jsonpath='{.data.next_build}' | base64 -d)
  [ "$next" = "$RUN" ] || exit 0
fi
"$KUBECTL" create secret generic "$NAME" --from-literal=next_build=$((RUN + 1)) --dry-run=client -o yaml |
  "$KUBECTL" replace -f - >/dev/null
`;

/** Which job. */
export interface V3Start {
  /** `GITHUB_RUN_NUMBER`. */
  readonly run: number;
  /** What it does while it holds, in sh. */
  readonly work?: string;
  /** Whether its end looks at the number first, as the last release of version 3 does. */
  readonly looks?: boolean;
}

/** One job under way. */
export class V3Job implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #end: Promise<{ code: number | null; stderr: string }>;
  readonly #holds: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const closed = once(child, "close");
    if (child.stderr === null || child.stdout === null) throw new Error("no pipes");
    const stderr = text(child.stderr);
    this.#end = (async () => {
      const [code] = await closed;
      return { code, stderr: await stderr };
    })();
    const holds = Promise.withResolvers<void>();
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      said += part;
      if (said.includes(" holds")) holds.resolve();
    });
    this.#end.then(() => holds.reject(new Error("it has ended without the lock")));
    holds.promise.catch(() => {});
    this.#holds = holds.promise;
  }

  /** Starts one at the lock of `site`. */
  static start(site: LockSite, { run, work = "true", looks = true }: V3Start): V3Job {
    const line = site.cluster.kubectlLine().map((word) => `'${word}'`).join(" ");
    const kubectl = `#!/bin/sh\nexec ${line} -n '${site.namespace}' "$@"\n`;
    const path = `${site.folder}/kubectl-v3`;
    Deno.writeTextFileSync(path, kubectl, { mode: 0o755 });
    const child = spawn("sh", ["-c", SCRIPT], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: "/usr/bin:/bin",
        KUBECTL: path,
        NAME: site.object,
        RUN: String(run),
        POLL: String(POLL_SECONDS),
        WORK: work,
        LOOKS: looks ? "yes" : "no",
      },
    });
    return new V3Job(child);
  }

  /** Resolves once it has the lock. */
  get holds(): Promise<void> {
    return this.#holds;
  }

  /** Resolves when it has ended. */
  end(): Promise<{ code: number | null; stderr: string }> {
    return this.#end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end;
  }
}

/** What a person types by version 3's runbook: this run is next, whatever stands there. */
export async function runbook(site: LockSite, next: number): Promise<void> {
  const own = ["-n", site.namespace];
  const manifest = await site.cluster.kubectl([
    ...own,
    "create",
    "secret",
    "generic",
    site.object,
    `--from-literal=next_build=${next}`,
    "--dry-run=client",
    "-o",
    "yaml",
  ]);
  await site.cluster.kubectl([...own, "replace", "-f", "-"], { stdin: manifest });
}

/** A Secret as version 3 leaves it. */
export async function v3Secret(site: LockSite, next: number | string): Promise<void> {
  await site.cluster.kubectl([
    "-n",
    site.namespace,
    "create",
    "secret",
    "generic",
    site.object,
    `--from-literal=next_build=${next}`,
  ]);
}

/** The environment of a job of ours in run `run` of a workflow on GitHub. */
export function ofRun(run: number, attempt = 1): Record<string, string> {
  return {
    GITHUB_ACTIONS: "true",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_RUN_ID: `9${run}`,
    GITHUB_RUN_NUMBER: `${run}`,
    GITHUB_RUN_ATTEMPT: `${attempt}`,
    GITHUB_JOB: "deploy",
    GITHUB_WORKFLOW: "Deploy",
    // The site's lock is one of the whole namespace.
    K8S_LOCK_SCOPE: "global",
    K8S_LOCK_LOG_FORMAT: "text",
  };
}
