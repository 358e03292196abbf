/** The processes of a job, as CI products find and end them. */
import { environmentOf, processStatus } from "../../../lib/host/processes.ts";
import { eventually, kill } from "../sandbox.ts";
import type { Project } from "./project.ts";

/**
 * Ends every process with `name=value` in its environment, children before their parents: so Jenkins does it. None of them is given
 * time before the next one's turn: harder than Jenkins, which waits up to 5 s for each.
 */
export function endByCookie({ sandbox }: Project, name: string, value: string): void {
  const all = sandbox.processes("").filter((pid) =>
    environmentOf(pid).includes(`${name}=${value}`)
  );
  const depth = (pid: number): number => {
    const parent = processStatus(pid)?.parent ?? 0;
    return all.includes(parent) ? depth(parent) + 1 : 0;
  };
  const deepestFirst = all.map((pid) => ({ pid, depth: depth(pid) }))
    .sort((a, b) => b.depth - a.depth);
  for (const { pid } of deepestFirst) kill(pid, "SIGTERM");
}

/** The one process that a process of the job has started, once it is there. */
export async function childOf({ sandbox }: Project, parent: number): Promise<number> {
  let found: number[] = [];
  await eventually(`a child of process ${parent}`, () => {
    found = sandbox.processes("").filter((pid) => processStatus(pid)?.parent === parent);
    return found.length === 1;
  });
  return found[0] ?? 0;
}
