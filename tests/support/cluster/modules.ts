/** The Go modules that the control plane is built from: a go.mod and go.sum for each component. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Go } from "./go.ts";
import { DEFAULT_MINOR, type Release, releaseOf } from "./versions.ts";

/** What is built: its packages become the module's tools. */
export const PACKAGES = {
  kubernetes: ["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl"],
  etcd: ["go.etcd.io/etcd/server/v3"],
} as const;

type Component = keyof typeof PACKAGES;

/**
 * Puts the go.mod and go.sum of a component into `folder`.
 *
 * Those of the default release are the committed ones, so its bytes are pinned by this repository. For
 * another release they are made on the spot: its sums are then those of Go's checksum database.
 */
export async function prepareModule(
  component: Component,
  release: Release,
  go: Go,
  folder: string,
): Promise<void> {
  const pinned = releaseOf(DEFAULT_MINOR);
  if (release[component] === pinned[component]) {
    for (const file of ["go.mod", "go.sum"]) {
      await cp(join(committedFolder(component, pinned), file), join(folder, file));
    }
  } else {
    await writeModule(component, release, go, folder);
  }
}

/** Makes the committed module folders of the default release anew, after a change in versions.ts. */
export async function updateCommittedModules(go: Go): Promise<void> {
  const release = releaseOf(DEFAULT_MINOR);
  for (const component of ["kubernetes", "etcd"] as const) {
    const folder = committedFolder(component, release);
    await mkdir(folder, { recursive: true });
    await writeModule(component, release, go, folder);
  }
}

function committedFolder(component: Component, release: Release): string {
  const minor = release[component].split(".").slice(0, 2).join(".");
  return fileURLToPath(new URL(`./${component}-${minor}`, import.meta.url));
}

async function writeModule(
  component: Component,
  release: Release,
  go: Go,
  folder: string,
): Promise<void> {
  const version = release[component];
  const lines = [
    `module k8s-lock.test/${component}`,
    "go 1.26.0",
    ...PACKAGES[component].map((tool) => `tool ${tool}`),
  ];
  if (component === "etcd") {
    lines.push(`require go.etcd.io/etcd/server/v3 v${version}`);
  } else {
    lines.push(`require k8s.io/kubernetes v${version}`);
    // Kubernetes' own go.mod requires its sibling modules at v0.0.0 and replaces them by folders of its
    // repository; replacements count in the main module only, so they are said here, by version.
    for (const module of await siblings(version, go, folder)) {
      lines.push(`replace ${module} => ${module} v${version.replace(/^1\./, "0.")}`);
    }
  }
  await writeFile(join(folder, "go.mod"), lines.join("\n") + "\n");
  await writeFile(join(folder, "go.sum"), "");
  await go.run(["mod", "tidy"], folder);
}

async function siblings(version: string, go: Go, folder: string): Promise<string[]> {
  const answer = await go.run(
    ["mod", "download", "-json", `k8s.io/kubernetes@v${version}`],
    folder,
  );
  const { GoMod: path } = JSON.parse(answer) as { GoMod: string };
  const text = await readFile(path, "utf8");
  return [...text.matchAll(/^\s*(k8s\.io\/\S+) v0\.0\.0$/gm)].map(([, module]) => module ?? "");
}
