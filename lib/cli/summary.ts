/** What a job's summary on GitHub says of its locks. */
import { addToSummary, escapeMarkdown } from "../ci/github.ts";
import type { Holder, LockRecord, Past } from "../lock/record.ts";
import type { Context } from "./context.ts";
import { formatDuration } from "./durations.ts";
import { neutral, neutralLink } from "./text.ts";

/** That the lock was taken: how long that took, with which token, who held it before. */
export function summarizeTaken(
  context: Context,
  lock: string,
  held: Pick<Holder, "token" | "waited_seconds">,
  record: LockRecord | null,
): void {
  const waited = held.waited_seconds < 1
    ? "at once"
    : `after ${formatDuration(held.waited_seconds * 1000)}`;
  // Those that never came to hold are not who was before.
  const before = record?.history.find(({ token }) => token !== null);
  add(context, lock, `held with token ${held.token}, got ${waited}${before ? by(before) : ""}`);
}

/** That it was given back: how long it was held, by the wall clock. */
export function summarizeGivenBack(
  context: Context,
  lock: string,
  acquiredAt: string | null,
): void {
  const heldMs = context.wall().getTime() - Date.parse(acquiredAt ?? "");
  add(context, lock, `given back${heldMs >= 0 ? ` after ${formatDuration(heldMs)}` : ""}`);
}

/** That it was lost while the job worked. */
export function summarizeLost(context: Context, lock: string, why: string): void {
  add(context, lock, `**lost** while the job worked: ${escapeMarkdown(neutral(why))}`);
}

function by({ holder, link }: Past): string {
  const name = escapeMarkdown(neutral(holder));
  const url = neutralLink(link).replace(/[<>\\]/g, encodeURIComponent);
  return `; before: ${url === "" ? name : `[${name}](<${url}>)`}`;
}

function add(context: Context, lock: string, sentence: string): void {
  addToSummary(context.env, `- **${escapeMarkdown(neutral(lock))}**: ${sentence}`);
}
