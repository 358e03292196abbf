/** What must come true of every recipe: taken, given back after success and failure, after a cancel, and free after a death. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import process from "node:process";
import { eventually } from "../sandbox.ts";
import type { Program, Start } from "../sandbox.ts";
import { Project } from "./project.ts";

/** How a product runs a recipe. */
export interface Product {
  /** In the tests' names. */
  readonly name: string;
  /** The record's name without `k8s-lock-`. */
  readonly record: string;
  /** How the lock is named from outside, by somebody else who takes it: options of `acquire`. */
  readonly outside: readonly string[];
  /** How its holder is shown; null where the page names no fixed text. */
  readonly holder: string | null;
  /** The scripts of the repository that a job runs, in their order. */
  readonly scripts: readonly string[];
  /** The one of them that does the work, under the lock. */
  readonly worker: string;
  /** The job's own variables, another one for each number. */
  env(project: Project, job: number): Record<string, string>;
  /** Starts the job's steps, up to the one that runs under the lock. */
  start(project: Project, env: Start["env"]): Promise<Program>;
  /** Ends the step as the product does at a cancel. */
  cancel(project: Project, step: Program): void | Promise<void>;
  /** What the product runs after the step, by how that ended. Throws when it fails. */
  after?(project: Project, env: Start["env"], end: End): Promise<void>;
  /** What becomes of the lock at a cancel while the work is under way. */
  readonly whenCancelled: "given back" | "expires";
  /** What the product ends when the job is over. */
  endOfJob?(project: Project): void;
}

/** How a step ended, in the products' own words for it. */
export type End = "succeeded" | "failed" | "cancelled";

/** Adds the tests of one recipe. */
export function testRecipe(product: Product): void {
  const { name, record } = product;
  const create = () => Project.create(product.scripts, product.worker);
  const job = async (project: Project, count: number, work: "" | "hold" | "fail") => {
    const env = { ...product.env(project, count), TEST_WORK: work };
    return { env, step: await product.start(project, env) };
  };

  /** Another job of the recipe, after one that has not given the lock back. */
  const nextGetsIt = async (project: Project, count: number) => {
    const { env, step } = await job(project, count, "");
    const { code, stdout, stderr } = await step.ended;
    await product.after?.(project, env, "succeeded");
    assertEquals(code, 0, stdout + stderr);
    const outcomes = (await project.sandbox.record(record))?.history.map(({ outcome }) => outcome);
    assertEquals(outcomes, ["released", "expired"]);
  };

  Deno.test(`${name}: the job takes the lock by the name on the page, works, and gives it back`, async () => {
    await using project = await create();
    const { env, step } = await job(project, 1, "");
    const { code, stderr, stdout } = await step.ended;
    await product.after?.(project, env, "succeeded");
    assertEquals(code, 0, stdout + stderr);
    assertEquals(await project.story(), product.scripts);
    const past = (await project.sandbox.record(record))?.history[0];
    assertEquals(past?.outcome, "released");
    if (product.holder !== null) assertEquals(past?.holder, product.holder);
    await nothingIsLeft(project, product);
  });

  Deno.test(`${name}: the job whose command fails fails, and gives the lock back`, async () => {
    await using project = await create();
    const { env, step } = await job(project, 1, "fail");
    const { code } = await step.ended;
    await product.after?.(project, env, "failed");
    assert(code !== 0);
    await nothingIsLeft(project, product);
  });

  Deno.test(`${name}: ${titleOfCancel(product)}`, async () => {
    await using project = await create();
    const { env, step } = await job(project, 1, "hold");
    await worksUnderLock(project, product);
    await product.cancel(project, step);
    assert(await exitOf(step) !== 0);
    await product.after?.(project, env, "cancelled");
    if (product.whenCancelled === "expires") {
      assertEquals(
        (await project.sandbox.record(record))?.holders.length,
        1,
        "given back too early",
      );
      product.endOfJob?.(project);
      await eventually("the end of the job", () => project.sandbox.processes("").length === 0);
      await nextGetsIt(project, 2);
    }
    await nothingIsLeft(project, product);
    assertEquals((await project.sandbox.record(record))?.history[0]?.outcome, "released");
  });

  Deno.test(`${name}: a cancel while the job waits leaves no place in the queue`, async () => {
    await using project = await create();
    const { sandbox } = project;
    const outside = ["acquire", ...product.outside, "--no-renew", "--ttl", "10m"];
    const taken = await sandbox.run(outside);
    assertEquals(taken.code, 0, taken.stderr);
    const { env, step } = await job(project, 1, "hold");
    await sandbox.waiters(record, 1);
    await product.cancel(project, step);
    const { code, stderr, stdout } = await step.ended;
    await product.after?.(project, env, "cancelled");
    assert(code !== 0, stdout + stderr);
    assert(!(await project.story()).includes(product.worker));
    assertEquals(await sandbox.tickets(record), []);
    const released = await sandbox.run(["release", ...product.outside]);
    assertEquals(released.code, 0, released.stderr);
    await nothingIsLeft(project, product);
  });

  // A lock that nobody gives back costs a whole TTL, and where a cancel leaves it there this has been seen above.
  if (product.whenCancelled === "expires") return;

  Deno.test(`${name}: when the machine of a job is gone, the next job gets the lock by itself`, async () => {
    await using project = await create();
    const first = await job(project, 1, "hold");
    await worksUnderLock(project, product);
    killAll(project);
    await first.step.ended;
    await eventually(
      "the end of the command",
      () => project.sandbox.processes("sleep").length === 0,
    );
    const held = await project.sandbox.record(record);
    assertEquals(held?.holders.length, 1, "nobody gave it back");
    await nextGetsIt(project, 2);
    await nothingIsLeft(project, product);
  });
}

function titleOfCancel({ whenCancelled }: Product): string {
  return whenCancelled === "given back"
    ? "a cancel while the command works stops it, and then the lock is given back"
    : "a cancel while the command works leaves the lock to its TTL, with nobody who renews it";
}

/** The exit code of a step's first process. What that had started may have its outputs open still. */
async function exitOf({ child }: Program): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? 128;
}

/** Resolves when the script under the lock says that it works. */
export async function worksUnderLock(project: Project, { worker }: Product): Promise<void> {
  await eventually(`a word of ${worker}`, async () => (await project.story()).includes(worker));
}

/** SIGKILL for everything that the job started: its machine is gone. */
export function killAll(project: Project): void {
  for (const pid of project.sandbox.processes("")) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Nobody holds, nobody waits, and no process of the job lives. */
async function nothingIsLeft(project: Project, { record }: Product): Promise<void> {
  const { sandbox } = project;
  // The shell that the product waits for can end before what it had started.
  await eventually("the end of all processes", () => sandbox.processes("").length === 0);
  const now = await sandbox.record(record);
  assertEquals([now?.holders, now?.turn], [[], []]);
  assertEquals(await sandbox.tickets(record), []);
}

/** Runs a step that has to succeed. */
export async function mustSucceed(
  project: Project,
  line: readonly string[],
  env: Start["env"],
): Promise<void> {
  const { code, stdout, stderr } = await project.start(line, env).ended;
  assertEquals(code, 0, `${line.join(" ")}: ${stdout}${stderr}`);
}

/** Installs the program as the page says it. */
export async function install(project: Project, env: Start["env"]): Promise<void> {
  await mustSucceed(project, ["sh", "ci/install-k8s-lock.sh"], env);
  const [address = ""] = await project.addresses();
  assertStringIncludes(address, "/v4.0.0/");
}
