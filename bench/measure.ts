/** Starting programs and measuring them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import process from "node:process";

/** A program with its arguments and what it has in its environment beside ours. */
export interface Command {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs it to its end; returns how long that took, in milliseconds. Throws, with its stderr, when it fails. */
export async function timeOf({ args: [program = "", ...args], env }: Command): Promise<number> {
  const began = performance.now();
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr.on("data", (chunk) => said += chunk);
  const [code] = await once(child, "exit");
  const took = performance.now() - began;
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${said}`);
  return took;
}

/**
 * The times of each of several commands, in milliseconds: all of them once in each round, so that what else the machine does hits all.
 * The first round, which fills caches, does not count.
 */
export async function interleaved<Name extends string>(
  rounds: number,
  commands: Readonly<Record<Name, (round: number) => Command>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(commands) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const took = await timeOf(commands[name](round));
      if (round > 0) times[name].push(took);
    }
  }
  return times;
}

/** The middle of the numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] ?? NaN;
  return sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
}

/** The median of the ratios of what was measured in the same round. */
export function ratio(times: readonly number[], to: readonly number[]): number {
  return median(times.map((time, round) => time / (to[round] ?? NaN)));
}

/** What a process holds in memory now (RSS), in MB. Linux only. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1000;
}
