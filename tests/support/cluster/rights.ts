/** Rights of RBAC for a test's users. */
import { randomUUID } from "node:crypto";
import type { Api } from "./api.ts";

/** A rule of a Role. */
export interface Rule {
  /** Default: the core group. */
  readonly apiGroups?: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Who may do what in which namespace. */
export interface Grant {
  readonly namespace: string;
  readonly to:
    | { readonly user: string }
    | { readonly group: string }
    | { readonly serviceAccount: string };
  readonly rules: readonly Rule[];
}

const RBAC = "rbac.authorization.k8s.io";

/** Makes a Role and its RoleBinding, and returns once the server goes by them. */
export async function grant(api: Api, rights: Grant): Promise<void> {
  const metadata = { name: `grant-${randomUUID()}` };
  const path = `/apis/${RBAC}/v1/namespaces/${rights.namespace}`;
  const rules = rights.rules.map((rule) => ({ apiGroups: [""], ...rule }));
  await api.must("POST", `${path}/roles`, { body: { metadata, rules } });
  await api.must("POST", `${path}/rolebindings`, {
    body: {
      metadata,
      roleRef: { apiGroup: RBAC, kind: "Role", name: metadata.name },
      subjects: [subjectOf(rights)],
    },
  });
  // The server reads rights through a cache of its own, some milliseconds late.
  const review = reviewOf(rights);
  while (!await isAllowed(api, review)) await new Promise((resolve) => setTimeout(resolve, 10));
}

function subjectOf({ to, namespace }: Grant): Record<string, string> {
  if ("user" in to) return { apiGroup: RBAC, kind: "User", name: to.user };
  if ("group" in to) return { apiGroup: RBAC, kind: "Group", name: to.group };
  return { kind: "ServiceAccount", name: to.serviceAccount, namespace };
}

/** A question that is answered with yes once the rights are known: one rule stands for all. */
function reviewOf({ to, namespace, rules }: Grant): object {
  const [rule] = rules;
  if (rule === undefined) throw new Error("a grant needs a rule");
  const user = "user" in to
    ? { user: to.user }
    : "group" in to
    ? { user: "anybody", groups: [to.group] }
    : { user: `system:serviceaccount:${namespace}:${to.serviceAccount}` };
  const resourceAttributes = {
    namespace,
    verb: rule.verbs[0],
    group: rule.apiGroups?.[0] ?? "",
    resource: rule.resources[0],
    name: rule.resourceNames?.[0] ?? "",
  };
  return { spec: { ...user, resourceAttributes } };
}

async function isAllowed(api: Api, body: object): Promise<boolean> {
  const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const answer = await api.must("POST", path, { body });
  return (answer["status"] as { allowed: boolean }).allowed;
}
