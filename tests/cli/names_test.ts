import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CliError } from "../../lib/cli/errors.ts";
import {
  exactObjectName,
  identityOf,
  lockName,
  MAX_OBJECT_NAME,
  objectName,
  splitRepository,
} from "../../lib/cli/names.ts";
import { sameIdentity } from "../../lib/lock/identity.ts";
import type { Identity } from "../../lib/lock/record.ts";

const SHOP = { owner: "acme", repository: "shop" };

function nameOf(lock: string): string {
  return objectName(identityOf("repo", SHOP, lock));
}

Deno.test("a lock on GitHub has the name that version 3 gave it", () => {
  assertEquals(nameOf("deploy"), "k8s-lock-acme-shop-deploy");
  assertEquals(nameOf("deploy-2.prod"), "k8s-lock-acme-shop-deploy-2.prod");
});

Deno.test("a lock's name has the parts that its scope has", () => {
  assertEquals(objectName(identityOf("owner", SHOP, "deploy")), "k8s-lock-acme-deploy");
  assertEquals(objectName(identityOf("global", SHOP, "deploy")), "k8s-lock-deploy");
  assertEquals(
    objectName(identityOf("repo", { owner: "group/sub", repository: "app" }, "deploy")),
    "k8s-lock-group-sub-app-deploy",
  );
});

Deno.test("capitals of owner and repository are made small without a hash", () => {
  assertEquals(
    objectName(identityOf("repo", { owner: "Azure", repository: "Shop" }, "deploy")),
    "k8s-lock-azure-shop-deploy",
  );
});

for (
  const lock of ["Deploy", "déploy", "日本", "a/b", "../x", "a b", "x-", "x..y", "_", "é"]
) {
  Deno.test(`the lock ${lock} gets a valid name with a hash`, () => {
    const name = nameOf(lock);
    assertMatch(name, /^k8s-lock-acme-shop[-.a-z0-9]*\.h[0-9a-f]{10}$/);
    assertEquals(exactObjectName(name), name);
  });
}

Deno.test("a long name is cut so that its tickets' names fit too", () => {
  const name = nameOf("x".repeat(255));
  assertEquals(name.length, MAX_OBJECT_NAME);
  assert(`${name}-t-${"g".repeat(24)}`.length <= 253);
  assert(nameOf(`${"x".repeat(254)}y`) !== name);
});

Deno.test("a name that only looks hashed gets a hash of its own", () => {
  const hashed = nameOf("Deploy");
  const imitation = hashed.replace("k8s-lock-acme-shop-", "");
  assert(nameOf(imitation) !== hashed);
});

const identities: fc.Arbitrary<Identity> = fc.record({
  scope: fc.constantFrom("repo", "owner", "global"),
  owner: fc.constantFrom("acme", "Acme", "a-b", "a", "group/sub", "ÄCME"),
  repository: fc.constantFrom("shop", "b-c", "c", "Shop.io", "_x"),
  lock: fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }),
    fc.stringMatching(/^[-a-zA-Z0-9./_ ]{1,12}$/),
  ),
}).map(({ scope, owner, repository, lock }) =>
  identityOf(scope as Identity["scope"], { owner, repository }, lock)
);

Deno.test("every name is valid, and two locks share one only where plain joining makes it", () => {
  const joined = (identity: Identity) =>
    [...identity.owner.split("/"), identity.repository, identity.lock].filter((part) => part !== "")
      .join("-");
  fc.assert(
    fc.property(identities, identities, (a, b) => {
      assertEquals(exactObjectName(objectName(a)), objectName(a));
      if (objectName(a) !== objectName(b)) return;
      assert(sameIdentity(a, b) || joined(a) === joined(b), `${joined(a)} and ${joined(b)}`);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("locks that differ only in what a name cannot show have different names", () => {
  const locks = ["x y", "x-y", "x_y", "X-y", "x--y", "x/y", "x.-y", "x\u00e9y", "../x-y", "x-y-"];
  assertEquals(new Set(locks.map(nameOf)).size, locks.length);
});

Deno.test("two spellings of one letter are one lock", () => {
  assertEquals(lockName("e\u0301"), lockName("\u00e9"));
});

for (
  const [what, name, words] of [
    ["empty", "", "is empty"],
    ["blank", "  ", "is empty"],
    ["of 300 characters", "x".repeat(300), "300 characters"],
    ["with a line break", "a\nb", "line breaks"],
    ["with an escape sequence", "a\u001b[31mb", "control characters"],
    ["with a bidirectional override", "a\u202eb", "invisible"],
    ["with half a surrogate pair", "a\ud800", "invisible"],
    ["with a space at its end", "deploy ", "begins or ends with a space"],
    ["of two locks", "a,b", "one lock at a time"],
  ] as const
) {
  Deno.test(`a lock name ${what} is refused`, () => {
    const error = assertThrows(() => lockName(name), CliError, words);
    assert(!error.message.includes("\n") && error.message.length < 300);
  });
}

Deno.test("owners with slashes keep them, and half a path is no repository", () => {
  assertEquals(splitRepository("a/b/c"), { owner: "a/b", repository: "c" });
  for (const path of ["", "a", "/a", "a/", "a//b", "a/ b", "a/b\n"]) {
    assertEquals(splitRepository(path), null, path);
  }
});

Deno.test("without a repository a lock of a repository cannot be meant", () => {
  assertThrows(() => identityOf("repo", null, "deploy"), CliError, "--repo OWNER/REPO");
});

Deno.test("an identity matches whatever the case of owner and repository, not of the lock", () => {
  const stored: Identity = { scope: "repo", owner: "Acme", repository: "Shop", lock: "deploy" };
  assert(sameIdentity(stored, identityOf("repo", SHOP, "deploy")));
  assert(!sameIdentity(stored, identityOf("repo", SHOP, "Deploy")));
  assert(!sameIdentity(stored, identityOf("owner", SHOP, "deploy")));
});

for (
  const name of ["", "Deploy", "a_b", "-a", "a-", "a..b", "x".repeat(MAX_OBJECT_NAME + 1), "a\nb"]
) {
  Deno.test(`--object ${JSON.stringify(name.slice(0, 20))} is refused`, () => {
    assertThrows(() => exactObjectName(name), CliError, "cannot be a record's name");
  });
}
