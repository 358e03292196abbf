/**
 * Measures the program against what it is compared to, all in one run on one cluster, and writes the table into bench/README.md:
 *
 *     deno task bench             to be run on a machine that does nothing else
 *     deno task bench --dry-run   prints the table only
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { arch, cpus, loadavg, tmpdir, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildAssets } from "../tests/support/cluster/build.ts";
import { withSharedCluster } from "../tests/support/cluster/shared.ts";
import type { Share } from "../tests/support/cluster/shared.ts";
import { bundle } from "../tools/bundle.ts";
import { interleaved, median, memoryOf, ratio } from "./measure.ts";

const ROUNDS = 21;
const WAITERS = 12;
const HOLD_SECONDS = 0.4;
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const deno = (...args: string[]) => [process.execPath, "run", "-A", ...args];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Site {
  readonly folder: string;
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly env: Readonly<Record<string, string>>;
  /** The program, as it is run. */
  readonly program: readonly string[];
}

type Row = readonly [what: string, figure: string, compared: string, goal: string];

/** A lock that is free, taken for a command that does nothing (or for 0.2 s) and given back. */
async function free(site: Site): Promise<Row[]> {
  const { folder, namespace, kubeconfig, kubectl, env, program } = site;
  const bare = (lock: string, command: string[]) => ({
    args: deno(join(folder, "bare.js"), kubeconfig, namespace, lock, ...command),
  });
  const ours = (lock: string, command: string[]) => ({
    args: [...program, "run", lock, "--", ...command],
    env,
  });
  await interleaved(0, { ours: () => ours("short", ["true"]), too: () => ours("long", ["true"]) });
  const short = await interleaved(ROUNDS, {
    ours: () => ours("short", ["true"]),
    bare: () => bare("short", ["true"]),
    v3: (round) => ({
      args: ["sh", here("v3.sh"), namespace, "v3-short", `${round + 1}`, "true"],
      env: { ...env, KUBECTL: kubectl },
    }),
  });
  const long = await interleaved(ROUNDS, {
    ours: () => ours("long", ["sleep", "0.2"]),
    bare: () => bare("long", ["sleep", "0.2"]),
    v3: (round) => ({
      args: ["sh", here("v3.sh"), namespace, "v3-long", `${round + 1}`, "sleep", "0.2"],
      env: { ...env, KUBECTL: kubectl },
    }),
  });
  return [
    ...rows("`run lock -- true`, lock free", short),
    ...rows("`run lock -- sleep 0.2`, lock free", long),
  ];
}

function rows(what: string, { ours, bare, v3 }: Record<"ours" | "bare" | "v3", number[]>): Row[] {
  const own = `${median(ours).toFixed(0)} ms`;
  const row = (name: string, times: number[], goal: string): Row => {
    const times_ = `${ratio(ours, times).toFixed(2)} ×`;
    return [what, own, `${name}: ${median(times).toFixed(0)} ms, so ${times_}`, goal];
  };
  return [
    row("the same requests by a bare bundle", bare, "at most 2 ×"),
    row("v3's kubectl sequence", v3, "less"),
  ];
}

/** How long a process takes that asks for nothing of a lock. */
async function start({ folder, program }: Site): Promise<Row[]> {
  const nothing = join(folder, "nothing.js");
  await writeFile(nothing, "process.exit(0);\n");
  const times = await interleaved(ROUNDS, {
    version: () => ({ args: [...program, "--version"] }),
    nothing: () => ({ args: deno(nothing) }),
  });
  const compared = `an empty program: ${median(times.nothing).toFixed(0)} ms`;
  return [["`--version`", `${median(times.version).toFixed(0)} ms`, compared, ""]];
}

/** A queue of processes, each of which writes when its command starts and ends. */
async function handOver({ folder, env, program }: Site): Promise<Row[]> {
  const log = join(folder, "hand-over");
  const command = `date +%s%N >> "$0"; sleep "$1"; date +%s%N >> "$0"`;
  const ends: Promise<unknown>[] = [];
  for (let place = 0; place < WAITERS; place++) {
    // The first holds until all the others are in the queue.
    const hold = place === 0 ? WAITERS * 0.3 : HOLD_SECONDS;
    const args = [
      ...program.slice(1),
      "run",
      "hand-over",
      "--",
      "sh",
      "-c",
      command,
      log,
      `${hold}`,
    ];
    const child = spawn(program[0] ?? "", args, {
      stdio: "ignore",
      env: { ...process.env, ...env },
    });
    ends.push(once(child, "exit"));
    await pause(200);
  }
  await Promise.all(ends);
  const times = (await readFile(log, "utf8")).trim().split("\n").map((time) => Number(time) / 1e6);
  const gaps = times.flatMap((time, index) =>
    index >= 2 && index % 2 === 0 ? [time - (times[index - 1] ?? NaN)] : []
  );
  const figure = `median ${median(gaps).toFixed(0)} ms`;
  const spread = `${Math.min(...gaps).toFixed(0)} to ${
    Math.max(...gaps).toFixed(0)
  } ms in ${gaps.length}`;
  return [[
    "hand-over, end of one command to start of the next",
    figure,
    spread,
    "median under 50 ms",
  ]];
}

/** What those hold in memory that do nothing but wait. */
async function memory({ folder, namespace, kubeconfig, env, program }: Site): Promise<Row[]> {
  const children: ChildProcess[] = [];
  const begin = (args: readonly string[]) => {
    const child = spawn(args[0] ?? "", args.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    children.push(child);
    return child;
  };
  const holder = begin([...program, "run", "memory", "--", "sh", "-c", "echo; sleep 1000"]);
  await once(holder.stdout, "data");
  const next = begin([...program, "run", "memory", "--", "true"]);
  await pause(1500);
  const waiters = [];
  const watches = [];
  for (let each = 0; each < 5; each++) {
    waiters.push(begin([...program, "run", "memory", "--", "true"]));
    watches.push(
      begin(deno(join(folder, "idle_watch.js"), kubeconfig, namespace, "k8s-lock-memory")),
    );
  }
  // So long that what the start has left behind is collected, or never will be.
  await pause(20_000);
  const held = async (processes: readonly { readonly pid?: number | undefined }[]) =>
    median(await Promise.all(processes.map(({ pid }) => memoryOf(pid ?? 0))));
  const [own, watch, head] = [await held(waiters), await held(watches), await held([next])];
  for (const child of children) child.kill("SIGKILL");
  const compared = `an idle watch: ${watch.toFixed(0)} MB, so ${(own / watch).toFixed(2)} ×`;
  return [
    ["memory of a waiter", `${own.toFixed(0)} MB`, compared, "at most 1.2 ×"],
    ["memory of the next in line", `${head.toFixed(0)} MB`, "and its lifeline beside it", ""],
  ];
}

async function site({ cluster, namespace }: Share): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "k8s-lock-bench-"));
  await bundle("main.ts", join(folder, "k8s-lock.js"));
  await bundle("bench/bare.ts", join(folder, "bare.js"));
  await bundle("bench/idle_watch.ts", join(folder, "idle_watch.js"));
  const kubeconfig = cluster.kubeconfig.path;
  return {
    folder,
    namespace,
    kubeconfig,
    kubectl: (await buildAssets()).kubectl,
    env: { KUBECONFIG: kubeconfig, K8S_LOCK_NAMESPACE: namespace },
    program: deno(join(folder, "k8s-lock.js")),
  };
}

/** The rows as Markdown, under what they were measured with. */
async function table({ cluster }: Share, measured: readonly Row[]): Promise<string> {
  const { gitVersion } = await cluster.api.must("GET", "/version");
  const processors = `${cpus().length} × ${cpus()[0]?.model ?? "?"}`;
  return `${
    new Date().toISOString().slice(0, 10)
  }, commit ${await commit()}: Deno ${Deno.version.deno}, kube-apiserver ${gitVersion} and etcd on the same
machine (${type()} ${arch()}, ${processors}; load before and after ${
    loads.join(" and ")
  }). Times are medians of ${ROUNDS} rounds, ratios the
medians of the rounds' own; hand-overs are of ${WAITERS} processes that hold for ${HOLD_SECONDS} s each.

| what | measured | compared to | goal |
| --- | --- | --- | --- |
${measured.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`;
}

async function commit(): Promise<string> {
  const git = new Deno.Command("git", {
    args: ["describe", "--always", "--dirty"],
    cwd: here(".."),
  });
  return new TextDecoder().decode((await git.output()).stdout).trim();
}

const loads: string[] = [];
const MARKS = ["<!-- the last run -->\n", "<!-- its end -->\n"] as const;

await withSharedCluster(async (share) => {
  const its = await site(share);
  try {
    loads.push(loadavg()[0]?.toFixed(1) ?? "?");
    const measured = [
      ...await start(its),
      ...await free(its),
      ...await handOver(its),
      ...await memory(its),
    ];
    loads.push(loadavg()[0]?.toFixed(1) ?? "?");
    const text = await table(share, measured);
    console.log(text);
    if (process.argv.includes("--dry-run")) return;
    const readme = await readFile(here("README.md"), "utf8");
    const [before = "", rest = ""] = readme.split(MARKS[0]);
    const after = rest.split(MARKS[1])[1] ?? "";
    await writeFile(here("README.md"), `${before}${MARKS[0]}\n${text}\n${MARKS[1]}${after}`);
    await new Deno.Command(process.execPath, { args: ["fmt", here("README.md")] }).output();
  } finally {
    await rm(its.folder, { recursive: true, force: true });
  }
});
process.exit(0);
