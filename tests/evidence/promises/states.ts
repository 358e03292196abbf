/** What each state of a record and of a client does, silence, and the process. */
import type { Chapter } from "../promise.ts";

/** Chapters in the order of docs/protocol.md. */
export const STATES: readonly Chapter[] = [
  {
    title: "The record and its clients",
    promises: [
      {
        what: "One pure step drives each client; one request is under way at a time",
        says: [
          "One pure step, `(state, event)",
          "One request for the lock's objects is under way at a time",
        ],
        checks: ["simHammer"],
        tests: [
          "lock/driver_test.ts|a step changes neither the state nor the event it is given",
          "lock/driver_test.ts|the same seed gives the same story",
          "lock/driver_test.ts|an answer to nothing that was asked is ignored",
        ],
      },
      {
        what: "A free lock costs three requests, two of them one after the other",
        says: ["arriving | (start) | reads the record and lists the tickets, side by side"],
        tests: [
          "lock/arrive_test.ts|a free lock is taken with 3 requests and given back with 2",
          "cluster/run_requests_test.ts|a run on a free lock takes three requests to hold and two to give back",
          "cluster/run_requests_test.ts|record and tickets are read side by side",
        ],
      },
      {
        what: "No wake-up is lost: the ticket first, then the record, then the watch from there",
        says: [
          "(enters) | reads the record after its ticket stands",
          "my grant in `turn` | claims",
        ],
        checks: ["simEnds", "modelEnds"],
        tests: [
          "lock/arrive_test.ts|one that has to wait makes its ticket first and reads the record after that",
          "support/store_contract/watches.ts|no change between a read and the watch is lost",
          "lock/driver_test.ts|an event of another object alone decides nothing: the record is read",
          "lock/driver_test.ts|an old event that arrives after a newer read is ignored",
          "cluster/run_faults_test.ts|misses no turn",
        ],
      },
      {
        what: "Work begins only within the deadline of its claim",
        says: ["my grant holds | `broken` → gives up"],
        checks: ["simWork", "modelWork"],
        tests: [
          "lock/lost_answers_test.ts|a claim found applied after its deadline is renewed before the work begins",
          "lock/wait_test.ts|one whose claim was broken before it began to work gives the lock back and gives up",
        ],
      },
      {
        what: "The holder renews, the others watch that",
        says: ["the holder renews; the others watch its `renewals`", "the named claim"],
        checks: ["simSilent"],
        tests: [
          "lock/observer_test.ts|a renewal with a count that was seen before, as a restored store makes one, begins a holder's count again",
          "lock/observer_test.ts|a holder's count begins when its value was first received, and again with each renewal",
          "cluster/run_requests_test.ts|a hand-over is two writes of the record, and those further back ask for nothing",
        ],
      },
      {
        what: "A broken holder stops its work and gives the place up, or is removed as silent",
        says: [
          "the holder stops its work and gives the place up",
          "my entry `broken` | TERM to the work",
          "What a person broke, and what cools down, goes by its TTL",
        ],
        checks: ["simEnds"],
        tests: [
          "lock/hold_test.ts|a holder whose entry was broken stops its work and gives the lock back itself",
          "lock/hold_test.ts|a holder that knows of its break only by its renewal stops then, at the latest",
          "lock/observer_test.ts|a break does not begin a holder's count again",
          "cluster/run_record_test.ts|a break stops the holder's command, says by whom and why",
          "e2e/break_test.ts|one who does not answer is removed after its TTL, and break says so",
          "e2e/expiry_test.ts|a person's break takes off what nobody else may",
        ],
      },
      {
        what: "Who was dropped by a person does not come back",
        says: ["my grant in the history as `broken`"],
        checks: ["modelDropped"],
        tests: [
          "lock/people_test.ts|a waiter is dropped in the record before its ticket is deleted, and the next is named by that write",
          "lock/wait_test.ts|one that was dropped by a person gives up and does not come back in its old place",
          "lock/wait_test.ts|one that misses its ticket in a list before it hears that it was dropped does not come back either",
          "cluster/run_record_test.ts|a waiter that is dropped by a break ends with 10, by whom and why",
        ],
      },
      {
        what: "While a lock is frozen holders go on and nobody comes to hold",
        says: ["holders go on, nobody is named and nobody claims"],
        tests: [
          "lock/rules_test.ts|while a lock is frozen nobody is named, nobody claims and no call stands",
          "lock/wait_test.ts|while a lock is frozen those named are taken off, and nobody holds",
        ],
      },
      {
        what: "A record that is damaged, newer or somebody else's is refused and never written",
        says: ["damaged, foreign, newer"],
        tests: [
          "cluster/run_record_test.ts|a record that is ${what} is refused with 15 and left as it is",
          "cluster/run_record_test.ts|a record that becomes garbage while it is held ends holder and waiter",
          "cluster/secret_store_test.ts|somebody else's Secret is refused with what stands there, and never written",
          "lock/arrive_test.ts|a record of another lock is refused, both are named, and nothing is written",
          "lock/arrive_test.ts|a record of a newer format is refused and never written",
          "fuzz/record_fuzz_test.ts|a holder and a waiter whose record is hurt beyond reading end with that said, and never write over it",
        ],
      },
      {
        what: "A record that is gone is lost to its holder; who saw it held waits a full TTL",
        says: [
          "one that saw the lock held waits a full TTL first",
          "no record, one of another uid, or one that was set back by its store | for one TTL",
          "no record, another uid, my grant not in it",
          "Those who saw it held wait a full TTL",
          "Those who saw them hold find the record set back",
        ],
        checks: ["simWork", "modelWork"],
        tests: [
          "lock/hold_test.ts|a holder whose record was deleted stops its work, and neither makes a record nor writes one",
          "lock/hold_test.ts|a holder whose record was deleted and made again does not touch the new one",
          "lock/wait_test.ts|who saw a record held waits a full TTL after its deletion, whoever makes a new one",
          "lock/driver_test.ts|who saw a lock held of which a restored store knows nothing waits a full TTL",
          "lock/driver_test.ts|who learns of a restored store only when its revisions have caught up knows it by the last token",
          "lock/wait_test.ts|one that waits out a TTL answers the calls of those who need not",
          "cluster/run_record_test.ts|when the record is deleted the holder stops, the waiters go on in order after a TTL",
        ],
      },
      {
        what: "A release that comes too late changes nothing and says so",
        says: ["the work has ended and is reaped | → releasing"],
        checks: ["simLeft", "soakLeft"],
        tests: [
          "lock/hold_test.ts|a release of what has expired changes nothing and says by whom it was taken off",
          "lock/hold_test.ts|a release that was refused as out of date is made anew from what stands then",
          "e2e/job_test.ts|a job with ${what} can neither verify, renew nor release a hold",
        ],
      },
    ],
  },
  {
    title: "Silence",
    promises: [
      {
        what: "Silence is counted on one's own clock, from when a value was first received",
        says: [
          "A holder is silent when its `renewals` and `renewed_at` stood still",
          "A value can only have been written before that",
          "A turn has its own age, a roll call, too",
          "nobody else counts the TTL from an earlier moment",
        ],
        checks: ["simSilent", "simWork", "modelWork"],
        tests: [
          "lock/observer_test.ts|nobody is removed before its own TTL was seen to pass, and everybody after it",
          "lock/observer_test.ts|each turn has its own age, whatever happens to others",
          "lock/observer_test.ts|a call's age begins when it was first seen standing, and another call's anew",
          "lock/wait_test.ts|each holder is given its own TTL, whatever that of those who wait is",
        ],
      },
      {
        what:
          "An outage costs no holder that lived through it the lock, and keeps no dead one for ever",
        says: [
          "An outage (a request failed, and all until the next good read)",
          "Where my own write failed, nothing before it counts either",
          "The short counts of turns and roll calls start again",
        ],
        checks: ["simEnds", "soakForgotten"],
        tests: [
          "lock/hold_test.ts|after an outage that all had, the holder that lived through it is not removed",
          "lock/hold_test.ts|a dead holder is removed though one request in five fails for ever",
          "lock/hold_test.ts|while the record can be read and not be written a holder is taken for silent once a TTL at most",
          "lock/observer_test.ts|an outage does not count for a holder's silence, and the count of a turn begins again",
          "cluster/run_outage_test.ts|an API server that is away for 5 s costs the holder nothing, and twenty waiters keep their order",
        ],
      },
    ],
  },
  {
    title: "The process",
    promises: [
      {
        what:
          "A lifeline kills the work of a holder that dies or falls silent; it is up before the command starts",
        says: [
          "`run` starts its command in a process group of its own",
          "It is up and has answered before the command starts",
        ],
        checks: ["soakWork"],
        tests: [
          "host/lifeline_test.ts|a killed holder's work is dead within a second, with forks that ignore signals",
          "host/lifeline_test.ts|a stopped holder's work is killed when its time is over",
          "host/lifeline_test.ts|a lifeline that is killed is replaced",
          "host/command_test.ts|a process belongs to work whose grant its environment names in full",
          "cluster/run_death_test.ts|a killed holder's command and all that it forked is dead within a second",
          "e2e/run_faults_test.ts|a lifeline that is killed is replaced, and the next one guards as well",
        ],
      },
      {
        what: "Only what is reaped counts as stopped, and only then is the lock given back",
        says: [
          "Only what is reaped counts as stopped",
          "What a command leaves running when it ends _by itself_",
          "One that a signal ended, or that had been sent one",
          "Where `run` passed the signal on",
        ],
        checks: ["simWork", "soakWork"],
        tests: [
          "host/command_test.ts|a command is not gone while a child of it runs in another session",
          "e2e/run_test.ts|what a signal asked to end and still ends in good order holds the lock until it has",
          "e2e/run_test.ts|what a signal asked to end and had begun a session of its own is told, too",
          "cluster/run_signals_test.ts|${signal} while holding ends the command, gives the lock back and exits ${code}",
        ],
      },
      {
        what: "`acquire` hands over only what it holds",
        says: ["`acquire` hands its hold over to a renewer only while no renewal is due"],
        tests: [
          "lock/hold_test.ts|a process that stood still past its TTL hands nothing over that another holds",
          "lock/hold_test.ts|a process whose machine slept hands over once it has renewed",
          "lock/hold_test.ts|what cannot be renewed for the hand-over is given back as lost",
          "lock/hold_test.ts|a signal that comes while a hand-over waits for its renewal",
        ],
      },
      {
        what: "Nobody has to stop the renewer of `acquire`; a gap is told",
        says: [
          "The renewer is one that nobody has to stop by hand",
          "When renewals fail for longer than the TTL it goes on trying",
          "The gap is said",
        ],
        checks: ["soakLeft"],
        tests: [
          "host/renewer_test.ts|a renewer lives on in a session of its own when its starter has ended",
          "cluster/acquire_test.ts|an acquire is renewed, verified, and given back for the next to hold",
          "cluster/acquire_test.ts|a hold outlives an outage longer than its TTL where nobody took it, and the gap is told",
          "action/cancel_test.ts|without its runner the renewer ends too",
        ],
      },
    ],
  },
];
