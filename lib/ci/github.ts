/** What a job says to GitHub: step outputs, its summary, and commands in the log. */
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import type { Env } from "./detect.ts";

/** What became of a text for GitHub. A step without such a file is no error: `absent`. */
export type Written =
  | { readonly outcome: "written" }
  | { readonly outcome: "absent" }
  | { readonly outcome: "failed"; readonly why: string };

/**
 * Gives the step these outputs.
 *
 * Each value stands between two lines that nobody can guess, so that no value, whatever its lines are, can end early and add outputs of its own.
 *
 * @throws {TypeError} when a name could not be an output's
 */
export function setOutputs(
  env: Env,
  outputs: ReadonlyMap<string, string>,
  delimiter: () => string = () => `k8s_lock_${randomUUID()}`,
): Written {
  let text = "";
  for (const [name, value] of outputs) {
    if (!/^[A-Za-z_][\w-]*$/.test(name)) throw new TypeError(`no name of an output: ${name}`);
    const end = delimiter();
    if (value.includes(end)) throw new TypeError("the delimiter is in the value");
    text += `${name}<<${end}\n${value}\n${end}\n`;
  }
  return append(env["GITHUB_OUTPUT"], text);
}

/** Adds Markdown to the summary of the job. */
export function addToSummary(env: Env, markdown: string): Written {
  return append(env["GITHUB_STEP_SUMMARY"], `${markdown}\n`);
}

/** `text` as it is, in Markdown: neither HTML nor a link, an image or a table's cell comes of it. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/[\r\n]+/g, " ")
    .replace(/[\\`*_{}[\]()#+!|~@]/g, (mark) => `&#${mark.charCodeAt(0)};`)
    // What looks like an address becomes a link by itself.
    .replace(/:(?=\/\/)/g, "&#58;").replace(/\bwww\./gi, (www) => `${www.slice(0, 3)}&#46;`);
}

/** A command that the runner reads in the log, on a line of its own. */
export function workflowCommand(
  command: "debug" | "notice" | "warning" | "error" | "group" | "endgroup",
  message: string,
  properties: Readonly<Record<string, string>> = {},
): string {
  const given = Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeProperty(value)}`).join(",");
  return `::${command}${given === "" ? "" : ` ${given}`}::${escapeData(message)}`;
}

/** The message of a workflow command, by the rules of GitHub's own toolkit. */
export function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A property of a workflow command, by the rules of GitHub's own toolkit. */
export function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function append(file: string | undefined, text: string): Written {
  if (file === undefined || file === "") return { outcome: "absent" };
  try {
    appendFileSync(file, text);
    return { outcome: "written" };
  } catch (error) {
    return { outcome: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}
