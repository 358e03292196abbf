/** What is not promised: sentences of docs/protocol.md again, in short, and the tests that show how far it goes. */
import type { Promised } from "./promise.ts";

/** In the order of their weight. */
export const LIMITS: readonly Promised[] = [
  {
    what:
      "A machine that is paused or asleep as a whole stops nothing until it wakes. Only the fencing token protects",
    says: ["A machine that is paused or asleep as a whole stops nothing"],
    checks: ["simTokens"],
    tests: ["lock/deadline_test.ts|a machine that slept while its claim was answered"],
  },
  {
    what:
      "The steps of a job after `acquire` are not stopped when the lock is lost; the job is told",
    says: [
      "`acquire` cannot stop the steps of a job",
      "The steps of a job after `acquire` are not stopped",
    ],
    tests: [
      "cluster/acquire_test.ts|without its renewer the next holds after the TTL, and the job is told",
    ],
  },
  {
    what: "Clock rates that differ by more than 10 %",
    says: ["Clock rates that differ by more than 10 %"],
    tests: [],
  },
  {
    what:
      "etcd restored from a backup forgets who has held since: a newcomer may hold beside one until that one notices, by its deadline at the latest, and a token may be given twice",
    says: [
      "Not after etcd was restored from a backup",
      "etcd restored from a backup forgets who has held since",
      "a newcomer cannot know, and may hold beside one until that one notices",
      "A token may be given twice: until the revisions have caught up",
    ],
    tests: [
      "lock/driver_test.ts|a store that was set back is believed once it is read",
      "lock/driver_test.ts|who saw a lock held of which a restored store knows nothing waits a full TTL",
      "sim/restored_test.ts|where the store is restored or emptied all are told",
    ],
  },
  {
    what:
      "Deleting the record by hand takes away what was known of its holder: a newcomer may hold beside it until it notices",
    says: [
      "Deleting the record by hand takes away what was known of its holder",
      "(After the deletion of a record, one that saw nothing may pass",
    ],
    tests: [
      "cluster/run_record_test.ts|when the record is deleted the holder stops, the waiters go on in order after a TTL",
    ],
  },
  {
    what:
      "A process that empties its environment and begins a session of its own is not found by the lifeline, nor is one that this user may not kill",
    says: ["A process that empties its environment _and_ begins a session"],
    tests: [
      "host/command_test.ts|a process belongs to work whose grant its environment names in full",
    ],
  },
  {
    what:
      "A ticket that somebody else writes to may be passed until its waiter looks again, by those that have one already",
    says: [
      "A ticket that somebody else writes to",
      "So long it may be passed",
      "It keeps ticket and grant, exclusion is not touched",
    ],
    tests: [
      "lock/wait_test.ts|a ticket touched by somebody keeps its grant, and gets its old place written into it",
    ],
  },
  {
    what:
      "With `--local`: a newcomer alone after the file was deleted begins at 1 again; after a power cut the last commits may be gone; a backup laid over an open database is damage that SQLite cannot see",
    says: [
      "With `--local`: the file deleted by hand is noticed",
      "After a power cut the last commits may be gone",
      "A backup laid over an open database",
    ],
    tests: [
      "store/sqlite_file_test.ts|were deleted while open is noticed by all",
      "store/sqlite_processes_test.ts|of what a killed writer was told is written nothing is lost or damaged",
    ],
  },
  {
    what:
      "An API server that is shut down in good order may take a minute to end: a hold whose TTL is shorter is lost, its work stopped in time",
    says: [
      "An API server that is shut down in good order",
      "A hold whose TTL is shorter is lost then",
    ],
    tests: [
      "cluster/run_outage_test.ts|when ${what} for longer than the TTL the command is stopped by its deadline",
    ],
  },
  {
    what:
      "With `verify` a dead holder stays where nobody who waits has a token, and where its run was deleted",
    says: [
      "The price is that somebody who can tell has to ask",
      "A client of the older kind that holds another slot",
    ],
    tests: [
      "e2e/expiry_test.ts|one without a token says so, asks nobody and waits; status says it, too",
    ],
  },
  {
    what:
      "Between a job of version 3 and one of ours in the same run there is no exclusion, nor with one of version 3 whose number was passed by `--skip-after` or by hand",
    says: [
      "Between a job of version 3 and one of ours in the _same_ run",
      "One of version 3 that is at work when its number is passed",
      "`migrate` cannot see it either",
      "That somebody gave up is lost where version 3 wipes it",
    ],
    tests: [
      "cluster/v3_test.ts|migrate brings a record into today's form and back, and refuses while somebody holds",
    ],
  },
];

/** Sentences of docs/protocol.md that promise nothing: how it is done, why, and what it is for. A part of each. */
export const EXPLAINED: readonly string[] = [
  "For those who want to know why the lock may be trusted",
  "this page says what they promise",
  "Beginning all counts again after any failure would be simpler",
  "In that last step the runner kills",
  "So with `verify` exclusion also holds for `acquire`",
  "A client that does not know `on_expiry` would remove such a holder",
  "Version 3 of this program keeps one number",
  "A Secret with that key is in version 3's form",
  "A number that nobody of ours has",
  "`k8s-lock break` is the way",
  "(Nothing in a Lease keeps the revision of its creation",
];

/** What nobody has looked at, so that nobody believes it was. */
export const UNSEEN: readonly string[] = [
  "One etcd and one API server: no etcd of three with a partition in it, no API servers behind a balancer. That a compare-and-swap of one object is one is taken from etcd and the API server; all else rests on it.",
  "kube-apiserver 1.36.3 and etcd 3.6.7 in the gate, on Linux x64, on one machine. Other versions, and what clouds put before their API servers, are not.",
  "macOS and Windows: nothing was run there. On Windows there is no lifeline.",
  "GitHub itself: runner and Actions API are stand-ins of the tests, made after their code and their documentation.",
  "The simulation's store is ours. That it does what a real one does is shown by one contract that the stores in memory, in SQLite and on a real server pass (`tests/support/store_contract`); that faults do is not.",
  "What the [small model](../tests/model/README.md) leaves out: it says so itself.",
  "Nobody from outside has done any of this again. Everything it takes is in this repository.",
];
