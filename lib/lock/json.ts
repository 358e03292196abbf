/** JSON that others may have written too: what this program does not know is written back as it was, to the last digit. */

/** A number as it stands in a JSON text. */
interface RawNumber {
  readonly rawJSON: string;
}

/** JSON with access to the text of its numbers (https://github.com/tc39/proposal-json-parse-with-source), which TypeScript does not know. */
const json = JSON as unknown as {
  parse(
    text: string,
    revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
};

/** Where a number may begin that is longer than what any number becomes exactly, or has an exponent. It may be in a string: that is looked at then. */
const SUSPECT = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+e)/i;

/**
 * The value of a JSON text. A number in it that would be another one when it is written again (`1e999`, `9007199254740993`) is no
 * number here, but an object that `JSON.stringify` turns into the same digits; it is one of a field that nobody here reads, or damage.
 *
 * @throws {SyntaxError}
 */
export function parseJson(text: string): unknown {
  // With the second argument it takes seven times as long.
  if (!SUSPECT.test(text)) return JSON.parse(text);
  return json.parse(
    text,
    (_name, value, { source }) =>
      typeof value === "number" && source !== undefined &&
        decimal(source) !== decimal(String(value))
        ? json.rawJSON(source)
        : value,
  );
}

/** One text for each number, however it is written: its digits without zeros around them, and where the point is. */
function decimal(number: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,9}))?$/i.exec(number) ?? [];
  const digits = whole + fraction;
  let [first, end] = [0, digits.length];
  while (digits[first] === "0") first++;
  while (end > first && digits[end - 1] === "0") end--;
  // No number at all (Infinity), or one with an exponent that is no double's: its own text.
  if (digits === "") return number;
  if (first === end) return "0";
  const shift = Number(exponent) - fraction.length + (digits.length - end);
  return `${sign}${digits.slice(first, end)}e${shift}`;
}
