/** Bugs in what others may do about a silent holder with a policy. */
import type { Bug } from "./bug.ts";

/** Each has to be caught. */
export const EXPIRY: readonly Bug[] = [
  {
    name: "a policy is not looked at",
    breaks: "policy",
    from: 'switch (holder.on_expiry ?? "takeover") {',
    to: 'switch ("takeover" as "takeover" | "never" | "verify") {',
  },
  {
    name: "never is until its TTL",
    breaks: "policy",
    from: '      return { kind: "never" };',
    to: '      return { kind: "at", at: silent, why: "" };',
  },
  {
    name: "any answer will do",
    breaks: "policy",
    from: 'if (fate?.kind !== "over") return { kind: "ask" };',
    to:
      'if (!fate || fate.kind === "unknown") return { kind: "ask" };\n      if (fate.kind === "not_over") return { kind: "at", at: silent, why: fate.why };',
  },
  {
    name: "no answer will do",
    breaks: "policy",
    from: 'if (fate?.kind !== "over") return { kind: "ask" };',
    to:
      'if (fate?.kind === "unknown") return { kind: "at", at: silent, why: fate.why };\n      if (fate?.kind !== "over") return { kind: "ask" };',
  },
  {
    name: "an answer about somebody else's job will do",
    breaks: "policy",
    from: "const fate = inquiries.find(({ grant }) => grant === holder.grant)?.fate;",
    to: "const fate = inquiries.find(({ fate }) => fate !== null)?.fate;",
  },
  {
    name: "the server's word is enough to take over early",
    breaks: "exclusion",
    from: 'const early = fate.by === "runner" && ',
    to: "const early = ",
  },
  {
    name: "a hold that may outlive its job is taken over early",
    breaks: "exclusion",
    from: ' && holder.job?.held_for === "job";',
    to: ";",
  },
  {
    name: "early is at once, whether it renews or not",
    breaks: "exclusion",
    from: "at: early ? askableAt(seen) : silent,",
    to: "at: early ? seen.since : silent,",
  },
  {
    name: "what was broken goes by its policy",
    breaks: "no stuck lock",
    from: 'if (holder.state !== "held") return { kind: "at", at: silent, why: "" };',
    to: "",
  },
  {
    name: "an answer is kept for whoever comes to hold next",
    breaks: "policy",
    from: "d.inquiries = d.inquiries.filter(({ grant }) => holderOf(record, grant) !== undefined);",
    to:
      "d.inquiries = d.inquiries.map((one) => ({ ...one, grant: record.holders[0]?.grant ?? one.grant }));",
  },
  {
    name: "it is asked about again at once",
    breaks: "restraint",
    from: "askAt: d.now + Math.max(told, wait * spread * d.position),",
    to: "askAt: d.now + Math.max(told, 0 * wait * spread),",
  },
  {
    name: "that it shall wait is not heeded",
    breaks: "restraint",
    from: "askAt: d.now + Math.max(told, wait * spread * d.position),",
    to: "askAt: d.now + Math.max(0 * told, wait * spread * d.position),",
  },
  {
    name: "everybody asks as soon as the first",
    breaks: "restraint",
    from: "const place = (d.position - 1) * ASK_EVERY_MS.first;",
    to: "const place = 0;",
  },
  {
    name: "a question under way is asked again",
    breaks: "restraint",
    from: "if (before !== undefined && before.id !== null) continue;",
    to: "",
  },
  {
    name: "who helps looks at the silence alone",
    breaks: "policy",
    from: 'if (holder === undefined || may?.kind !== "at" || now < may.at) continue;',
    to: "if (holder === undefined || may === null || now < seen.since + seen.ttlMs) continue;",
    also: [{
      from: 'const known = may.why === "" ? "" : `, and ${may.why}`;',
      to: 'const known = "";',
    }],
  },
  {
    name: "an older client does not learn that it would break a promise",
    breaks: "policy",
    from: "  return heeded ? FIRST_FORMAT : FORMAT_VERSION;",
    to: "  return heeded ? FIRST_FORMAT : FIRST_FORMAT;",
  },
  {
    name: "one that tries once watches a holder that nobody may take off",
    breaks: "no stuck lock",
    from: 'if (holder.state === "held" && holder.on_expiry === "never") return false;',
    to: "",
  },
];
