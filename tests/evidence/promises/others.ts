/** What only some ask for: a policy for silent holders, and turns by run number beside version 3. */
import type { Chapter } from "../promise.ts";

/** Chapters in the order of docs/protocol.md. */
export const OTHERS: readonly Chapter[] = [
  {
    title: "What others may do about a silent holder (`--on-expiry`)",
    promises: [
      {
        what: "A policy is heeded by whoever would take the entry off",
        says: [
          "A holder's entry has its policy",
          "It is heeded by whoever would take the entry off",
          "`verify` | is removed only by one who was told",
          "`never` | stays until a person breaks it",
          "unless the holder itself asked for another policy",
        ],
        checks: ["simPolicy"],
        tests: [
          "lock/expiry_test.ts|the place of a silent holder is never taken over while the answer is",
          "lock/expiry_test.ts|a holder with never is taken off by a person alone, and then goes by its TTL",
          "lock/expiry_test.ts|the place of a silent holder whose job is over is taken over after its TTL",
          "cluster/run_expiry_test.ts|a dead holder stays while its job runs, and is passed over when that is over, by one who asked",
        ],
      },
      {
        what:
          "Only one's own Actions API is asked, about that very job, and everything else is no answer",
        says: [
          "With `verify` the entry says what to ask about",
          "Whoever waits asks with its own token",
          "An answer is JSON that came with 200",
          "A job is over when its status is `completed`",
          "Where the entry has no check run's id",
          "Everything else is no answer",
          "`over` is final and not asked again",
        ],
        tests: [
          "ci/actions_api_test.ts|is never taken for an answer about a job or a run",
          "ci/actions_api_test.ts|a job on another GitHub is not asked about: the token goes to one's own alone",
          "ci/actions_api_test.ts|while a re-run works, the job of the first attempt is over, and the re-run's is not",
          "lock/expiry_test.ts|an answer about one job says nothing about the next holder's",
          "e2e/expiry_test.ts|a dead holder's place is not taken over while its job runs, or nobody can tell",
        ],
      },
      {
        what: "It is asked rarely, and not while told to wait",
        says: [
          "It is asked when the holder is silent for a third",
          "`retry-after` and `x-ratelimit-reset` are obeyed",
        ],
        checks: ["simAsks"],
        tests: [
          "lock/expiry_test.ts|one that is told to wait does not ask again before that",
          "lock/expiry_test.ts|of many that wait the first asks, and the others seldom",
          "ci/actions_api_test.ts|one that is told to wait by ${what} sends nothing before that",
        ],
      },
      {
        what: "Before its TTL a holder goes only where its own runner has finished its job",
        says: [
          "**Before its TTL** a holder is removed in one case",
          "A job that the server ended because it lost the runner",
        ],
        checks: ["simSilent"],
        tests: [
          "lock/expiry_test.ts|the place of a silent holder is taken over early when its own runner has finished its job",
          "lock/expiry_test.ts|a hold that another job may give back is not taken over early, whoever finished its job",
          "lock/expiry_test.ts|one that still renews after its job's end keeps its place",
          "e2e/expiry_test.ts|it is not taken over before its TTL when only the server says that the job is over",
        ],
      },
      {
        what: "An older client refuses a record with a policy in it",
        says: ["So a record is of format 2, which such a client refuses"],
        tests: [
          "lock/expiry_test.ts|a record is of the newer format while a holder in it has a policy, and no longer",
          "lock/arrive_test.ts|a record of a newer format is refused and never written",
        ],
      },
    ],
  },
  {
    title: "Version 3's form (`sequential`)",
    promises: [
      {
        what: "Jobs of both versions share a lock and take turns by run number",
        says: [
          "It is spoken to in that order by itself",
          "Holders, turn and roll call stand beside the number",
          "every write is a compare-and-swap here too",
          "no record | with `--order sequential`",
          "N | as in the table above, among the tickets of run N",
          "lower | waits, with a ticket",
        ],
        checks: ["v3Work", "v3Last"],
        tests: [
          "cluster/v3_test.ts|jobs of version 3 and ours take 50 turns on one Secret, in order",
          "cluster/v3_test.ts|the upgrade starts from a Secret as version 3 left it",
          "cluster/v3_test.ts|a job of version 3 in progress is waited for, and so is one of ours",
          "lock/sequential_test.ts|only the run whose number has come may claim, and is named",
          "lock/sequential_driver_test.ts|an order that was asked for and is another than the record's is refused",
          "lock/sequential_driver_test.ts|a record that is missing is made with the number of the first of those that wait",
        ],
      },
      {
        what: "No number is lost, and none is held twice",
        says: [
          "N or lower, as its hold ends",
          "higher, as its hold ends",
          "higher, while it holds",
          "N, and it gives up without having held",
          "lower, and it gives up | writes N into `given_up`",
          "N, its ticket unanswered in a roll call",
          "higher | can never be equal again",
        ],
        checks: ["v3Number", "v3Work"],
        tests: [
          "lock/sequential_test.ts|whatever happens the number never goes back, grows by one run at a time or over runs that are done, and one holds",
          "lock/sequential_test.ts|a number that was moved on while a run held is not that run's any more",
          "lock/sequential_driver_test.ts|one that gives up before its number has come leaves no hole",
          "lock/sequential_driver_test.ts|one that dies before its number has come is passed a TTL after its turn was named",
          "lock/sequential_driver_test.ts|one whose number was passed is told so at once, on arrival and while it waits",
          "lock/sequential_driver_test.ts|loses no number",
        ],
      },
      {
        what: "A number whose run is over is passed; nothing else is, but by `--skip-after`",
        says: [
          "Whoever is next in line looks for its tickets every 15 s",
          "The number is passed when the run is _over_",
          "One that tries once asks as well",
          "No answer, an answer that is none, and a run that is not over",
          "`--skip-after` (off by default) passes a number",
          "It never passes a run whose holder entry stands",
        ],
        checks: ["v3Number", "v3Work"],
        tests: [
          "lock/sequential_driver_test.ts|a number whose run is over is passed; one that is not, or of which nothing is known, is waited for",
          "lock/sequential_driver_test.ts|one that tries once passes numbers whose runs are over",
          "lock/sequential_driver_test.ts|with --skip-after a number that nobody shows up with is passed after so long, and not before",
          "lock/sequential_driver_test.ts|--skip-after never passes a run whose holder renews",
          "cluster/v3_test.ts|a run that is over is passed by what the Actions API says of it, and one that goes on is waited for",
        ],
      },
      {
        what: "Who is wiped out by version 3 stops its work and moves the number on",
        says: [
          "A `kubectl replace` of version 3, or by its runbook",
          "An entry that is gone without a trace in the history was wiped",
          "Whoever saw it hold waits a full TTL from then",
          "On a record in today's form the same command",
        ],
        checks: ["v3Work", "v3Number"],
        tests: [
          "cluster/v3_test.ts|a replace of version 3 over a hold of ours: the work is stopped, it is said, and the number moves on",
          "cluster/v3_test.ts|the runbook's command on a record in today's form counts as its deletion",
          "lock/sequential_test.ts|a record is wiped when a holder's entry is gone without a trace, and only then",
          "lock/sequential_driver_test.ts|who is wiped out by a replace of version 3 stops its work",
        ],
      },
      {
        what: "`migrate` changes the form only while nobody holds, is named or waits",
        says: [
          "`migrate` rewrites a record from one form into the other",
          "A client that did not ask for an order",
          "Values of `next_build` that are no number",
        ],
        tests: [
          "lock/migrate_test.ts|nothing is changed while somebody holds, is named or waits, for whatever number",
          "cluster/v3_test.ts|migrate brings a record into today's form and back, and refuses while somebody holds",
          "lock/sequential_driver_test.ts|who waits when the record is brought into today's form goes on waiting, in its place",
          "lock/v3_form_test.ts|a number beside a record in today's form, and version 3's form without one, are damage",
        ],
      },
    ],
  },
];
