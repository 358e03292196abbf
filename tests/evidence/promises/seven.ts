/** The seven promises, and what they rest on. */
import type { Chapter } from "../promise.ts";

/** Chapters in the order of docs/protocol.md. */
export const SEVEN: readonly Chapter[] = [
  {
    title: "Exclusion",
    promises: [
      {
        what: "The record never names more holders than the lock allows",
        says: [
          "The record never names more holders",
          "Every write of the record is a compare-and-swap",
          "by compare-and-swap of revision and uid only",
        ],
        checks: ["simHolders", "modelHolders"],
        tests: [
          "lock/rules_test.ts|never more hold than the capacity allows, and nobody exclusive beside others",
          "support/store_contract/records.ts|of many who replace the same state exactly one does",
          "cluster/cluster_test.ts|a PUT with the uid of an object that is gone is refused as a conflict",
          "cluster/run_queue_test.ts|twenty that start side by side never overlap",
        ],
      },
      {
        what: "`run` has its command stopped before anyone else can hold",
        says: [
          "`run` has its command stopped before anyone else can hold",
          "The holder's own deadline counts from the moment",
          "It has killed its work at 5/6 of the TTL",
          "no acknowledged renewal for 1/2, 2/3, 5/6 of the TTL",
          "(every TTL/6, counted from the last sending)",
        ],
        checks: ["simWork", "modelWork", "soakWork"],
        tests: [
          "lock/deadline_test.ts|a holder renews each sixth of its TTL, counted from the last sending",
          "lock/deadline_test.ts|without a renewal for half the TTL the holder warns",
          "lock/deadline_test.ts|without a renewal for two thirds of the TTL the work is told to stop",
          "lock/deadline_test.ts|without a renewal for five sixths of the TTL the work is killed",
          "lock/deadline_test.ts|the deadline counts from the sending of a renewal, however late its answer comes",
          "lock/deadline_test.ts|a holder that was cut off for longer than its TTL has stopped before another holds",
          "cluster/run_outage_test.ts|when ${what} for longer than the TTL the command is stopped by its deadline",
          "cluster/run_death_test.ts|a command that ignores SIGTERM is killed before the TTL ends",
          "e2e/run_faults_test.ts|a database that stays locked for the TTL ends the command before others may hold",
        ],
      },
      {
        what: "Clock rates may differ by up to 10 %",
        says: ["What lies between is for clocks whose rates differ"],
        checks: ["simWork", "modelWork"],
        tests: [
          "lock/driver_test.ts|clocks whose rates differ by a tenth keep two from working at once",
        ],
      },
      {
        what: "`break --now` is the exception, and says so",
        says: ["A person's `break --now` is the exception"],
        tests: [
          "cluster/run_record_test.ts|a break at once takes the entry off, and its holder's command is stopped all the same",
          "e2e/break_test.ts|with --now the next one holds at once",
        ],
      },
      {
        what: "Where `acquire`'s lock is lost, its job is told",
        says: ["it says that the lock was lost"],
        checks: ["soakWork"],
        tests: [
          "cluster/acquire_test.ts|without its renewer the next holds after the TTL, and the job is told",
          "cluster/acquire_test.ts|a record that is deleted is lost: the renewer ends, verify and release say so",
          "cluster/acquire_test.ts|a hold that a person breaks is lost at once for verify, and its renewer ends",
          "lock/hold_test.ts|steps that cannot be stopped go on being renewed after a gap, while nobody else held",
        ],
      },
      {
        what: "The fencing token tells a late one",
        says: ["the fencing token says who is late", "Until then only the fencing token protects"],
        checks: ["simTokens", "modelTokens"],
        tests: [
          "cluster/run_death_test.ts|a stopped holder's command is dead before the TTL ends, and it touches nothing of its successor's",
        ],
      },
    ],
  },
  {
    title: "No stuck lock",
    promises: [
      {
        what: "Dead holders are passed over without a person",
        says: [
          "Dead holders and dead waiters are passed over",
          "whoever saw that for a TTL of its own clock reads and lists once more",
          "a holder silent for its TTL | reads and lists once more",
          "`takeover` | is removed (the default)",
        ],
        checks: ["simEnds", "simLast", "modelEnds", "modelLeft", "soakForgotten"],
        tests: [
          "lock/wait_test.ts|a killed holder is removed one TTL after its last renewal, and the next holds within 3 s",
          "lock/observer_test.ts|the silent holder is removed and the next named in one write",
          "lock/wait_test.ts|a holder whose renewals one does not hear of is looked at before it is removed",
          "cluster/run_death_test.ts|the next holds one TTL after the last renewal",
          "cluster/run_faults_test.ts|a claim that lands long after its client is dead is a ghost for no longer than its TTL",
        ],
      },
      {
        what: "Dead waiters are found by a roll call and passed over",
        says: [
          "Who is silent is found out by a roll call",
          "after 2 s unclaimed others list",
          "those named answer on their tickets; after `stands_seconds` anybody closes",
          "a turn unclaimed for 2 s | lists",
          "a roll call that names me, unanswered",
          "a roll call seen standing for its `stands_seconds`",
          "a turn whose ticket is not in the list",
        ],
        checks: ["simEnds", "simLeft", "modelEnds", "modelLeft", "crowdServed"],
        tests: [
          "lock/wait_test.ts|a waiter that died at the head is passed over within 5 s",
          "lock/wait_test.ts|127 dead at the head cost one roll call, and the first that lives holds within 10 s",
          "lock/observer_test.ts|a call is closed by one that saw it stand long enough, and by nobody earlier",
          "lock/observer_test.ts|one that is called and has not answered yet does not close the call",
          "lock/wait_test.ts|who lives answers the call once, and keeps ticket and place",
          "lock/wait_test.ts|when a turn is named whose ticket is gone the next holds within 3 s",
          "lock/arrive_test.ts|one that finds a turn whose ticket is gone settles at once",
          "cluster/run_queue_test.ts|a waiter that was killed is passed over within the claim timeout",
          "cluster/run_queue_test.ts|ten dead waiters at the head are passed over in one roll call",
        ],
      },
      {
        what: "One that does not fit and is dead keeps nobody from what is free",
        says: ["room for it, but for 60 s nobody named and none called"],
        tests: [
          "lock/readers_test.ts|a dead writer at the head while a reader holds",
          "lock/readers_test.ts|a writer that lives answers, keeps its place before later readers",
        ],
      },
      {
        what: "A lock that is only tried for is freed as well",
        says: ["trying (`--timeout 0`)"],
        checks: ["simEnds", "modelLeft"],
        tests: [
          "lock/arrive_test.ts|with a timeout of 0 a dead holder is removed after one TTL, and the lock taken",
          "lock/arrive_test.ts|with a timeout of 0 a holder that only looks dead by the wall clock is not removed",
          "lock/arrive_test.ts|with a timeout of 0 a turn whose waiter is dead is passed over, and the lock taken",
          "cluster/run_faults_test.ts|tries alone free a lock whose holder died",
        ],
      },
      {
        what: "What frees a place names the next in the same write",
        says: [
          "whoever frees a place names in the record whose `turn` it is",
          "that write names the next",
          "more room than turns, and holders, turn, capacity or freeze changed",
          "my grant in `turn`, does not fit",
          "where tickets wait, whoever sees it lists and settles",
        ],
        checks: ["simEnds", "modelEnds"],
        tests: [
          "lock/rules_test.ts|releasing and removing name the next in the same write",
          "lock/hold_test.ts|the release itself names the next",
          "lock/hold_test.ts|a waiter that was not in the releaser's list takes the room by itself",
          "lock/wait_test.ts|when the capacity grows those waiting take what is free by themselves",
          "lock/wait_test.ts|a hand-over is one write of the next, who claims from the watch's event",
        ],
      },
      {
        what: "Who gives up leaves nothing behind",
        says: ["deletes its ticket, then reads the record", "timeout, signal | → giving up"],
        checks: ["simGone", "modelGone", "simLeft", "soakLeft"],
        tests: [
          "lock/give_up_test.ts|one that gives up while it waits leaves nothing",
          "lock/give_up_test.ts|one that gives up just as its turn is named names the next itself, at once",
          "lock/give_up_test.ts|one that gives up with an unanswered claim never holds, however late it lands",
          "cluster/run_signals_test.ts|${signal} with a claim that lands late exits ${code}",
          "cluster/run_signals_test.ts|${signal} while waiting gives the ticket back",
        ],
      },
      {
        what: "A thousand do not all help at once",
        says: ["those behind the next in line wait for half of"],
        checks: ["simHammer", "crowdServed"],
        tests: [
          "lock/wait_test.ts|of hundreds that wait only those near the head look after a turn",
          "cluster/crowd_test.ts|of two hundred waiters a tenth dies at any moment",
        ],
      },
      {
        what: "Without a watch, or with one that is silent, everybody gets on",
        says: [
          "The watch only makes it fast",
          "A watch that ends is no outage by itself",
          "Silence of the network is none either",
        ],
        checks: ["simEnds", "modelEnds"],
        tests: [
          "lock/wait_test.ts|without a watch it works as well, one read a second",
          "lock/driver_test.ts|the record is read now and then though its watch is silent",
          "cluster/run_faults_test.ts|a waiter whose watch says nothing for ever finds its turn by reading",
        ],
      },
    ],
  },
  {
    title: "Fairness",
    promises: [
      {
        what: "Turns go in queue order, and no newcomer overtakes",
        says: [
          "Turns go in queue order",
          "No newcomer overtakes a ticket that stood",
          "a newcomer that lists no ticket claims",
          "room, no turn, no ticket | claims",
          "anything else | creates its ticket",
          "created by its waiter; touched by it only to answer a roll call",
        ],
        checks: ["simOrder", "modelOrder", "crowdOrder"],
        tests: [
          "lock/rules_test.ts|nobody is named while one with an earlier place waits unnamed",
          "lock/arrive_test.ts|a newcomer does not claim past a ticket that stands, though the lock is free",
          "lock/wait_test.ts|twenty waiters hold in the order of their tickets",
          "cluster/run_queue_test.ts|and hold in the order of their tickets",
          "cluster/run_requests_test.ts|joining writes nothing to the record and wakes nobody",
          "cluster/crowd_test.ts|all others hold once, one at a time and in order",
        ],
      },
      {
        what: "Who is silent through a roll call may be passed, but keeps its place",
        says: [
          "Who is silent through a whole roll call may be passed",
          "my ticket is gone | reads the record",
          "my ticket touched by somebody",
          "my place lies after my ticket's own revision",
        ],
        checks: ["simOrder", "modelOrder"],
        tests: [
          "lock/wait_test.ts|a waiter too slow to answer loses its turn at most, never its place",
          "lock/wait_test.ts|one that was passed over while it slept takes its place again as soon as it wakes",
          "lock/wait_test.ts|a ticket deleted by hand is made again with another grant in the old place",
          "lock/driver_test.ts|a waiter whose place lies in the future of a store that was set back takes the one of now",
          "lock/wait_test.ts|a ticket touched by somebody keeps its grant, and gets its old place written into it",
          "cluster/run_faults_test.ts|a live waiter that is stopped through a roll call loses its turn and keeps its place",
        ],
      },
    ],
  },
  {
    title: "Fencing",
    promises: [
      {
        what:
          "Each hold has a token greater than every earlier one, also after the record was deleted",
        says: [
          "Each hold has a token greater than every earlier one",
          "no record | creates it, empty",
        ],
        checks: ["simTokens", "simLastToken", "modelTokens", "soakTokens"],
        tests: [
          "lock/rules_test.ts|the token of each claim is greater than all before it, and not below the revision read",
          "lock/arrive_test.ts|after the deletion of a record the tokens go on growing",
          "lock/arrive_test.ts|a missing record is made empty and claimed in a second write",
          "cluster/run_record_test.ts|when the record is deleted the holder stops, the waiters go on in order after a TTL, and tokens grow",
        ],
      },
      {
        what: "With `--local` the revision, and so the token, survives the deletion of a row",
        says: ["both are rows of an SQLite file with one revision"],
        tests: [
          "store/sqlite_file_test.ts|sqlite: records and tickets share one revision that survives deletions",
          "support/store_contract/records.ts|the revision goes on growing when a record is deleted",
        ],
      },
    ],
  },
  {
    title: "No trust in wall clocks",
    promises: [
      {
        what: "Only durations on one's own monotonic clock decide",
        says: [
          "Only durations on one's own monotonic clock decide",
          "Times in records are for people",
        ],
        checks: ["simWork", "simSilent"],
        tests: [
          "lock/driver_test.ts|a wall clock that is days off changes no decision",
          "cluster/run_faults_test.ts|wall clocks that are days apart and jump decide nothing",
        ],
      },
      {
        what: "Where the two clocks part, a holder makes sure that it still holds",
        says: [
          "wall clock and monotonic clock part by more than 2 s",
          "When it wakes, its clocks have parted or its deadline is over",
        ],
        checks: ["simTokens"],
        tests: [
          "lock/deadline_test.ts|when the wall clock jumps the holder renews at once",
          "lock/deadline_test.ts|a machine that slept while its claim was answered makes sure that it still holds before it works",
          "lock/deadline_test.ts|a machine that slept while a renewal was answered renews again at once",
        ],
      },
    ],
  },
  {
    title: "Idempotence",
    promises: [
      {
        what: "What became of a request whose answer was lost is found out",
        says: [
          "What became of a request whose answer was lost is found out",
          "2xx | applied; what the store returned counts",
          "conflict, exists, missing | not applied",
          "timeout, reset, 5xx | unknown",
          "my claim unanswered, the revision is the one it was sent against",
          "a renewal unanswered | reads",
          "its claim was refused as out of date",
        ],
        checks: ["simWork", "modelWork", "modelGrant", "simEnds"],
        tests: [
          "lock/lost_answers_test.ts|whatever becomes of ${step} and its answer, all hold once and nothing is left",
          "lock/lost_answers_test.ts|a claim whose answer was lost is found by reading, and the work begins",
          "lock/lost_answers_test.ts|a claim that was sent again is the same write again",
          "lock/lost_answers_test.ts|a claim sent twice of which the first landed counts from its first sending",
          "lock/lost_answers_test.ts|a claim found applied after its deadline is renewed before the work begins",
          "lock/deadline_test.ts|a renewal whose answer was lost counts from its first sending",
          "lock/hold_test.ts|a release whose answer was lost is found out, not made twice",
          "kube/client_test.ts|a write on an idle connection that the server has reset is unknown, and not sent again",
          "cluster/run_faults_test.ts|a waiter each of whose first requests is ${what} keeps its place, holds once and leaves nothing",
          "cluster/run_network_test.ts|a claim whose answer stalls in its body is found out: one grant, and the work runs",
        ],
      },
      {
        what: "A grant is never used again",
        says: [
          "A **grant** is random, made for one try to acquire",
          "It is never used again: a ticket that is made again",
          "my grant in the history otherwise; or my claim unanswered",
        ],
        checks: ["modelGrant"],
        tests: [
          "lock/rules_test.ts|one that holds or has held cannot claim again under its grant",
          "lock/lost_answers_test.ts|a claim found nowhere after the record moved on is never made true: its grant is spent",
          "lock/lost_answers_test.ts|a ticket whose create was lost and found nowhere is made with another grant",
          "lock/claim_test.ts|one whose claims get lost twice in a row goes to the end of the queue",
          "cluster/run_faults_test.ts|a waiter whose ticket is annotated keeps ticket and place",
        ],
      },
      {
        what: "Who is turned away waits as told",
        says: ["429 | turned away before it was executed"],
        checks: ["simHammer"],
        tests: [
          "lock/driver_test.ts|a turned-away request comes again no sooner than the store asked for",
          "lock/give_up_test.ts|asks again in the store's time, not all the time",
          "kube/client_test.ts|429 is throttled, for as long as the server says",
        ],
      },
      {
        what: "Who is refused for good ends with that said; a holder tries on until its deadline",
        says: ["401, 403, 422 | refused"],
        tests: [
          "lock/arrive_test.ts|a store that says no is said to do so, and nothing is left",
          "lock/wait_test.ts|one that may not claim ends, and the next holds at once",
          "cluster/run_faults_test.ts|who may not write the record ends with 11 and is passed over at once",
        ],
      },
    ],
  },
  {
    title: "Least rights",
    promises: [
      {
        what: "The lock's own Secret by name, and Leases; no list of Secrets",
        says: ["Taking, holding, giving back and `status` need rights", "Only `list` does"],
        tests: [
          "cluster/run_rights_test.ts|the README's Role is enough to take, wait, hand over, verify, renew, look, break and give back",
          "cluster/run_rights_test.ts|the same user is refused another lock, and told which right is missing",
          "cluster/secret_store_test.ts|with the rights for one name no other record can be made, and no Secrets listed",
          "cluster/crowd_test.ts|of two hundred waiters a tenth dies at any moment",
        ],
      },
    ],
  },
];
