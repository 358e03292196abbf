/** The exact commands to look at a lock and to break it, for people who meet it in a log. */
import { namesOf } from "../store/kube_objects.ts";
import type { Address } from "./connect.ts";
import { shellQuote } from "./text.ts";

/**
 * Lines to copy.
 *
 * @param object the record's exact name
 */
export function howToLook(object: string, address: Address): readonly string[] {
  const own = `--object ${shellQuote(object)} ${whereFlags(address)}`;
  const lines = [
    `to look at it: k8s-lock status ${own}`,
    `to take it away: k8s-lock break ${own} --reason "why"`,
  ];
  if (address.store === "local") return lines;
  const context = address.context === null ? "" : ` --context ${shellQuote(address.context)}`;
  const kubectl = `kubectl${context} -n ${shellQuote(address.namespace)}`;
  const name = shellQuote(object);
  const { hash } = namesOf(address.namespace, object, object);
  return [
    ...lines,
    `with kubectl, the record: ${kubectl} get secret ${name} -o jsonpath='{.data.lock}' | base64 -d`,
    `with kubectl, the queue: ${kubectl} get leases -l k8s-lock.dev/lock=${hash}`,
    `with kubectl, to take it away as the last resort: ${kubectl} delete secret ${name}`,
  ];
}

function whereFlags(address: Address): string {
  if (address.store === "local") return `--local --local-path ${shellQuote(address.path)}`;
  const context = address.context === null ? "" : ` --context ${shellQuote(address.context)}`;
  return `-n ${shellQuote(address.namespace)}${context}`;
}
