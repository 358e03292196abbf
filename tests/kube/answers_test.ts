/** What an answer says of a request's effect, and how that is told. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { failureOfAnswer } from "../../lib/kube/answers.ts";
import type { KubeFailureKind } from "../../lib/kube/errors.ts";
import { SECRET, status } from "./fake_server.ts";

const forbidden = (rest: string) => `secrets "k8s-lock-deploy" is forbidden: ${rest}`;

const CASES: readonly {
  what: string;
  code: number;
  body: string | object;
  kind: KubeFailureKind;
  said: string;
}[] = [
  {
    what: "a missing right",
    code: 403,
    body: status(
      403,
      "Forbidden",
      forbidden(
        'User "deployer" cannot get resource "secrets" in API group "" in the namespace "ci"',
      ),
    ),
    kind: "refused",
    said:
      'cannot get secret "k8s-lock-deploy" in namespace "ci": forbidden for user "deployer". Grant get on secrets ' +
      '(resourceNames: ["k8s-lock-deploy"]) in namespace "ci" to that user.',
  },
  {
    what: "nobody's request",
    code: 403,
    body: status(
      403,
      "Forbidden",
      forbidden('User "system:anonymous" cannot get resource "secrets" in API group ""'),
    ),
    kind: "refused",
    said: "takes us for nobody",
  },
  {
    what: "a full quota",
    code: 403,
    body: status(403, "Forbidden", forbidden("exceeded quota: q, requested: count/secrets=1")),
    kind: "refused",
    said: "the namespace's quota is used up",
  },
  {
    what: "a namespace on its way out",
    code: 403,
    body: status(403, "Forbidden", forbidden("unable to create new content"), {
      causes: [{ reason: "NamespaceTerminating" }],
    }),
    kind: "refused",
    said: "the namespace is being deleted",
  },
  {
    what: "a webhook's no",
    code: 400,
    body: status(
      400,
      "BadRequest",
      'admission webhook "p.example.com" denied the request: no team',
    ),
    kind: "refused",
    said: 'the admission webhook "p.example.com" denies it',
  },
  {
    what: "an admission policy's no",
    code: 422,
    body: status(
      422,
      "Invalid",
      "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed",
    ),
    kind: "refused",
    said: 'the admission policy "p" denies it',
  },
  {
    what: "a webhook that cannot be reached",
    code: 500,
    body: status(500, "InternalError", 'failed calling webhook "p": connection refused'),
    kind: "unknown",
    said: 'failed calling webhook "p"',
  },
  {
    what: "an object that is not there",
    code: 404,
    body: status(404, "NotFound", 'secrets "k8s-lock-deploy" not found', { kind: "secrets" }),
    kind: "missing",
    said: "there is none",
  },
  {
    what: "a namespace that is not there",
    code: 404,
    body: status(404, "NotFound", 'namespaces "ci" not found', { kind: "namespaces" }),
    kind: "refused",
    said: "kubectl create namespace ci",
  },
  {
    what: "a path that the server does not know",
    code: 404,
    body: status(404, "NotFound", "the server could not find the requested resource", {}),
    kind: "unknown",
    said: "does not serve it",
  },
  {
    what: "a proxy's 404",
    code: 404,
    body: "404 page not found",
    kind: "unknown",
    said: "HTTP 404",
  },
  { what: "a proxy's 409", code: 409, body: "<html>", kind: "unknown", said: "with a web page" },
  { what: "a proxy's 403", code: 403, body: "<html>", kind: "refused", said: "with a web page" },
  {
    what: "one that is there",
    code: 409,
    body: status(409, "AlreadyExists", "already exists"),
    kind: "exists",
    said: "there is one already",
  },
  {
    what: "one that has changed",
    code: 409,
    body: status(409, "Conflict", "the object has been modified"),
    kind: "conflict",
    said: "changed meanwhile",
  },
  {
    what: "a quota that could not be counted in time",
    code: 409,
    body: status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas", {
      kind: "resourcequotas",
    }),
    kind: "throttled",
    said: "resourcequotas",
  },
  {
    what: "one that etcd does not take",
    code: 500,
    body: status(500, "", "etcdserver: request is too large"),
    kind: "unusable",
    said: "too large",
  },
  {
    what: "TLS where none is spoken",
    code: 400,
    body: "Client sent an HTTP request to an HTTPS server.\n",
    kind: "refused",
    said: "speaks HTTPS",
  },
  { what: "a gateway's 502", code: 502, body: "<html>", kind: "unknown", said: "HTTP 502" },
  {
    what: "a server that starts",
    code: 503,
    body: status(503, "ServiceUnavailable", "not yet"),
    kind: "unknown",
    said: "not yet",
  },
  {
    what: "a timeout of the server's own",
    code: 504,
    body: status(504, "Timeout", "etcd"),
    kind: "unknown",
    said: "HTTP 504",
  },
];

for (const { what, code, body, kind, said } of CASES) {
  Deno.test(`${what} (${code}) is ${kind}`, () => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const error = failureOfAnswer(SECRET, code, {}, text);
    assertEquals([error.kind, error.status], [kind, code]);
    assertStringIncludes(error.message, said);
    assertStringIncludes(error.message, 'secret "k8s-lock-deploy" in namespace "ci"');
  });
}

Deno.test("a server's words come in one line, without control characters and tokens", () => {
  const message =
    `no\n\u001b[31mred\u001b[0m Bearer abcdefghijkl eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOi.c2ln ${
      "x".repeat(1000)
    }`;
  const error = failureOfAnswer(SECRET, 500, {}, JSON.stringify(status(500, "", message)));
  // deno-lint-ignore no-control-regex -- control characters are what it looks for
  assert(!/[\x00-\x1f]/.test(error.message), error.message);
  assertStringIncludes(error.message, "no red <credential> <credential> xxx");
  assert(error.message.length < 600);
});
