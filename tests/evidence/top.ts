/** The first screen of docs/evidence.md. */
import { recordedBugs } from "./bugs.ts";
import { FAULTS } from "./faults.ts";
import { FOUND } from "./found.ts";
import { crowdInTheGate, modelTotals, seedsInTheGate, v3SeedsInTheGate } from "./numbers.ts";
import { CHAPTERS } from "./promises.ts";

const n = (of: number) => of.toLocaleString("en");

/** What is promised, how it is checked, how much of it, and how to do it again. */
export function top(): string {
  const promises = CHAPTERS.flatMap((chapter) => chapter.promises).length;
  const { scenes, states } = modelTotals();
  const shown = FAULTS.filter(({ missing }) => missing === undefined).length;
  return `# Why the lock may be trusted

Most locks were found wrong when somebody looked. Here is what was looked at, so that you need not believe it.

**Promised** ([in full](protocol.md#promises)): never more holders than allowed, and the command of \`run\` dead before the next begins, with clocks up to
10 % apart and wall clocks anywhere; no stuck lock, whoever dies; turns in queue order; a token that only grows; no request sent on a
guess; rights on one Secret by name. **[Not promised](#what-is-not-promised)**: a machine that is paused as a whole, the steps of a job after \`acquire\`, faster clocks, an etcd
that was set back. [Not looked at](#what-was-not-looked-at), either: what you should know before you believe this.

| how it is checked | how much of it | again |
| --- | --- | --- |
| **Simulation**: the real driver (\`lib/lock\`), not a copy, over a store that loses, delays, repeats and reorders; clients that die, sleep and drift; people's hands. One seed is one run, to the last byte | ${
    n(seedsInTheGate())
  } runs in the gate, ${
    n(v3SeedsInTheGate())
  } beside jobs of version 3 | \`deno task simulate --seeds 1-50000\` |
| **Model**: the same driver, few clients, each state that they can come into, with a fault at any moment | ${scenes} explorations to their end, ${
    n(states)
  } states ([which](../tests/model/README.md)) | \`deno task model\` |
| **Deliberate bugs** in copies of the lock: does anything see them? | ${recordedBugs().length}, with the seed and the state | \`deno task bugs\` |
| **Real servers under fault**: kube-apiserver and etcd stopped, silent, killed; a proxy that cuts, stalls, doubles, spoils; processes killed and stopped; full disks | the ${FAULTS.length} [faults](#faults), ${shown} of them in full | \`deno task test:cluster\` |
| **Soak**: jobs that join, work, die and are cancelled while all of that happens; judged by a journal that their work writes | [last ones](#counted) | \`deno task soak --minutes 20\` |
| **Crowd**: very many before one lock, a tenth dies | ${
    n(crowdInTheGate())
  } in the gate, [more](#counted) by hand | \`deno task crowd\` |
| **Fuzzing** of all that others can write: record, ticket, kubeconfig, state, database, variables, answers, watches | one seed in the gate, any other by hand | \`deno test -A tests/fuzz\` |

${promises} promises stand below, each with what shows it: a test of the house fails when a sentence of docs/protocol.md has no
evidence, a test that is named is gone, or this page is stale. ${FOUND.length} things were [found wrong](#found-and-mended) by looking, and mended. \`bash .ci/run\` does all but
the soak, the long crowd and the long model. Needed: bash, Node.js, and Go or Python for the server.`;
}
