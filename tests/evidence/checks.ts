/** What simulation, model, crowd and soak look at all the time, whatever goes wrong. Each stands in the code that looks. */

/** One of them. */
export interface Check {
  readonly by: "simulation" | "model" | "simulation of both versions" | "soak" | "crowd";
  readonly what: string;
  /** `file|what it says when it fails, as that stands in the file`. */
  readonly at: string;
}

/** All of them. */
export const CHECKS = {
  simHolders: {
    by: "simulation",
    what: "no record with more holders than there is room",
    at: "sim/referee.ts|hold where ${capacity} may",
  },
  simWork: {
    by: "simulation",
    what: "no work beside work that excludes it",
    at: "sim/works.ts|works while ${older.name} does",
  },
  simTokens: {
    by: "simulation",
    what: "work's tokens grow, also past a machine that slept",
    at: "sim/works.ts|token ${work.token} of ${work.name} after",
  },
  simLastToken: {
    by: "simulation",
    what: "a record's tokens never go back",
    at: "sim/referee.ts|tokens went back",
  },
  simOrder: {
    by: "simulation",
    what: "nobody is named or claims before a ticket that stood when he came",
    at: "sim/referee.ts|overtakes ${stored.grant}",
  },
  simSilent: {
    by: "simulation",
    what: "nobody is taken off before his TTL",
    at: "sim/referee.ts|was silent for ${silentMs} ms only",
  },
  simPolicy: {
    by: "simulation",
    what: "nobody with a policy is taken off but as it allows",
    at: "sim/referee.ts|took ${grant} off without knowing that its job is over",
  },
  simGone: {
    by: "simulation",
    what: "who has given back in good order does not hold again",
    at: "sim/referee.ts|holds after its client has gone in good order",
  },
  simEnds: {
    by: "simulation",
    what: "once faults stop all come to their end",
    at: "sim/world.ts|somebody waits for ever",
  },
  simLast: {
    by: "simulation",
    what: "who comes after everything gets the lock",
    at: "sim/world.ts|the last ones wait for ever",
  },
  simLeft: {
    by: "simulation",
    what: "no ticket, holder or turn stays behind",
    at: "sim/world.ts|tickets stay behind",
  },
  simHammer: {
    by: "simulation",
    what: "nobody sends more than 60 requests a second",
    at: "sim/referee.ts|hammers the store",
  },
  simAsks: {
    by: "simulation",
    what: "nobody asks the Actions API too often",
    at: "sim/jobs.ts|asks too often",
  },
  modelHolders: {
    by: "model",
    what: "no record with more holders than there is room",
    at: "model/referee.ts|hold where ${capacity} may",
  },
  modelWork: {
    by: "model",
    what: "no work beside work that excludes it",
    at: "model/referee.ts|works while ${scene.parts[other]?.name} does",
  },
  modelTokens: {
    by: "model",
    what: "tokens of records and of work grow",
    at: "model/referee.ts|work begins with token",
  },
  modelGrant: {
    by: "model",
    what: "no grant holds or works twice",
    at: "model/referee.ts|is used twice",
  },
  modelOrder: {
    by: "model",
    what: "nobody is named or claims before a ticket that stood when his list was made",
    at: "model/referee.ts|overtakes ${ticket.grant}",
  },
  modelDropped: {
    by: "model",
    what: "whom a person dropped does not work",
    at: "model/referee.ts|works although a person dropped it from the queue",
  },
  modelGone: {
    by: "model",
    what: "who has given back in good order does not hold again",
    at: "model/referee.ts|holds after its client has gone in good order",
  },
  modelEnds: {
    by: "model",
    what: "from every state all come to their end, and no steps go in a circle",
    at: "model/explore.ts|of these acts can go on for ever",
  },
  modelLeft: {
    by: "model",
    what: "latecomers get the lock, and nothing is left",
    at: "model/afterwards.ts|a latecomer waits for ever",
  },
  v3Work: {
    by: "simulation of both versions",
    what: "no job of ours works beside one of version 3",
    at: "sim/v3_client.ts|works while ${client.persona.name} does",
  },
  v3Number: {
    by: "simulation of both versions",
    what: "no run of ours loses its number, and the number ends where it must",
    at: "sim/v3_chaos.ts|lost its number",
  },
  v3Last: {
    by: "simulation of both versions",
    what: "the runs that come last hold, and nothing stays behind",
    at: "sim/v3_chaos.ts|the last one does not hold",
  },
  soakWork: {
    by: "soak",
    what: "the journal that the work itself writes shows one at a time",
    at: "soak/soak.ts|s after ${newerJob} had begun",
  },
  soakTokens: {
    by: "soak",
    what: "tokens grow from line to line of that journal",
    at: "soak/journal.ts|comes after ${before.token}",
  },
  soakForgotten: {
    by: "soak",
    what: "nobody is forgotten",
    at: "soak/soak.ts|was forgotten",
  },
  soakLeft: {
    by: "soak",
    what: "no holder, turn, ticket or process is left",
    at: "soak/soak.ts|something is left",
  },
  crowdOrder: {
    by: "crowd",
    what:
      "hundreds hold in the order of their tickets, but for those who were silent through a call",
    at: "crowd/crowd.ts|held after one that came later",
  },
  crowdServed: {
    by: "crowd",
    what: "each that lives holds just once",
    at: "crowd/crowd.ts|tickets, held ${times} times",
  },
} as const satisfies Readonly<Record<string, Check>>;

/** The name of one. */
export type CheckName = keyof typeof CHECKS;
