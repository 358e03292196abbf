/**
 * Builds the test cluster's programs from Go modules, into the cache folder, unless they are there.
 *
 *     deno task cluster:build          the default release (about 4 minutes on 2 cores, once)
 *     deno task cluster:build 1.35     another minor version
 *     deno task cluster:build --update-modules    go.mod and go.sum anew, after a change in versions.ts
 *
 * As with envtest: where KUBEBUILDER_ASSETS names a folder with kube-apiserver, etcd and kubectl, that is
 * used as it is and nothing is built.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { builtOnce, componentFolder } from "./cache.ts";
import { findGo, type Go } from "./go.ts";
import { PACKAGES, prepareModule, updateCommittedModules } from "./modules.ts";
import { DEFAULT_MINOR, type Release, releaseOf } from "./versions.ts";

/** Where the programs are. */
export interface Assets {
  readonly apiServer: string;
  readonly kubectl: string;
  readonly etcd: string;
}

/**
 * The programs of a control plane, built first if need be.
 *
 * @param minor such as "1.36"; default: K8S_LOCK_TEST_KUBERNETES, else the default release. Without
 * effect where KUBEBUILDER_ASSETS is set.
 */
export async function buildAssets(
  minor = process.env["K8S_LOCK_TEST_KUBERNETES"] || DEFAULT_MINOR,
): Promise<Assets> {
  const given = process.env["KUBEBUILDER_ASSETS"];
  if (given) return assetsIn(given, given);
  const release = releaseOf(minor);
  const etcd = await builtOnce(
    componentFolder("etcd", release.etcd),
    async (into) => {
      const go = await announced(`etcd ${release.etcd}`);
      await build({ component: "etcd", release, go, into, ldflags: "-s -w" });
    },
  );
  const kubernetes = await builtOnce(
    componentFolder("kubernetes", release.kubernetes),
    async (into) => {
      const go = await announced(`kube-apiserver and kubectl ${release.kubernetes}`);
      await build({ component: "kubernetes", release, go, into, ldflags: versionFlags(release) });
    },
  );
  return assetsIn(kubernetes, etcd);
}

function assetsIn(kubernetes: string, etcd: string): Assets {
  return {
    apiServer: join(kubernetes, "kube-apiserver"),
    kubectl: join(kubernetes, "kubectl"),
    etcd: join(etcd, "etcd"),
  };
}

async function announced(what: string): Promise<Go> {
  console.error(`building ${what} from Go modules, once for this machine`);
  return await findGo();
}

interface Build {
  readonly component: keyof typeof PACKAGES;
  readonly release: Release;
  readonly go: Go;
  readonly into: string;
  readonly ldflags: string;
}

async function build({ component, release, go, into, ldflags }: Build): Promise<void> {
  const module = join(into, "module");
  await mkdir(module);
  await prepareModule(component, release, go, module);
  // Go names a program after its package's folder, which for etcd is "server": so it is named here. More
  // than one package wants a folder instead.
  const output = component === "etcd" ? join(into, "etcd") : `${into}/`;
  const flags = ["-trimpath", "-ldflags", ldflags, "-o", output];
  await go.run(["build", ...flags, ...PACKAGES[component]], module);
  await rm(module, { recursive: true });
}

/** Without them the server and kubectl call themselves v0.0.0-master+$Format:%H$. */
function versionFlags({ kubernetes }: Release): string {
  const [major, minor] = kubernetes.split(".");
  const values = {
    gitVersion: `v${kubernetes}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: "clean",
  };
  const packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
  const settings = packages.flatMap((place) =>
    Object.entries(values).map(([name, value]) => `-X ${place}.${name}=${value}`)
  );
  return ["-s", "-w", ...settings].join(" ");
}

if (import.meta.main) {
  const [argument] = process.argv.slice(2);
  if (argument === "--update-modules") {
    await updateCommittedModules(await findGo());
  } else {
    console.log(await buildAssets(argument));
  }
}
