/** The commands of docs/recipes/jenkins.md, run as durable-task runs them, and ended as Jenkins ends them. */
import { identityOf, recipeFile } from "../support/recipes/pages.ts";
import { endByCookie } from "../support/recipes/processes.ts";
import { mustSucceed, testRecipe } from "../support/recipes/scenario.ts";
import type { Product } from "../support/recipes/scenario.ts";

const COOKIE = "durable-0123456789abcdef0123456789abcdef";

/** The arguments of the page's `sh` steps: those of `steps`, and those of `post` by its conditions. */
function commands(text: string) {
  const [steps = "", post = ""] = text.split(/^ *post \{$/m);
  const found = (part: string) =>
    [...part.matchAll(/^ *sh '([^']*)'$/gm)].map(([, line = ""]) => line);
  const of = (condition: string) =>
    found(new RegExp(`^ *${condition} \\{$([^}]*)`, "m").exec(post)?.[1] ?? "");
  return {
    steps: found(steps),
    // `always` comes with each of them.
    post: {
      succeeded: [...of("always"), ...of("success")],
      failed: [...of("always"), ...of("failure")],
      cancelled: [...of("always"), ...of("aborted")],
    },
  };
}

/** What a step's script is started by. */
const sh = (line: string) => ["sh", "-xec", line];

function jenkins(variant: number): Product {
  const { steps, post } = commands(recipeFile("jenkins.md", "Jenkinsfile", variant).text);
  return {
    name: `jenkins.md, file ${variant + 1}`,
    record: identityOf("jenkins.md", "record").replace("k8s-lock-", ""),
    outside: ["deploy", "--repo", "acme/shop"],
    holder: identityOf("jenkins.md", "holder"),
    scripts: variant === 0 ? ["deploy.sh"] : ["prepare.sh", "deploy.sh"],
    worker: "deploy.sh",
    env: (_, job) => ({
      JENKINS_URL: "https://jenkins.example.com/",
      JOB_NAME: "shop/main",
      BUILD_NUMBER: "42",
      // A second build of the same number does not exist: another agent tells the two jobs of a test apart.
      NODE_NAME: `agent-${job}`,
      BUILD_URL: "https://jenkins.example.com/job/shop/job/main/42/",
      GIT_URL: "https://git.example.com/acme/shop.git",
      JENKINS_NODE_COOKIE: `node-${job}`,
      JENKINS_SERVER_COOKIE: COOKIE,
    }),
    async start(project, env) {
      // The step that waits for the lock, and with `run` works under it, is the one that a cancel meets.
      const waits = steps.findIndex((line) => /k8s-lock (run|acquire) /.test(line));
      for (const line of steps.slice(0, waits)) await mustSucceed(project, sh(line), env);
      return project.start(sh(steps.slice(waits).map((line) => `(${line})`).join("\n")), env);
    },
    cancel: (project) => endByCookie(project, "JENKINS_SERVER_COOKIE", COOKIE),
    whenCancelled: variant === 0 ? "given back" : "expires",
    async after(project, env, end) {
      for (const line of post[end]) await mustSucceed(project, sh(line), env);
      // The end of the node block.
      endByCookie(project, "JENKINS_NODE_COOKIE", `${env?.["JENKINS_NODE_COOKIE"]}`);
    },
  };
}

testRecipe(jenkins(0));
testRecipe(jenkins(1));
