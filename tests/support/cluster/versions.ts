/** Which versions of the control plane the tests can run on, and where their Go modules come from. */

/** One control plane: the API server with its kubectl, and the etcd under it. Versions without "v". */
export interface Release {
  readonly minor: string;
  readonly kubernetes: string;
  readonly etcd: string;
}

/** What the tests run on unless told otherwise. Its go.mod and go.sum are committed beside this file. */
export const DEFAULT_MINOR = "1.36";

/** All share one etcd: the API server speaks to it by its stable API, and it is not what is tested. */
const ETCD = "3.6.7";

const RELEASES: readonly Release[] = [
  { minor: "1.35", kubernetes: "1.35.4", etcd: ETCD },
  { minor: "1.36", kubernetes: "1.36.3", etcd: ETCD },
  { minor: "1.37", kubernetes: "1.37.2", etcd: ETCD },
];

/** The release of a minor version such as "1.36". Throws, naming the known ones, for any other. */
export function releaseOf(minor: string): Release {
  const found = RELEASES.find((release) => release.minor === minor);
  if (found !== undefined) return found;
  const known = RELEASES.map((release) => release.minor).join(", ");
  throw new Error(`no test cluster of Kubernetes ${minor}: known are ${known} (versions.ts)`);
}
