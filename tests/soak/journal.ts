/**
 * The observer of a soak: what the jobs' own work wrote down, and whether that was one at a time.
 *
 * The journal is a file to which every work appends a line when it begins, while it goes on and when it ends. A line is one write to
 * a file that is open for appending: the order of the lines is the order of the work. Nothing of the lock is asked.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { Buffer } from "node:buffer";

/** Two that worked at the same time. */
export interface Overlap {
  /** Who went on working, although the other had begun. */
  readonly older: string;
  readonly newer: string;
  readonly olderJob: string;
  readonly newerJob: string;
  /** How long the older one went on beside the newer one, as far as is known, in seconds. */
  readonly seconds: number;
}

/** A piece of work. The times are those of the lines, in seconds. */
export interface Span {
  readonly grant: string;
  readonly token: number;
  readonly job: string;
  readonly begunAt: number;
  /** Null: it goes on, or was killed. */
  endedAt: number | null;
}

/** Reads a journal while it is written. */
export class Journal {
  /** What is wrong whoever wrote it. */
  readonly violations: string[] = [];
  /** By the grant of the older one. */
  readonly overlaps = new Map<string, Overlap>();
  readonly #spans = new Map<string, Span>();
  readonly #begun = new Map<string, () => void>();
  #last: Span | undefined;
  #from = 0;
  #rest = "";
  #number = 0;

  constructor(readonly path: string) {
    closeSync(openSync(path, "a"));
  }

  /** How many pieces of work have begun. */
  get holds(): number {
    return this.#spans.size;
  }

  /** How many of them ended by themselves. */
  get ended(): number {
    return this.order.filter(({ endedAt }) => endedAt !== null).length;
  }

  /** Every piece of work, in the order in which they began. */
  get order(): readonly Readonly<Span>[] {
    return [...this.#spans.values()];
  }

  /** How many lines were looked at. */
  get lines(): number {
    return this.#number;
  }

  /** The grants with which work of this job began. */
  grantsOf(job: string): string[] {
    return [...this.#spans.values()].filter((span) => span.job === job).map(({ grant }) => grant);
  }

  /** Calls back once, when the work of this job begins. */
  onBegin(job: string, begun: () => void): void {
    this.#begun.set(job, begun);
  }

  /** Looks at what was appended since the last time. */
  read(): void {
    const file = openSync(this.path, "r");
    const buffer = Buffer.alloc(64 * 1024);
    try {
      for (;;) {
        const size = readSync(file, buffer, 0, buffer.length, this.#from);
        if (size === 0) return;
        this.#from += size;
        const lines = (this.#rest + buffer.toString("latin1", 0, size)).split("\n");
        this.#rest = lines.pop() ?? "";
        for (const line of lines) this.#take(line);
      }
    } finally {
      closeSync(file);
    }
  }

  #take(line: string): void {
    this.#number++;
    const [, what, grant = "", token, job = "", at] =
      /^(begin|work|end) (\S+) (\d+) (\S+) (\S+)$/.exec(line) ?? [];
    if (what === undefined) return this.#wrong(`is none of ours: ${JSON.stringify(line)}`);
    const known = this.#spans.get(grant);
    if (what === "begin") {
      if (known !== undefined) {
        return this.#wrong(`${job} begins with the grant of ${known.job} once more`);
      }
      return this.#begin({ grant, token: Number(token), job, begunAt: Number(at), endedAt: null });
    }
    if (known === undefined) return this.#wrong(`${job} works without having begun`);
    if (known.endedAt !== null) return this.#wrong(`${job} works on after its end`);
    if (what === "end") known.endedAt = Number(at);
    if (known === this.#last || this.#last === undefined) return;
    const { grant: newer, job: newerJob, begunAt } = this.#last;
    const seconds = Number(at) - begunAt;
    this.overlaps.set(grant, { older: grant, newer, olderJob: job, newerJob, seconds });
  }

  #begin(span: Span): void {
    const before = this.#last;
    if (before !== undefined && span.token <= before.token) {
      this.#wrong(
        `token ${span.token} of ${span.job} comes after ${before.token} of ${before.job}`,
      );
    }
    this.#spans.set(span.grant, span);
    this.#last = span;
    this.#begun.get(span.job)?.();
    this.#begun.delete(span.job);
  }

  #wrong(what: string): void {
    this.violations.push(`line ${this.#number} of the journal: ${what}`);
  }
}

/** How work behaves. */
export interface Manner {
  /** For so long, in milliseconds. */
  readonly lastsMs: number;
  readonly exitCode: number;
  /** `deaf`: it ignores SIGTERM and SIGINT. `forks`: part of it runs in a session of its own, and is deaf. */
  readonly kind: "plain" | "deaf" | "forks";
}

/** How often work writes a line, in milliseconds. */
const TICK_MS = 50;

/**
 * Work that writes the journal, for `sh`. Grant and token are in its environment.
 *
 * @param grant the name of the variable with the grant; of the token
 */
export function workCommand(
  journal: string,
  job: string,
  { lastsMs, exitCode, kind }: Manner,
  variables: { readonly grant: string; readonly token: string },
): readonly string[] {
  const { grant, token } = variables;
  const script = `
say() { read -r up _ < /proc/uptime; echo "$1 $${grant} $${token} $2 $up" >> "$3"; }
ticks() { i=0; while [ $i -lt "$4" ]; do sleep ${
    TICK_MS / 1000
  }; say work "$2" "$3"; i=$((i+1)); done; }
[ "$1" = fork ] && { trap '' TERM INT HUP; ticks "$@"; exit 0; }
[ "$1" = deaf ] && trap '' TERM INT
say begin "$2" "$3"
${kind === "forks" ? `setsid sh -c "$0" "$0" fork "$2" "$3" "$4" & ` : ""}
ticks "$@"
wait
say end "$2" "$3"
exit "$5"`;
  const ticks = String(Math.ceil(lastsMs / TICK_MS));
  return ["sh", "-c", script, script, kind, job, journal, ticks, String(exitCode)];
}
