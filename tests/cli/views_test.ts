import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { howToLook } from "../../lib/cli/look.ts";
import {
  describeHolder,
  listText,
  medianHoldMs,
  statusText,
  waitLine,
  whyNobodyMoves,
} from "../../lib/cli/prose.ts";
import { lockJson, statusJson } from "../../lib/cli/views.ts";
import { emptyRecord } from "../../lib/lock/record.ts";
import type { Holder, LockRecord, Past, Ticket } from "../../lib/lock/record.ts";
import type { Queued } from "../../lib/lock/queue.ts";

const NOW = new Date("2026-01-31T12:03:00Z");
const before = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();

const HOLDER: Holder = {
  grant: "g1",
  holder: "o/r deploy #42",
  mode: "exclusive",
  slot: 0,
  token: 42,
  state: "held",
  ttl_seconds: 60,
  renewals: 3,
  acquired_at: before(180),
  renewed_at: before(4),
  waited_seconds: 3.1,
  description: "",
  link: "https://ci/42",
};

function ticket(grant: string, changes: Partial<Ticket> = {}): Queued {
  return {
    uid: grant,
    revision: "7",
    ticket: {
      version: 1,
      grant,
      holder: `waiter ${grant}`,
      mode: "exclusive",
      priority: 0,
      order: "fifo",
      order_key: null,
      order_revision: null,
      answered: 0,
      ttl_seconds: 60,
      waiting_since: before(60),
      description: "",
      link: "",
      ...changes,
    },
  };
}

const PAST: Past = {
  grant: "g0",
  holder: "o/r deploy #41",
  link: "",
  mode: "exclusive",
  token: 41,
  acquired_at: before(500),
  released_at: before(400),
  waited_seconds: 3.1,
  outcome: "released",
  by: null,
  reason: null,
};

function lock(changes: Partial<LockRecord> = {}): LockRecord {
  const identity = { scope: "repo", owner: "o", repository: "r", lock: "deploy" } as const;
  return { ...emptyRecord(identity), last_token: 42, holders: [HOLDER], ...changes };
}

Deno.test("status as JSON has the documented fields and no others", () => {
  const record = lock({ turn: ["g2"], history: [PAST] });
  const view = statusJson("secret/ci/k8s-lock-o-r-deploy", record, [ticket("g2"), ticket("g3")]);
  assertEquals(view, {
    lock: "deploy",
    object: "secret/ci/k8s-lock-o-r-deploy",
    order: "fifo",
    next_build: null,
    capacity: 1,
    token: 42,
    frozen: null,
    holders: [{
      grant: "g1",
      holder: "o/r deploy #42",
      token: 42,
      mode: "exclusive",
      slot: 0,
      slot_name: null,
      state: "held",
      ttl_seconds: 60,
      acquired_at: HOLDER.acquired_at,
      renewed_at: HOLDER.renewed_at,
      description: "",
      link: "https://ci/42",
    }],
    queue: [
      {
        position: 1,
        grant: "g2",
        holder: "waiter g2",
        mode: "exclusive",
        priority: 0,
        order: "fifo",
        waiting_since: before(60),
        description: "",
        link: "",
        turn: true,
      },
      {
        position: 2,
        grant: "g3",
        holder: "waiter g3",
        mode: "exclusive",
        priority: 0,
        order: "fifo",
        waiting_since: before(60),
        description: "",
        link: "",
      },
    ],
    history: [{
      grant: "g0",
      holder: "o/r deploy #41",
      link: "",
      token: 41,
      acquired_at: PAST.acquired_at,
      released_at: PAST.released_at,
      waited_seconds: 3.1,
      outcome: "released",
      by: null,
      reason: null,
    }],
  });
  assert(!("history" in lockJson("x", record, [])));
});

Deno.test("texts that others wrote are harmless in every view", () => {
  const nasty = "\u001b[31mx\n::error::y\u202e";
  const texts = { holder: nasty, description: nasty, link: nasty };
  const record = lock({
    holders: [{ ...HOLDER, ...texts, state: "broken", broken_by: nasty, broken_reason: nasty }],
    freeze: { by: nasty, reason: nasty, since: nasty, until: nasty },
    history: [{
      ...PAST,
      ...texts,
      by: nasty,
      reason: nasty,
      acquired_at: nasty,
      released_at: nasty,
    }],
    turn: ["g2"],
  });
  const queue = [ticket("g2", { ...texts, waiting_since: nasty })];
  const shown = [
    ...statusText("secret/a/b", record, queue, NOW),
    ...listText([{ record, queue }], NOW),
    waitLine(record, { grant: "g3", position: 1, length: 2 }, NOW).text,
    JSON.stringify(statusJson("secret/a/b", record, queue)).replaceAll("\\", "\n"),
  ];
  for (const line of shown) {
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u001f\u202e]/.test(line), JSON.stringify(line));
    assert(!/(^|\s)::error/.test(line), line);
  }
});

Deno.test("a holder that renews is held by, with its last sign of life", () => {
  assertEquals(
    describeHolder(HOLDER, NOW),
    "held by o/r deploy #42 for 3 min, last sign of life 4 s ago",
  );
});

Deno.test("a holder that is silent can be passed over when its TTL is over", () => {
  assertEquals(
    describeHolder({ ...HOLDER, renewed_at: before(41) }, NOW),
    "o/r deploy #42 is silent for 41 s, can be passed over in 19 s",
  );
  assertEquals(
    describeHolder({ ...HOLDER, renewed_at: before(70) }, NOW),
    "o/r deploy #42 is silent for 1 min, can be passed over now",
  );
});

Deno.test("a holder whose clock is ahead was heard of just now", () => {
  assertStringIncludes(
    describeHolder({ ...HOLDER, renewed_at: before(-3600) }, NOW),
    "less than 1 s ago",
  );
});

Deno.test("a broken holder says by whom and why", () => {
  const broken = { ...HOLDER, state: "broken", broken_by: "ann", broken_reason: "stuck" } as const;
  assertStringIncludes(describeHolder(broken, NOW), "broken by ann (stuck)");
});

Deno.test("what is waited for is said: freeze, turn, roll call, or nothing", () => {
  const freeze = { by: "ann", reason: "incident", since: before(60), until: null };
  assertEquals(whyNobodyMoves(lock({ holders: [], freeze }), [], NOW), [
    "frozen by ann for 1 min: incident",
  ]);
  assertEquals(
    whyNobodyMoves(lock({ holders: [], turn: ["g2"] }), [ticket("g2")], NOW, { turnMs: 1000 }),
    ["it is waiter g2's turn since 1 s"],
  );
  assertEquals(
    whyNobodyMoves(lock({ holders: [], turn: ["g2"] }), [ticket("g2")], NOW, { turnMs: 999 }),
    ["it is waiter g2's turn"],
  );
  const call = { number: 1, open: true, stands_seconds: 3, calls: 1, grants: ["g2"] };
  assertMatch(
    whyNobodyMoves(lock({ holders: [], roll_call: call }), [ticket("g2")], NOW).join(),
    /the roll is being called/,
  );
  assertEquals(whyNobodyMoves(lock({ holders: [] }), [], NOW), ["free"]);
});

Deno.test("a lock that nobody has held yet says so, as its name may be a slip", () => {
  assertEquals(
    statusText("secret/ci/k8s-lock-x", lock({ holders: [], last_token: 0 }), [], NOW),
    ["deploy (secret/ci/k8s-lock-x)", "  free: nobody has held it yet"],
  );
});

Deno.test("the guess of a wait is what is left of the median hold, and one for each place before", () => {
  const held = (seconds: number): Past => ({ ...PAST, acquired_at: before(400 + seconds) });
  const history = [held(60), held(600), held(120), { ...held(9000), outcome: "expired" as const }];
  assertEquals(medianHoldMs(history), 120_000);
  assertEquals(medianHoldMs([]), null);
  const line = (heldSeconds: number, position: number, more: Partial<LockRecord> = {}) => {
    const holders = [{ ...HOLDER, acquired_at: before(heldSeconds) }];
    return waitLine(lock({ holders, history, ...more }), { grant: "g3", position, length: 2 }, NOW)
      .text;
  };
  const others = "last sign of life 4 s ago, https://ci/42";
  assertEquals(
    line(60, 2),
    `waiting for deploy: held by o/r deploy #42 for 1 min, ${others}, place 2 of 2, about 3 min to go, by the last holds`,
  );
  assertEquals(
    line(180, 1),
    `waiting for deploy: held by o/r deploy #42 for 3 min, ${others}, place 1 of 2, held longer than usual`,
  );
  assertEquals(
    line(0, 1, { holders: [], turn: ["g3"] }),
    "waiting for deploy: it is my turn, place 1 of 2",
  );
});

Deno.test("a wait has changed when holder, place or turn have, not when time goes by", () => {
  const place = { grant: "g3", position: 2, length: 2 };
  const { key } = waitLine(lock(), place, NOW);
  const renewed = lock({ holders: [{ ...HOLDER, renewals: 9, renewed_at: before(0) }] });
  assertEquals(waitLine(renewed, place, new Date(NOW.getTime() + 9000)).key, key);
  assert(waitLine(lock(), { ...place, position: 1 }, NOW).key !== key);
  assert(waitLine(lock({ turn: ["g2"] }), place, NOW).key !== key);
  assert(waitLine(lock({ holders: [] }), place, NOW).key !== key);
});

Deno.test("a list has a row for each lock, in columns", () => {
  const rows = listText([
    { record: lock(), queue: [ticket("g2")] },
    { record: lock({ holders: [] }), queue: [] },
  ], NOW);
  assertEquals(rows, [
    "LOCK    OF   STATE  HOLDER          FOR    WAITING",
    "deploy  o/r  held   o/r deploy #42  3 min  1",
    "deploy  o/r  free   -               -      0",
  ]);
});

Deno.test("the commands that help name record, namespace and context, quoted for a shell", () => {
  const lines = howToLook("k8s-lock-o-r-deploy", {
    store: "secret",
    namespace: "ci",
    context: "arn:aws/my cluster's",
    server: "https://c",
  });
  const context = `--context 'arn:aws/my cluster'\\''s'`;
  assertEquals(lines.slice(0, 3), [
    `to look at it: k8s-lock status --object k8s-lock-o-r-deploy -n ci ${context}`,
    `to take it away: k8s-lock break --object k8s-lock-o-r-deploy -n ci ${context} --reason "why"`,
    `with kubectl, the record: kubectl ${context} -n ci get secret k8s-lock-o-r-deploy -o jsonpath='{.data.lock}' | base64 -d`,
  ]);
  assertMatch(lines[3] ?? "", /get leases -l k8s-lock\.dev\/lock=[0-9a-f]{40}$/);
});

Deno.test("the commands that help with a local lock name its file", () => {
  assertEquals(howToLook("k8s-lock-deploy", { store: "local", path: "/a b/x.db" }), [
    "to look at it: k8s-lock status --object k8s-lock-deploy --local --local-path '/a b/x.db'",
    "to take it away: k8s-lock break --object k8s-lock-deploy --local --local-path '/a b/x.db' --reason \"why\"",
  ]);
});
