/** The containers' command lines of the pages whose jobs are pods, run as a pod's processes are. */
import { loadAll } from "js-yaml";
import process from "node:process";
import { kill } from "../support/sandbox.ts";
import { recipeFile } from "../support/recipes/pages.ts";
import { childOf } from "../support/recipes/processes.ts";
import type { Project } from "../support/recipes/project.ts";
import { killAll, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

/** What of these products' objects is looked at. */
interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** The one container of a file, wherever its object has it. */
function containerOf(page: string, name: string): Container {
  const found: Container[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("command" in value && "args" in value && "image" in value) {
      found.push(value as unknown as Container);
    }
    Object.values(value).forEach(look);
  };
  look(loadAll(recipeFile(page, name).text));
  const [only] = found;
  if (only === undefined || found.length !== 1) {
    throw new Error(`${name} has ${found.length} containers`);
  }
  return only;
}

/** Without the namespace of the cluster's store, which this test has not: tests/cluster/recipes_test.ts has. */
function locally({ command, args }: Container): string[] {
  const at = args.indexOf("--namespace");
  return [...command, ...args.filter((_, index) => index !== at && index !== at + 1)];
}

/** In an image the program and the scripts are on PATH. */
function imagePath({ folder, sandbox }: Project): string {
  return `${sandbox.folder}:${folder}:${sandbox.environment()["PATH"]}`;
}

const pod = (name: string, file: Container, worker: string): Product => ({
  name,
  record: locally(file)[2] ?? "",
  outside: [locally(file)[2] ?? "", "--scope", "global"],
  holder: null,
  scripts: [worker],
  worker,
  env: (project) => ({ PATH: imagePath(project) }),
  start: (project, env) => Promise.resolve(project.start(locally(file), env)),
  // Tekton's entrypoint and Argo's emissary give the command a process group and signal that.
  cancel: (_, step) => void process.kill(-step.pid, "SIGTERM"),
  whenCancelled: "given back",
});

testRecipe(
  pod("tekton-argo.md, Task", containerOf("tekton-argo.md", "deploy-task.yaml"), "deploy.sh"),
);
testRecipe({
  ...pod(
    "tekton-argo.md, Workflow",
    containerOf("tekton-argo.md", "deploy-workflow.yaml"),
    "deploy.sh",
  ),
  holder: "Argo deploy-x7k2p",
  // The controller sets them in each container.
  env: (project, job) => ({
    PATH: imagePath(project),
    ARGO_WORKFLOW_NAME: "deploy-x7k2p",
    ARGO_NODE_ID: `deploy-x7k2p-${job}`,
  }),
});

/** Makes a namespace of processes; by root at once, by others as the root of a namespace of users. */
const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const unshare = process.getuid?.() === 0 ? UNSHARE : [...UNSHARE, "--map-root-user"];
const [command = "", ...options] = unshare;
const canUnshare = await new Deno.Command(command, { args: [...options, "true"] }).output()
  .then(({ success }) => success, () => false);
if (!canUnshare) {
  console.warn("no process namespaces here: the CronJob's command runs as no process 1");
}

const cronJob = containerOf("kubernetes-cronjob.md", "nightly-backup.yaml");
testRecipe({
  ...pod(
    `kubernetes-cronjob.md, ${canUnshare ? "process 1 of a container" : "in a process group"}`,
    cronJob,
    "backup.sh",
  ),
  ...(canUnshare
    ? {
      start: (project, env) =>
        Promise.resolve(project.start([...unshare, ...locally(cronJob)], env)),
      // The kubelet signals process 1 and nobody else.
      cancel: async (project, step) => kill(await childOf(project, step.pid), "SIGTERM"),
      endOfJob: killAll,
    }
    : {}),
});
