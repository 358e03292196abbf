/** `completion bash|zsh|fish`: scripts for shells, made from the same table as the commands themselves. */
import { COMMON } from "./commands.ts";
import type { CommandSpec } from "./commands.ts";
import { Exit, usage } from "./errors.ts";
import { longName, takesValue } from "./flags.ts";
import type { Flag } from "./flags.ts";
import { neutral } from "./text.ts";

/** The shells that there is a script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of {@link SHELLS}. */
export type Shell = typeof SHELLS[number];

/** The command `completion`, for these other commands. */
export function completionSpec(others: readonly CommandSpec[]): CommandSpec {
  const spec: CommandSpec = {
    name: "completion",
    summary: "print a script that completes k8s-lock in a shell",
    usage: "bash|zsh|fish",
    groups: [],
    examples: [
      "source <(k8s-lock completion bash)",
      "k8s-lock completion fish > ~/.config/fish/completions/k8s-lock.fish",
    ],
    exitCodes: [],
    words: SHELLS,
    prepare: ({ operands, rest }) => {
      const words = [...operands, ...(rest ?? [])];
      const shell = SHELLS.find((known) => known === words[0]);
      if (shell === undefined || words.length > 1) {
        const what = words.length === 0
          ? "which shell?"
          : `there is no completion for "${neutral(words.join(" "), 40)}".`;
        throw usage(`${what} Say bash, zsh or fish, for example: k8s-lock completion bash`);
      }
      return (context) => {
        context.stdout(completionScript(shell, [...others, spec]).trimEnd());
        return Promise.resolve(Exit.done);
      };
    },
  };
  return spec;
}

/** The script for a shell. */
export function completionScript(shell: Shell, specs: readonly CommandSpec[]): string {
  switch (shell) {
    case "bash":
      return bash(specs);
    case "zsh":
      return zsh(specs);
    case "fish":
      return fish(specs);
  }
}

function flagsOf(spec: CommandSpec): readonly Flag[] {
  return spec.groups.flatMap((group) => group.flags);
}

/** Every spelling of an option: `-n`, `--namespace`. */
function spellings(flag: Flag): readonly string[] {
  return flag.flags.match(/(?<=^|\s)--?[a-z][a-z0-9-]*/g) ?? [];
}

/** Options that take a value, once each, though several commands have them. */
function valued(specs: readonly CommandSpec[]): readonly Flag[] {
  const all = [...COMMON.flatMap((group) => group.flags), ...specs.flatMap(flagsOf)];
  const byName = new Map(all.filter(takesValue).map((flag) => [longName(flag), flag]));
  return [...byName.values()];
}

/** What completes an option's value: words, a file, or nothing that is known. */
function byValue(flag: Flag): { readonly words: string } | "file" | "unknown" {
  if (flag.choices !== undefined) return { words: flag.choices.join(" ") };
  return flag.completes ?? "unknown";
}

function bash(specs: readonly CommandSpec[]): string {
  const names = specs.map((spec) => spec.name);
  const values = valued(specs).map((flag) => {
    const how = byValue(flag);
    const reply = how === "file"
      ? `COMPREPLY=($(compgen -f -- "$cur"))`
      : how === "unknown"
      ? ":"
      : `COMPREPLY=($(compgen -W "${how.words}" -- "$cur"))`;
    return `    ${spellings(flag).join("|")}) ${reply}; return ;;`;
  });
  const perCommand = specs.map((spec) => {
    const words = [...flagsOf(spec).flatMap(spellings), "--help", ...spec.words];
    return `    ${spec.name}) words="${words.join(" ")}" ;;`;
  });
  const common = COMMON.flatMap((group) => group.flags).flatMap(spellings);
  return `# bash completion of k8s-lock
_k8s_lock() {
  local cur prev command words i
  COMPREPLY=()
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  command=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      --)
        if [[ "$prev" == -- ]]; then
          COMPREPLY=($(compgen -c -- "$cur"))
        else
          COMPREPLY=($(compgen -f -- "$cur"))
        fi
        return
        ;;
      ${names.join("|")}) [[ -n "$command" ]] || command="\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$prev" in
${values.join("\n")}
  esac
  case "$command" in
    "") words="${[...names, "help", ...common, "--help", "--version"].join(" ")}" ;;
${perCommand.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _k8s_lock k8s-lock
`;
}

/** For zsh's single quotes, within `_arguments`' and `_describe`'s own syntax. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, (mark) => `\\${mark}`).replaceAll("'", "'\\''");
}

function zshFlag(flag: Flag): string {
  const names = spellings(flag);
  const how = byValue(flag);
  const value = how === "file"
    ? ":file:_files"
    : how === "unknown"
    ? ":value: "
    : `:value:(${how.words})`;
  const action = `[${zshText(flag.help)}]${takesValue(flag) ? value : ""}`;
  return names.length === 1
    ? `'${names[0]}${action}'`
    : `'(${names.join(" ")})'{${names.join(",")}}'${action}'`;
}

function zsh(specs: readonly CommandSpec[]): string {
  const described = specs.map((spec) => `    '${spec.name}:${zshText(spec.summary)}'`);
  const perCommand = specs.map((spec) => {
    const argument = spec.words.length > 0
      ? `'1:word:(${spec.words.join(" ")})'`
      : spec.name === "run"
      ? "'1:lock: ' '*::command:_normal'"
      : "'1:lock: '";
    const flags = flagsOf(spec).map((flag) => `        ${zshFlag(flag)} \\\n`).join("");
    return `    ${spec.name})\n      _arguments -s \\\n${flags}        ${argument}\n      ;;`;
  });
  return `#compdef k8s-lock
# zsh completion of k8s-lock
_k8s_lock() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${perCommand.join("\n")}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _k8s_lock "$@"
else
  compdef _k8s_lock k8s-lock
fi
`;
}

function fishText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function fish(specs: readonly CommandSpec[]): string {
  const names = specs.map((spec) => spec.name).join(" ");
  const lines = specs.flatMap((spec) => {
    const seen = `__fish_seen_subcommand_from ${spec.name}`;
    const words = spec.words.length === 0
      ? []
      : [`complete -c k8s-lock -n '${seen}' -a '${spec.words.join(" ")}'`];
    return [
      `complete -c k8s-lock -n __fish_use_subcommand -a ${spec.name} -d ${fishText(spec.summary)}`,
      ...words,
      ...flagsOf(spec).map((flag) => `complete -c k8s-lock -n '${seen}' ${fishFlag(flag)}`),
    ];
  });
  return `# fish completion of k8s-lock
# ${names}
complete -c k8s-lock -f
${lines.join("\n")}
`;
}

function fishFlag(flag: Flag): string {
  const names = spellings(flag).map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
  ).join(" ");
  const how = byValue(flag);
  const value = how === "file" ? " -r -F" : how === "unknown" ? " -x" : ` -x -a '${how.words}'`;
  return `${names}${takesValue(flag) ? value : ""} -d ${fishText(flag.help)}`;
}
