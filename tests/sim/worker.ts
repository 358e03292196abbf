/// <reference lib="webworker" />
/** A thread of many.ts: runs the seeds that it is told to. */
import { inTurn } from "./many.ts";
import type { Seeds } from "./many.ts";

addEventListener("message", ({ data }: MessageEvent<Seeds>) => postMessage(inTurn(data)));
