/** Every promise of docs/protocol.md. */
import type { Chapter } from "./promise.ts";
import { OTHERS } from "./promises/others.ts";
import { SEVEN } from "./promises/seven.ts";
import { STATES } from "./promises/states.ts";

/** In the order in which the page tells them. */
export const CHAPTERS: readonly Chapter[] = [...SEVEN, ...STATES, ...OTHERS];
