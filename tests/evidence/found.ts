/** What was found wrong by looking for it, and mended: each with the test that failed before. */
import type { TestName } from "./promise.ts";

/** By what. */
export type Finder =
  | "simulation"
  | "simulation of both versions"
  | "model"
  | "soak"
  | "crowd"
  | "fuzzers"
  | "attack"
  | "list of faults";

/** One of them. */
export interface Found {
  readonly by: Finder;
  /** What happened. */
  readonly what: string;
  /** What it broke. */
  readonly broke: string;
  readonly test: TestName;
}

/** What broke a promise of the lock first, then the rest. */
export const FOUND: readonly Found[] = [
  {
    by: "soak",
    what:
      "`run` passed a signal on to its command's process group only: what had begun a session of its own worked on beside the next holder",
    broke: "exclusion",
    test:
      "e2e/run_test.ts|what a signal asked to end and had begun a session of its own is told, too",
  },
  {
    by: "simulation",
    what: "After a machine had slept, an answer from before that counted as a sign of life",
    broke: "exclusion",
    test:
      "lock/deadline_test.ts|a machine that slept while a renewal was answered renews again at once",
  },
  {
    by: "simulation",
    what: "Work over its `--max-hold` could outlive the deadline",
    broke: "exclusion",
    test:
      "lock/deadline_test.ts|a work that is over its limit is stopped, and killed by the deadline also when no renewal gets through",
  },
  {
    by: "simulation",
    what:
      "An `acquire` that stood still past its TTL while it handed over let the steps begin beside the next holder",
    broke: "exclusion",
    test:
      "lock/hold_test.ts|a process that stood still past its TTL hands nothing over that another holds",
  },
  {
    by: "simulation",
    what:
      "Who had seen a lock held that a restored store knew nothing of took it at once, and did not wait as after a deletion",
    broke: "exclusion",
    test:
      "lock/driver_test.ts|who saw a lock held of which a restored store knows nothing waits a full TTL",
  },
  {
    by: "simulation",
    what:
      "A waiter whose place lay in the future of a restored store was passed by all that came, until the revisions had caught up",
    broke: "fairness",
    test:
      "lock/driver_test.ts|a waiter whose place lies in the future of a store that was set back takes the one of now",
  },
  {
    by: "simulation",
    what:
      "A live holder was taken off as silent: in a restored store its renewal had the count of one that was seen before",
    broke: "exclusion",
    test:
      "lock/observer_test.ts|a renewal with a count that was seen before, as a restored store makes one, begins a holder's count again",
  },
  {
    by: "simulation",
    what:
      "A process that had stood still took an old renewal of its job's other process for the answer to its own of now",
    broke: "exclusion",
    test:
      "lock/hold_test.ts|a renewal by another process of the job is no answer to one's own that it came before",
  },
  {
    by: "simulation",
    what:
      "A claim without an answer was sent again over a holder, where a restored store had come to the same revision",
    broke: "exclusion",
    test:
      "lock/driver_test.ts|a claim without an answer is not sent again over what a restored store has under the revision of then",
  },
  {
    by: "attack",
    what:
      "A build of another CI, or a run of another repository, took the turn of version 3's run with the same number",
    broke: "exclusion",
    test:
      "cluster/v3_test.ts|a build of another CI, or a run of another repository, takes no run's turn",
  },
  {
    by: "attack",
    what:
      "That a run is over counted for ever: after an outage its number was passed while it was run again",
    broke: "exclusion",
    test:
      "lock/sequential_driver_test.ts|that a run is over is asked again where it could not be passed at once",
  },
  {
    by: "attack",
    what:
      "A last step that was told as skipped was taken for the runner's word that it had cleaned up: the holder was taken over before its TTL",
    broke: "exclusion",
    test: "ci/actions_api_test.ts|a job ${what}",
  },
  {
    by: "model",
    what:
      "A waiter whom a person had dropped took its ticket for lost, came back with another, and held",
    broke: "people",
    test:
      "lock/wait_test.ts|one that misses its ticket in a list before it hears that it was dropped does not come back either",
  },
  {
    by: "simulation",
    what:
      "With one request in five failing a dead holder was never removed: each failure began all counts again",
    broke: "no stuck lock",
    test: "lock/hold_test.ts|a dead holder is removed though one request in five fails for ever",
  },
  {
    by: "simulation",
    what:
      "One that tries once waited for ever where the record was deleted, and asked without end where it did not fit",
    broke: "no stuck lock",
    test: "lock/arrive_test.ts|with a timeout of 0 one that sees the record deleted is busy",
  },
  {
    by: "simulation",
    what: "One that was passed over while it slept noticed that late",
    broke: "fairness",
    test:
      "lock/wait_test.ts|one that was passed over while it slept takes its place again as soon as it wakes",
  },
  {
    by: "simulation",
    what:
      "One whose claims get lost was named again and again in its old place, and stopped the queue",
    broke: "no stuck lock",
    test:
      "lock/claim_test.ts|one whose claims get lost twice in a row goes to the end of the queue",
  },
  {
    by: "fuzzers",
    what:
      "A waiter whose ticket was damaged just as the lock came free waited for ever, alone in the queue",
    broke: "no stuck lock",
    test:
      "lock/wait_test.ts|one whose ticket is nonsense when the lock is given back takes its place again and holds",
  },
  {
    by: "list of faults",
    what:
      "A dead writer at the head kept all later readers out until the last reader that held had gone",
    broke: "no stuck lock",
    test: "lock/readers_test.ts|a dead writer at the head while a reader holds",
  },
  {
    by: "attack",
    what:
      "Who got 2xx for a claim that came back without it, as from a webhook, wrote a hundred times a second for ever",
    broke: "restraint",
    test: "lock/altered_test.ts|one whose entry is taken out of what it writes ends with that said",
  },
  {
    by: "simulation of both versions",
    what: "A call taken off by another did not end the run that it named: its number was lost",
    broke: "order by number",
    test:
      "lock/sequential_test.ts|a call that nobody stands in any more is the end of its run, whoever helps the record on",
  },
  {
    by: "attack",
    what:
      "Where only jobs that try once use a lock in version 3's form it stood at a hole for ever",
    broke: "no stuck lock",
    test: "lock/sequential_driver_test.ts|one that tries once passes numbers whose runs are over",
  },
  {
    by: "attack",
    what:
      "`migrate --to-v3` left a roll call open: the first helper took it for the end of the next run, and passed its number",
    broke: "order by number",
    test:
      "lock/migrate_test.ts|a roll call that is still open when a record is brought into version 3's form costs nobody the number",
  },
  {
    by: "attack",
    what: "Variables that are far too long made a record that nobody could read, renew or break",
    broke: "no stuck lock",
    test: "ci/own_job_test.ts|that is far too long comes into no record",
  },
  {
    by: "attack",
    what: "A run number of 15 nines or more made the record damage",
    broke: "no stuck lock",
    test: "cli/v3_test.ts|a run whose number no record can hold",
  },
  {
    by: "attack",
    what: "On a full disk the lock was left to its TTL, with `--on-expiry never` for good",
    broke: "no stuck lock",
    test:
      "action/cancel_test.ts|where the disk is full at the end, the lock is given back all the same",
  },
  {
    by: "crowd",
    what:
      "Each of hundreds that waited listed all tickets whenever a turn was not claimed in time, although a call stood already",
    broke: "restraint",
    test: "lock/wait_test.ts|of hundreds that wait only those near the head look after a turn",
  },
  {
    by: "soak",
    what:
      "A deletion of tickets that was turned away was sent again ten times a second, whatever `Retry-After` said",
    broke: "restraint",
    test: "lock/give_up_test.ts|asks again in the store's time, not all the time",
  },
  {
    by: "attack",
    what:
      "Who was told to leave the Actions API alone asked about another run all the same; and a wall clock that was set back made it deaf for hours",
    broke: "restraint",
    test: "ci/actions_api_test.ts|one that is told to wait by ${what} sends nothing before that",
  },
  {
    by: "fuzzers",
    what: "A number that a double does not hold was written back as another one, or as null",
    broke: "format",
    test:
      "lock/json_test.ts|in a field that this version does not know is written back to its last digit",
  },
  {
    by: "fuzzers",
    what: "Unknown fields inside a state's fields were written back one level deeper each time",
    broke: "format",
    test:
      "host/state_test.ts|fields of a later version inside others are written back where they stood, however often",
  },
  {
    by: "fuzzers",
    what: "A kubeconfig's field that is no text ended the program with its stack",
    broke: "messages",
    test: "kube/kubeconfig_test.ts|where a text belongs is refused by its name",
  },
  {
    by: "fuzzers",
    what: "What SQLite quotes of a damaged file came to the terminal with its control characters",
    broke: "messages",
    test: "fuzz/host_fuzz_test.ts|whatever became of a database is read or refused in a sentence",
  },
  {
    by: "attack",
    what:
      "In a job that was cancelled before, a step that takes the lock all the same had it taken away at once, and was green",
    broke: "people",
    test:
      "action/cancel_test.ts|a step of a cancelled job that runs all the same (if: always()) keeps the lock that it takes",
  },
  {
    by: "attack",
    what: "A variable that is not UTF-8 was told as a bug, with its value",
    broke: "messages",
    test: "e2e/input_test.ts|a value of ${name} that is not UTF-8 is no bug",
  },
  {
    by: "soak",
    what:
      "Each connection that was refused left 14 kB behind (Deno 2.9): a waiter grew in every outage",
    broke: "memory",
    test: "kube/connect_test.ts|thousands of connections that are refused leave nothing in memory",
  },
  {
    by: "attack",
    what: "On Node a lock database in a place where nothing can be made was looked for without end",
    broke: "messages",
    test: "e2e/damage_test.ts|refuses a lock database in a place where nothing can be made",
  },
  {
    by: "list of faults",
    what:
      "Where a webhook took a claim out of what was written, its client wrote it again a hundred times a second, for ever",
    broke: "no stuck lock",
    test:
      "lock/altered_test.ts|one whose entry is taken out of what it writes ends with that said, and nothing of it stays",
  },
  {
    by: "attack",
    what:
      "Ctrl-C did nothing while a lock could not be given back, for as long as its TTL, and nothing was said",
    broke: "people",
    test:
      "e2e/run_release_test.ts|a second signal while the lock cannot be given back ends it at once",
  },
  {
    by: "attack",
    what: "`run` that a signal ended said that its lock was given back where it could not be",
    broke: "messages",
    test:
      "e2e/run_release_test.ts|a lock that can never be given back is tried for 15 s or its TTL, and nobody says that it was",
  },
  {
    by: "fuzzers",
    what:
      "A number beyond a double, in a field that this version does not know, was written back as null, or as another one",
    broke: "what others wrote",
    test:
      "lock/json_test.ts|in a field that this version does not know is written back to its last digit",
  },
  {
    by: "list of faults",
    what: "A login plugin that did not end was told as no answer, without its name",
    broke: "messages",
    test: "e2e/input_test.ts|with a login plugin that does not end is exit 11",
  },
  {
    by: "fuzzers",
    what: "A variable that is no duration was quoted with its control characters",
    broke: "messages",
    test: "cli/durations_test.ts|what is no duration is quoted without what a terminal would obey",
  },
];
