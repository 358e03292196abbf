/** Bugs in the store that simulation and model run over: what the lock relies on. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const STORE: readonly Bug[] = [
  {
    name: "a write replaces what it has not seen",
    breaks: "exclusion",
    from: "if (present.uid !== base.uid || present.revision !== base.revision) {",
    to: "if (present.uid !== base.uid) {",
  },
];
