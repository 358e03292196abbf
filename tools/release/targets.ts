/** The systems that a release has a binary for, and what its files are called. */

/** A system and architecture, and how it is named in each place. */
export interface Target {
  /** In our files' names and in the action's release.txt: `linux-x64`. */
  readonly platform: string;
  /** For `deno compile --target`. */
  readonly triple: string;
  /** The program's file in the archive. */
  readonly program: string;
  /** The archive's file. Without a version, so that an address of the latest release can be written down. */
  readonly archive: string;
}

/** All targets, in the order of their names. Deno has no build for musl. */
export const TARGETS: readonly Target[] = [
  target("linux-arm64", "aarch64-unknown-linux-gnu"),
  target("linux-x64", "x86_64-unknown-linux-gnu"),
  target("macos-arm64", "aarch64-apple-darwin"),
  target("macos-x64", "x86_64-apple-darwin"),
  target("windows-arm64", "aarch64-pc-windows-msvc"),
  target("windows-x64", "x86_64-pc-windows-msvc"),
];

function target(platform: string, triple: string): Target {
  const program = platform.startsWith("windows") ? "k8s-lock.exe" : "k8s-lock";
  return { platform, triple, program, archive: `k8s-lock-${platform}.tar.gz` };
}

/** The targets with these platforms; all of them for none. Throws for a platform that is not built. */
export function targetsNamed(platforms: readonly string[]): readonly Target[] {
  if (platforms.length === 0) return TARGETS;
  return platforms.map((platform) => {
    const found = TARGETS.find((target) => target.platform === platform);
    if (found === undefined) throw new Error(`no target is called ${platform}`);
    return found;
  });
}
