/**
 * What others may do about a holder that fell silent, by the policy in its entry: take its place over after its TTL, only when its job
 * is known to be over, or never. Whether a job is over is asked of whoever runs jobs: an effect, and its answer an event.
 */
import { due, random, tell } from "./draft.ts";
import type { Draft } from "./draft.ts";
import { silentAt } from "./observer.ts";
import type { SeenHolder } from "./observer.ts";
import { holderOf } from "./queue.ts";
import type { Holder, LockRecord } from "./record.ts";

/** What became of a job. Each `why` is for people. */
export type Fate =
  | {
    readonly kind: "over";
    /**
     * `runner`: the job's own runner has finished it and killed what it left running. `server`: it counts as over, but its processes
     * may still run.
     */
    readonly by: "runner" | "server";
    readonly why: string;
  }
  | { readonly kind: "not_over"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string; readonly retryAfterMs?: number };

/** What a client knows of one holder's job. */
export interface Inquiry {
  /** The holder whose job it is. */
  readonly grant: string;
  /** Of the question under way; null while there is none. */
  readonly id: number | null;
  /** The last answer. `over` is the last there can be: no job goes on after it. */
  readonly fate: Fate | null;
  /** Not asked again before; on the monotonic clock. */
  readonly askAt: number;
  /** Answers that were no `over`. */
  readonly asked: number;
}

/** So much of its TTL a holder has to be silent before its job is asked about: two renewals were missed. */
export const ASK_AFTER = 1 / 3;

/**
 * Waits between two questions, in milliseconds: the next in line's. The one in place N waits N times as long, so that a hundred ask
 * not much oftener than one, and one without a token is not the only one who asks.
 */
const ASK_EVERY_MS = { first: 15_000, most: 300_000 };

/** What may be done about a holder: when, on the monotonic clock. */
export type Removal =
  | { readonly kind: "at"; readonly at: number; readonly why: string }
  /** Not before there is an answer about its job. */
  | { readonly kind: "ask" }
  /** Only by a person. */
  | { readonly kind: "never" };

/**
 * When `holder` may be taken off, as long as it stays silent. The policy is for one that holds: what a person broke, and what cools
 * down, goes by its TTL.
 *
 * Before its TTL is over only in one case: its own runner has finished its job, that hold was to end with its job, and two renewals
 * have failed to come. A runner that the server gave up may still run the job, and whoever renews is alive, whatever became of the job.
 */
export function removal(
  holder: Holder,
  seen: SeenHolder,
  inquiries: readonly Inquiry[],
): Removal {
  const silent = silentAt(seen);
  if (holder.state !== "held") return { kind: "at", at: silent, why: "" };
  switch (holder.on_expiry ?? "takeover") {
    case "takeover":
      return { kind: "at", at: silent, why: "" };
    case "never":
      return { kind: "never" };
    case "verify": {
      const fate = inquiries.find(({ grant }) => grant === holder.grant)?.fate;
      if (fate?.kind !== "over") return { kind: "ask" };
      const early = fate.by === "runner" && holder.job?.held_for === "job";
      return { kind: "at", at: early ? askableAt(seen) : silent, why: fate.why };
    }
  }
}

/** When a holder has been silent for long enough to ask about its job. */
function askableAt(seen: SeenHolder): number {
  return seen.since + seen.ttlMs * ASK_AFTER;
}

/** Asks about the jobs of the holders that are silent, where their policy wants it. */
export function inquire(d: Draft, record: LockRecord): void {
  d.inquiries = d.inquiries.filter(({ grant }) => holderOf(record, grant) !== undefined);
  for (const seen of d.sight.holders) {
    const holder = holderOf(record, seen.grant);
    if (holder === undefined || removal(holder, seen, d.inquiries).kind !== "ask") continue;
    const before = d.inquiries.find(({ grant }) => grant === seen.grant);
    if (before !== undefined && before.id !== null) continue;
    const place = (d.position - 1) * ASK_EVERY_MS.first;
    // Where its TTL was not over at the last answer, it is asked about again then.
    const askAt = before === undefined
      ? askableAt(seen) + place
      : Math.max(before.askAt, before.asked <= 1 ? silentAt(seen) + place : askableAt(seen));
    if (!due(d, askAt)) continue;
    ask(d, holder, before);
  }
}

function ask(d: Draft, { grant, job }: Holder, before: Inquiry | undefined): void {
  const inquiry = before ?? { grant, id: null, fate: null, askAt: d.now, asked: 0 };
  const others = d.inquiries.filter((one) => one !== before);
  if (job === undefined) {
    const why = "its entry does not say which job it is";
    d.inquiries = [...others, answered(d, inquiry, { kind: "unknown", why })];
    return;
  }
  d.ids++;
  d.inquiries = [...others, { ...inquiry, id: d.ids }];
  d.effects.push({ kind: "ask_job", id: d.ids, job });
}

/** Takes in an answer. One to a question about a holder that has gone since is nobody's. */
export function takeFate(d: Draft, id: number, fate: Fate): void {
  const inquiry = d.inquiries.find((one) => one.id === id);
  if (inquiry === undefined) return;
  if (inquiry.fate?.why !== fate.why) tell(d, "debug", `asked about ${inquiry.grant}: ${fate.why}`);
  d.inquiries = d.inquiries.map((one) => one === inquiry ? answered(d, inquiry, fate) : one);
}

function answered(d: Draft, inquiry: Inquiry, fate: Fate): Inquiry {
  const wait = Math.min(ASK_EVERY_MS.most, ASK_EVERY_MS.first * 2 ** Math.min(inquiry.asked, 10));
  const told = fate.kind === "unknown" ? fate.retryAfterMs ?? 0 : 0;
  const spread = 0.75 + random(d) / 2;
  return {
    ...inquiry,
    id: null,
    fate,
    asked: inquiry.asked + 1,
    askAt: d.now + Math.max(told, wait * spread * d.position),
  };
}
