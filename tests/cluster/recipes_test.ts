/** The manifests of docs/recipes on a real API server: taken as they stand, and their rights are enough for their commands. */
import { assert, assertEquals } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { loadAll } from "js-yaml";
import { withSharedCluster } from "../support/cluster/shared.ts";
import type { Share } from "../support/cluster/shared.ts";
import { Program } from "../support/program.ts";
import { filesOf, pages, recipeFile } from "../support/recipes/pages.ts";

/** The page's namespace `ci` is here one that nobody else has. */
function inNamespace(text: string, namespace: string): string {
  return text.replace(/\bnamespace: ci$/gm, `namespace: ${namespace}`)
    .replace(/--namespace, ci,/g, `--namespace, ${namespace},`);
}

/** The first list of arguments in a file that has `run` in it: the container's. */
function argumentsIn(value: unknown): readonly string[] | null {
  if (typeof value !== "object" || value === null) return null;
  if ("args" in value && Array.isArray(value.args) && value.args[0] === "run") return value.args;
  return Object.values(value).map(argumentsIn).find((found) => found !== null) ?? null;
}

/** A kubeconfig of a service account of the namespace, once the server knows its rights. */
async function accountOf({ cluster, namespace }: Share, name: string, folder: string) {
  const token = (await cluster.kubectl(["-n", namespace, "create", "token", name])).trim();
  const { users, ...more } = cluster.kubeconfig.object;
  const path = join(folder, "kubeconfig");
  const user = { name: users[0]?.name, user: { token } };
  await writeFile(path, JSON.stringify({ ...more, users: [user] }));
  const subject = `system:serviceaccount:${namespace}:${name}`;
  const resourceAttributes = {
    namespace,
    verb: "list",
    group: "coordination.k8s.io",
    resource: "leases",
  };
  // The server reads rights through a cache of its own, some milliseconds late.
  const isKnown = async () => {
    const { status } = await cluster.api.must(
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      { body: { spec: { user: subject, resourceAttributes } } },
    );
    return (status as { allowed: boolean }).allowed;
  };
  while (!await isKnown()) await new Promise((resolve) => setTimeout(resolve, 10));
  return path;
}

for (
  const { page, rights, job, account, lock } of [
    {
      page: "kubernetes-cronjob.md",
      rights: "nightly-backup.yaml",
      job: "nightly-backup.yaml",
      account: "nightly-backup",
      lock: "database",
    },
    {
      page: "tekton-argo.md",
      rights: "k8s-lock-rights.yaml",
      job: "deploy-task.yaml",
      account: "deployer",
      lock: "deploy",
    },
  ] as const
) {
  Deno.test(`${page}: the server takes ${rights} without a warning, and its rights are enough to take, wait and give back`, () =>
    withSharedCluster(async (share) => {
      const { cluster, namespace } = share;
      await cluster.kubectl([
        ...["label", "namespace", namespace],
        "pod-security.kubernetes.io/warn=restricted",
        "pod-security.kubernetes.io/enforce=restricted",
      ]);
      const stdin = inNamespace(recipeFile(page, rights).text, namespace);
      const apply = ["apply", "--server-side", "--warnings-as-errors", "-f", "-"];
      await cluster.kubectl([...apply, "--dry-run=server"], { stdin });
      await cluster.kubectl(apply, { stdin });

      const args = argumentsIn(loadAll(inNamespace(recipeFile(page, job).text, namespace)));
      assert(args !== null && args[1] === lock && args.includes(namespace));
      const folder = await mkdtemp(join(tmpdir(), "k8s-lock-recipe-"));
      try {
        const go = join(folder, "go");
        const script = `#!/bin/sh\necho begun\nwhile [ ! -e ${go} ]; do sleep 0.02; done\n`;
        await writeFile(join(folder, args.at(-1) ?? ""), script, { mode: 0o755 });
        const env = {
          KUBECONFIG: await accountOf(share, account, folder),
          PATH: `${folder}:${process.env["PATH"]}`,
          HOME: folder,
        };
        await using first = new Program(args, { env });
        await first.output("begun");
        await using second = new Program(args, { env });
        await second.line("place 1 of 1");
        await writeFile(go, "");
        assertEquals((await first.end()).code, 0, first.stderr);
        assertEquals((await second.end()).code, 0, second.stderr);
        const status = ["status", lock, "--scope", "global", "-n", namespace, "-o", "json"];
        const { stdout } = await new Program(status, { env }).end();
        const { holders, queue, history } = JSON.parse(stdout);
        assertEquals([holders, queue], [[], []]);
        const outcomes = history.map(({ outcome }: { outcome: string }) => outcome);
        assertEquals(outcomes, ["released", "released"]);
      } finally {
        await rm(folder, { recursive: true });
      }
    }));
}

Deno.test("no page has a manifest that this server knows and no test applies", () => {
  const applied = ["k8s-lock-rights.yaml", "nightly-backup.yaml"];
  const kinds = ["ServiceAccount", "Role", "RoleBinding", "CronJob", "Job", "Pod", "Secret"];
  for (const { name, language, text } of pages().flatMap(filesOf)) {
    if (language !== "yaml" || applied.includes(name)) continue;
    for (const object of loadAll(text) as { kind?: string }[]) {
      assert(!kinds.includes(object.kind ?? ""), `${name} has a ${object.kind}`);
    }
  }
});
