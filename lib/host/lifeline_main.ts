/**
 * The lifeline: a helper process that kills the work of a holder that cannot do it itself any more, because it
 * was killed or stopped. It loads nothing but this, so that it is up at once and stays small.
 *
 * The holder speaks to it in lines on its standard input, and the end of that pipe is the holder's death:
 *
 * | line | meaning |
 * | --- | --- |
 * | `guard <group>` | the work has this process group; until then it is found by its grant |
 * | `until <ms> <n>` | kill the work when this clock shows `ms`, if no later line moves it; answered with `ok <n>` |
 * | `done` | the work has ended; so does the lifeline |
 *
 * It answers `ready shared` or `ready <ms>` once it guards (the second with what its own clock shows, where there
 * is none that both can read), and `killed` when it kills although the holder lives.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { sharedNow } from "./clock.ts";
import { killWork } from "./work.ts";

/** The hidden mode's name: the program started with it as first argument is a lifeline. */
export const LIFELINE_MODE = "__lifeline";

/** How often the clock is looked at, at least: a timer alone would oversleep when the machine sleeps. */
const LOOK_MS = 250;
/** How long it goes on trying to kill what does not die. */
const GIVE_UP_MS = 60_000;

/** A process group that may be killed: 0 would be our own, and 1 everybody's. */
function groupNumber(text: string | undefined): number | null {
  return Number(text) > 1 ? Number(text) : null;
}

/**
 * Runs as the lifeline and ends the process.
 *
 * @param args the grants of the work, comma-separated; then, for one that replaces another, the process group of the work
 *   and what the shared clock shows when it must be dead. Empty: not known.
 */
export function lifelineMain(args: readonly string[]): void {
  const grants = (args[0] ?? "").split(",").filter((grant) => grant !== "");
  const shared = sharedNow() !== null;
  const now = () => (shared ? sharedNow() : null) ?? performance.now();
  let group = groupNumber(args[1]);
  // Of a clock that this process cannot read the number says nothing.
  let deadline = shared && args[2] ? Number(args[2]) : Infinity;
  let killing = false;

  async function kill(): Promise<void> {
    if (killing) return;
    killing = true;
    try {
      // A group told in the meantime counts: it is read anew in each round.
      const work = {
        get group() {
          return group;
        },
        grants,
      };
      await killWork(work, [], AbortSignal.timeout(GIVE_UP_MS));
    } catch {
      // Another user's process, or one in the kernel's hands: nobody is left to tell.
    }
    process.exit(0);
  }

  function read(line: string): void {
    const [word, first, second] = line.split(" ");
    if (word === "done" && !killing) process.exit(0);
    if (word === "guard") group = groupNumber(first) ?? group;
    if (word === "until") {
      deadline = Number(first);
      say(`ok ${second}`);
      look();
    }
  }

  // The holder's end of the pipe may be gone; what it is told then does not matter.
  process.stdout.on("error", () => {});
  const say = (line: string) => process.stdout.write(`${line}\n`);
  // Ctrl-C, a cancelled step and a closed terminal end the holder in good order, and it needs its lifeline until then.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});

  function look(): void {
    if (killing) return;
    const leftMs = deadline - now();
    if (leftMs <= 0) {
      say("killed");
      void kill();
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(leftMs, LOOK_MS));
  }

  let timer = setTimeout(look, LOOK_MS);
  createInterface({ input: process.stdin }).on("line", read).on("close", () => void kill());
  say(shared ? "ready shared" : `ready ${performance.now()}`);
}
