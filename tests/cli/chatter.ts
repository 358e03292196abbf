/** Says far more than a pipe holds on stderr, while counting its own ticks; then exits with 7. Run by output_test.ts. */
import process from "node:process";
import { openOutput } from "../../lib/cli/output.ts";
import { ThreadOutput } from "../../lib/cli/output_thread.ts";

// As where nothing but a thread helps: sockets, and systems other than Linux.
const stderr = process.argv[2] === "thread" ? new ThreadOutput(2, 100_000) : openOutput(2);
const stdout = openOutput(1);
let ticks = 0;
const ticking = setInterval(() => {
  for (let i = 0; i < 100; i++) stderr.write(`${"x".repeat(1000)}\n`);
  if (++ticks < 20) return;
  clearInterval(ticking);
  stdout.write(`${ticks} ticks\n`);
  void Promise.all([stdout.flush(Infinity), stderr.flush(200)]).then(() => process.exit(7));
}, 10);
