/** A lock's name: what is accepted, what it is unique in, and which object keeps it. */
import { createHash } from "node:crypto";
import { foldCase } from "../lock/identity.ts";
import type { Identity } from "../lock/record.ts";
import { usage } from "./errors.ts";
import { hasHiddenCharacters, neutral } from "./text.ts";

/** Longest lock name, in characters as typed. What is longer is mostly a variable that holds something else. */
export const MAX_LOCK_NAME = 255;

/**
 * Longest name of a record. Kubernetes allows 253 characters (an RFC 1123 subdomain), and a ticket is called
 * `<record>-t-<grant>` with a grant of up to 24.
 */
export const MAX_OBJECT_NAME = 253 - "-t-".length - 24;

/** What comes before every record's name. */
const PREFIX = "k8s-lock";

/** An RFC 1123 subdomain, as the names of Kubernetes objects have to be. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** How a name ends whose hash was added; see {@link objectName}. */
const HASHED = /\.h[0-9a-f]{10}$/;

/**
 * `name` as a lock's name, in Unicode's composed form (two spellings of one `é` are one lock).
 *
 * @throws {CliError} (exit 2) when it is empty, too long, or holds what nobody can see or type again
 */
export function lockName(name: string): string {
  const composed = name.normalize("NFC");
  if (composed.trim() === "") {
    throw usage("the lock's name is empty; give it one, for example: k8s-lock status deploy");
  }
  if (composed.length > MAX_LOCK_NAME) {
    throw usage(
      `the lock's name is ${composed.length} characters long (${
        neutral(composed, 40)
      }); at most ${MAX_LOCK_NAME}`,
    );
  }
  if (hasHiddenCharacters(composed) || !composed.isWellFormed()) {
    throw usage(
      `the lock's name "${
        neutral(composed, 60)
      }" has line breaks, control characters or invisible characters in it; leave them out`,
    );
  }
  if (composed.trim() !== composed) {
    throw usage(`the lock's name "${composed}" begins or ends with a space; leave it out`);
  }
  if (composed.includes(",")) {
    throw usage(
      `"${neutral(composed, 60)}" names several locks; this version takes one lock at a time`,
    );
  }
  return composed;
}

/** An owner and a repository (or a group and a project). */
export interface Repository {
  /** `acme`; where projects are nested, everything before the last slash. */
  readonly owner: string;
  /** `shop`. */
  readonly repository: string;
}

/**
 * `path` as OWNER/REPO, or null when it is none. The owner may have slashes of its own (GitLab's groups).
 */
export function splitRepository(path: string): Repository | null {
  const slash = path.lastIndexOf("/");
  const owner = path.slice(0, slash);
  const repository = path.slice(slash + 1);
  const parts = [...owner.split("/"), repository];
  const sound = slash > 0 && path.length <= 1000 &&
    parts.every((part) => part !== "" && part.trim() === part && !hasHiddenCharacters(part));
  return sound ? { owner, repository } : null;
}

/** Which lock is meant: `lock` within `scope`. */
export function identityOf(
  scope: Identity["scope"],
  repository: Repository | null,
  lock: string,
): Identity {
  if (scope === "global") return { scope, owner: "", repository: "", lock };
  if (repository === null) {
    throw usage(
      `it is not known which repository's lock "${lock}" is meant; say --repo OWNER/REPO, or --scope global for one lock of that name in the whole namespace`,
    );
  }
  // CI products do not tell the case of these letters apart, and a person who types them need not either.
  const owner = foldCase(repository.owner);
  const name = foldCase(repository.repository);
  return { scope, owner, repository: scope === "repo" ? name : "", lock };
}

/**
 * The name of the record that keeps the lock: `k8s-lock-<owner>-<repo>-<lock>` with the parts that its scope has.
 *
 * Letters of owner and repository are made small, as CI products do not tell them apart. Where anything else has to be changed or cut
 * to get a name that Kubernetes accepts, a hash of the identity is added, so that two locks never come to share a record by that.
 * (Joining by `-` alone is ambiguous, `a-b`/`c` and `a`/`b-c`: the record keeps the identity, and another one is refused.)
 */
export function objectName(identity: Identity): string {
  const path = [...identity.owner.split("/"), identity.repository]
    .filter((part) => part !== "").map(foldCase);
  const joined = [PREFIX, ...path, identity.lock].join("-");
  // A name that only looks as if it had a hash gets one too, or it could be another lock's.
  if (SUBDOMAIN.test(joined) && joined.length <= MAX_OBJECT_NAME && !HASHED.test(joined)) {
    return joined;
  }
  const hash = createHash("sha256").update(JSON.stringify([
    identity.scope,
    foldCase(identity.owner),
    foldCase(identity.repository),
    identity.lock,
  ])).digest("hex").slice(0, 10);
  const room = MAX_OBJECT_NAME - ".h".length - hash.length;
  const readable = joined.toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    // Each label between dots begins and ends with a letter or digit.
    .replace(/[-.]*\.[-.]*/g, ".")
    .slice(0, room)
    .replace(/[-.]+$/, "");
  return `${readable}.h${hash}`;
}

/**
 * `name` as a record's exact name.
 *
 * @throws {CliError} (exit 2) when Kubernetes would not accept it, or a ticket's name would get too long
 */
export function exactObjectName(name: string): string {
  if (name.length > MAX_OBJECT_NAME || !SUBDOMAIN.test(name)) {
    throw usage(
      `--object: "${
        neutral(name, 60)
      }" cannot be a record's name; it is made of small letters, digits, "-" and ".", at most ${MAX_OBJECT_NAME} characters (k8s-lock list shows the names)`,
    );
  }
  return name;
}

/** An identity for people: `deploy of acme/shop`. */
export function describeIdentity(identity: Identity): string {
  const lock = neutral(identity.lock);
  switch (identity.scope) {
    case "global":
      return `${lock} (of the whole namespace)`;
    case "owner":
      return `${lock} of ${neutral(identity.owner)}`;
    case "repo":
      return `${lock} of ${neutral(`${identity.owner}/${identity.repository}`)}`;
  }
}
