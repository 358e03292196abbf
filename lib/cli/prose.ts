/**
 * What is known about a lock, in words. Ages are by this machine's wall clock against the timestamps in the record: good enough for people, never
 * used to decide anything.
 */
import type { Fate } from "../lock/expiry.ts";
import type { Holder, LockRecord, Past } from "../lock/record.ts";
import type { Queued } from "../lock/queue.ts";
import { formatDuration } from "./durations.ts";
import { describeSilent } from "./expiry.ts";
import { neutral } from "./text.ts";

/** What a waiter has seen for itself, beside record and queue. */
export interface Observed {
  /** How long the first turn has stood unclaimed, in milliseconds by its own clock; null when not known. */
  readonly turnMs: number | null;
  /** By grant, what the Actions API said of the holders' jobs. */
  readonly fates?: ReadonlyMap<string, Fate>;
}

const NOTHING_OBSERVED: Observed = { turnMs: null };

/** Milliseconds since a timestamp of a record, or null when it is none. Another machine's clock may be ahead: then 0. */
function age(timestamp: string, wall: Date): number | null {
  const then = Date.parse(timestamp);
  return Number.isNaN(then) ? null : Math.max(0, wall.getTime() - then);
}

function forSoLong(timestamp: string, wall: Date): string {
  const ms = age(timestamp, wall);
  return ms === null ? "" : ` for ${formatDuration(ms)}`;
}

/** `held by X for 3 min, last sign of life 4 s ago`, or what is wrong with it. */
export function describeHolder(holder: Holder, wall: Date, fate?: Fate): string {
  const name = neutral(holder.holder);
  const held = `held by ${name}${forSoLong(holder.acquired_at, wall)}`;
  const silentMs = age(holder.renewed_at, wall);
  if (holder.state === "cooling") return `cooling down after ${name}`;
  if (holder.state === "broken") {
    const by = holder.broken_by === undefined ? "" : ` by ${neutral(holder.broken_by)}`;
    const why = holder.broken_reason ? ` (${neutral(holder.broken_reason)})` : "";
    return `${held}, broken${by}${why}: it is stopping its work, or is passed over when it is silent for ${holder.ttl_seconds} s`;
  }
  if (silentMs === null) return held;
  const leftMs = holder.ttl_seconds * 1000 - silentMs;
  // It renews every sixth of its TTL and is worried itself at half of it.
  if (leftMs > holder.ttl_seconds * 500 && fate === undefined) {
    return `${held}, last sign of life ${formatDuration(silentMs)} ago`;
  }
  return `${name} is silent for ${formatDuration(silentMs)}, ${
    describeSilent(holder, leftMs, fate)
  }`;
}

/** True for a holder past its TTL that others may not simply take off. */
export function isStuck({ on_expiry, renewed_at, ttl_seconds }: Holder, wall: Date): boolean {
  return (on_expiry ?? "takeover") !== "takeover" &&
    (age(renewed_at, wall) ?? 0) >= ttl_seconds * 1000;
}

/** Why it is as it is: who holds, and what those who wait are waiting for. One sentence a line. */
export function whyNobodyMoves(
  record: LockRecord,
  queue: readonly Queued[] | "not listed",
  wall: Date,
  observed: Observed = NOTHING_OBSERVED,
): readonly string[] {
  const lines = record.holders.map((holder) =>
    describeHolder(holder, wall, observed.fates?.get(holder.grant))
  );
  const { freeze } = record;
  if (freeze !== null) {
    const until = freeze.until === null ? "" : ` until ${neutral(freeze.until)}`;
    lines.push(
      `frozen by ${neutral(freeze.by)}${forSoLong(freeze.since, wall)}${until}: ${
        neutral(freeze.reason)
      }`,
    );
  }
  for (const grant of record.turn) {
    const waiter = queue === "not listed"
      ? undefined
      : queue.find((queued) => queued.ticket.grant === grant);
    const whose = waiter !== undefined
      ? `${neutral(waiter.ticket.holder)}'s turn`
      : queue === "not listed"
      ? "the next one's turn"
      : "the turn of one who has gone";
    const since = observed.turnMs === null || observed.turnMs < 1000 || grant !== record.turn[0]
      ? ""
      : ` since ${formatDuration(observed.turnMs)}`;
    lines.push(`it is ${whose}${since}`);
  }
  if (record.roll_call.open) {
    lines.push("the roll is being called: who does not answer is passed over");
  }
  if (lines.length === 0 && record.next_build !== undefined) {
    lines.push(
      `it is for run ${record.next_build}: that has not come yet, or is at work by version 3, which cannot be seen`,
    );
  }
  if (lines.length === 0) {
    lines.push(queue.length === 0 ? "free" : "free: the first in line is next");
  }
  return lines;
}

/** `status` for people, line by line. */
export function statusText(
  object: string,
  record: LockRecord,
  queue: readonly Queued[],
  wall: Date,
  observed: Observed = NOTHING_OBSERVED,
): readonly string[] {
  const name = `${neutral(record.identity.lock)} (${object})`;
  const lines = [record.last_token === 0 ? name : `${name}, last token ${record.last_token}`];
  if (record.next_build !== undefined) {
    lines.push(`  in version 3's form: turns go by run number, run ${record.next_build} is next`);
  }
  if (record.capacity !== 1) lines.push(`  up to ${record.capacity} holders`);
  for (const line of whyNobodyMoves(record, queue, wall, observed)) {
    // Such as after a slip in the name: "free" alone would hide it.
    const unused = line === "free" && record.last_token === 0;
    lines.push(unused ? "  free: nobody has held it yet" : `  ${line}`);
  }
  for (const holder of record.holders) {
    lines.push(...details(`    grant ${neutral(holder.grant)}, token ${holder.token}`, holder));
  }
  if (queue.length > 0) lines.push(`  ${queue.length} in line:`);
  queue.forEach(({ ticket }, index) => {
    const since = forSoLong(ticket.waiting_since, wall);
    const turn = record.turn.includes(ticket.grant) ? ", its turn" : "";
    lines.push(`    ${index + 1}. ${neutral(ticket.holder)}${since}${turn}`);
    lines.push(...details(`       grant ${neutral(ticket.grant)}`, ticket));
  });
  if (record.history.length > 0) lines.push("  before:");
  for (const past of record.history) lines.push(`    ${describePast(past, wall)}`);
  return lines;
}

function details(
  start: string,
  { description, link }: { readonly description: string; readonly link: string },
): string[] {
  const indent = /^ */.exec(start)?.[0] ?? "";
  return [
    start,
    ...(description === "" ? [] : [`${indent}${neutral(description)}`]),
    ...(link === "" ? [] : [`${indent}${neutral(link)}`]),
  ];
}

const OUTCOMES: Readonly<Record<Past["outcome"], string>> = {
  released: "released",
  expired: "expired (it fell silent)",
  broken: "broken",
  gave_up: "gave up",
};

/** One line of the history. */
export function describePast(past: Past, wall: Date): string {
  const ago = age(past.released_at, wall);
  const heldMs = heldFor(past);
  return [
    neutral(past.holder),
    `${OUTCOMES[past.outcome]}${past.by === null ? "" : ` by ${neutral(past.by)}`}${
      past.reason ? ` (${neutral(past.reason)})` : ""
    }${ago === null ? "" : ` ${formatDuration(ago)} ago`}`,
    heldMs === null ? "never held" : `held ${formatDuration(heldMs)}`,
    ...(past.waited_seconds < 1 ? [] : [`waited ${formatDuration(past.waited_seconds * 1000)}`]),
  ].join(", ");
}

/** How long a hold lasted, in milliseconds; null for one that never held, or whose times say nothing. */
function heldFor(past: Past): number | null {
  if (past.acquired_at === null) return null;
  const ms = Date.parse(past.released_at) - Date.parse(past.acquired_at);
  return ms >= 0 ? ms : null;
}

/** A row for each lock: name, state, who, how many wait. */
export function listText(
  locks: readonly { readonly record: LockRecord; readonly queue: readonly Queued[] }[],
  wall: Date,
): readonly string[] {
  const rows = locks.map(({ record, queue }) => {
    const [first] = record.holders;
    const state = record.freeze !== null ? "frozen" : first === undefined ? "free" : first.state;
    const others = record.holders.length > 1 ? ` and ${record.holders.length - 1} more` : "";
    const { identity } = record;
    const of = [identity.owner, identity.repository].filter((part) => part !== "").join("/");
    return [
      neutral(identity.lock, 60) || "(of version 3)",
      neutral(of, 60) || "-",
      state,
      first === undefined ? "-" : `${neutral(first.holder, 60)}${others}`,
      first === undefined ? "-" : forSoLong(first.acquired_at, wall).replace(" for ", "") || "-",
      String(queue.length),
    ];
  });
  return table([["LOCK", "OF", "STATE", "HOLDER", "FOR", "WAITING"], ...rows]);
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
}

/** The middle of how long the last holders held, in milliseconds; null when nobody has yet. */
export function medianHoldMs(history: readonly Past[]): number | null {
  const holds = history.filter((past) => past.outcome === "released").map(heldFor)
    .filter((ms) => ms !== null).sort((a, b) => a - b);
  return holds[Math.floor((holds.length - 1) / 2)] ?? null;
}

/**
 * A guess of what is left of a wait, by how long the last holders held: `about 4 min to go, by the last holds`; null when there is
 * nothing to say.
 */
function guess(record: LockRecord, { grant, position }: WaitPlace, wall: Date): string | null {
  const median = medianHoldMs(record.history);
  if (median === null || record.freeze !== null || record.turn.includes(grant)) return null;
  const heldMs = record.holders.map((holder) => age(holder.acquired_at, wall) ?? 0);
  const longest = Math.max(0, ...heldMs);
  const isFull = record.holders.length >= record.capacity;
  const rounds = Math.ceil(position / record.capacity);
  const leftMs = (isFull ? Math.max(0, median - longest) : 0) + (rounds - 1) * median;
  if (leftMs >= 1000) return `about ${formatDuration(leftMs)} to go, by the last holds`;
  return isFull && longest > median ? "held longer than usual" : null;
}

/** A line about a wait, and what of it counts as a change; see `StatusLine`. */
export interface WaitLine {
  /** Harmless, and with ages that grow. */
  readonly text: string;
  /** Another one whenever something changed that is worth a line in a log. */
  readonly key: string;
}

/** Where somebody waits, as far as it is known without another list. */
export interface WaitPlace {
  /** The present one: what is looked for among the turns. */
  readonly grant: string;
  /** 1 for the next in line. */
  readonly position: number;
  /** How many wait, this one included. */
  readonly length: number;
}

/** What one who waits is told: who holds, since when, their link; its place; a guess of what is left. */
export function waitLine(
  record: LockRecord,
  place: WaitPlace,
  wall: Date,
  observed: Observed = NOTHING_OBSERVED,
): WaitLine {
  const { grant, position, length } = place;
  const link = record.holders.map((holder) => neutral(holder.link)).find((text) => text !== "");
  const why = record.turn.includes(grant)
    ? ["it is my turn"]
    : whyNobodyMoves(record, "not listed", wall, observed);
  const parts = [
    `waiting for ${neutral(record.identity.lock)}: ${why.join("; ")}`,
    ...(link === undefined ? [] : [link]),
    `place ${position} of ${length}`,
  ];
  const left = guess(record, place, wall);
  if (left !== null) parts.push(left);
  const key = JSON.stringify([
    record.holders.map((holder) => [holder.grant, holder.state]),
    record.turn,
    record.roll_call.open,
    record.freeze?.since,
    position,
    ...(observed.fates?.values() ?? []).map(({ why }) => why),
    ...record.holders.map((holder) => isStuck(holder, wall)),
  ]);
  return { text: parts.join(", "), key };
}
