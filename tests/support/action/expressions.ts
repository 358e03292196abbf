/** As much of GitHub's expressions as `action.yml` uses. What it does not know it refuses, so that a new one is not taken for true. */

/** A value; a name that does not exist is "". */
export type Value = string | boolean;

/** What names and functions stand for. */
export interface Scope {
  /** The value at `steps.take.outputs.token`. */
  readonly look: (path: string) => string;
  /** How the composite stands: `success()` and `failure()` in it ask for that, and not for the job's status. */
  readonly status: "success" | "failure" | "cancelled";
  /** The job's: `cancelled()` asks for that, also in a composite. */
  readonly cancelled: boolean;
}

const TOKEN = /\s*(?:('(?:[^']|'')*')|([\w.-]+)|(\|\||&&|==|!=|[!()]))/gy;

/** A text with its `${{ }}` replaced. */
export function expand(text: string, scope: Scope): string {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_, inner: string) => `${evaluate(inner, scope)}`);
}

/** Whether a step runs: one without a function of the status runs only after success. */
export function isMet(condition: string | undefined, scope: Scope): boolean {
  const asked = (condition ?? "success()").replace(/^\$\{\{(.*)\}\}$/s, "$1");
  const whole = /\b(success|failure|cancelled|always)\(/.test(asked)
    ? asked
    : `success() && (${asked})`;
  return truthy(evaluate(whole, scope));
}

/** The value of an expression. */
export function evaluate(source: string, scope: Scope): Value {
  const tokens = tokenize(source);
  let at = 0;
  const next = () => tokens[at++] ?? "";
  const expect = (token: string) => {
    if (next() !== token) throw new Error(`not understood: ${source}`);
  };
  const or = (): Value => {
    let left = and();
    while (tokens[at] === "||") {
      at++;
      const right = and();
      left = truthy(left) ? left : right;
    }
    return left;
  };
  const and = (): Value => {
    let left = compared();
    while (tokens[at] === "&&") {
      at++;
      const right = compared();
      left = truthy(left) ? right : left;
    }
    return left;
  };
  const compared = (): Value => {
    const left = unary();
    const operator = tokens[at];
    if (operator !== "==" && operator !== "!=") return left;
    at++;
    // GitHub compares texts whatever the case of their letters.
    const same = `${left}`.toLowerCase() === `${unary()}`.toLowerCase();
    return operator === "==" ? same : !same;
  };
  const unary = (): Value => {
    const token = next();
    if (token === "!") return !truthy(unary());
    if (token === "(") {
      const inner = or();
      expect(")");
      return inner;
    }
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (tokens[at] !== "(") return scope.look(token);
    expect("(");
    expect(")");
    return called(token, scope);
  };
  const value = or();
  if (at !== tokens.length) throw new Error(`not understood: ${source}`);
  return value;
}

function tokenize(source: string): string[] {
  const text = source.trim();
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`not understood: ${source}`);
    tokens.push(match[1] ?? match[2] ?? match[3] ?? "");
  }
  return tokens;
}

function called(name: string, { status, cancelled }: Scope): boolean {
  switch (name) {
    case "always":
      return true;
    case "success":
      return status === "success";
    case "failure":
      return status === "failure";
    case "cancelled":
      return cancelled;
  }
  throw new Error(`no function ${name}() here`);
}

function truthy(value: Value): boolean {
  return value !== "" && value !== false;
}
