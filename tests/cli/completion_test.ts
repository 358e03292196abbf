import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commands } from "../../lib/cli/commands.ts";
import { completionScript, completionSpec } from "../../lib/cli/completion.ts";
import { handlers } from "../../lib/cli/handlers.ts";

const own = commands(handlers);
const specs = [...own, completionSpec(own)];

/** What bash offers for the last of `words`. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `source <(cat)
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _k8s_lock; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = new Deno.Command("bash", {
    args: ["-c", script, "bash", "k8s-lock", ...words],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(completionScript("bash", specs)));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

Deno.test("bash completes commands", async () => {
  assertEquals(await offered("re"), ["release", "renew"]);
});

Deno.test("bash completes the options of the command, and only those", async () => {
  assertEquals(await offered("acquire", "a", "--on-"), ["--on-expiry", "--on-busy"]);
  assertEquals(await offered("run", "a", "--on-"), ["--on-expiry", "--on-lost"]);
  assertEquals(await offered("status", "a", "--ti"), []);
});

Deno.test("bash completes the words that an option takes", async () => {
  assertEquals(await offered("run", "a", "--on-lost", ""), ["kill", "warn"]);
  assertEquals(await offered("acquire", "a", "--on-expiry", "ve"), ["verify"]);
  assertEquals(await offered("status", "-o", "j"), ["json"]);
  assertEquals(await offered("completion", "f"), ["fish"]);
});

Deno.test("after -- bash completes a command of the system, then files", async () => {
  assert((await offered("run", "a", "--", "bas")).includes("bash"));
  assertEquals(await offered("run", "a", "--", "ls", "/etc/host"), await offeredFiles());
});

async function offeredFiles(): Promise<string[]> {
  const { stdout } = await new Deno.Command("bash", { args: ["-c", "compgen -f /etc/host"] })
    .output();
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

Deno.test("every command and every option of it is in every script", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = completionScript(shell, specs);
    for (const spec of specs) {
      assertStringIncludes(script, spec.name);
      for (const flag of spec.groups.flatMap((group) => group.flags)) {
        const name = /--([a-z-]+)/.exec(flag.flags)?.[1] ?? "";
        assertStringIncludes(script, shell === "fish" ? `-l ${name}` : `--${name}`);
      }
    }
  }
});

for (const shell of ["zsh", "fish"] as const) {
  Deno.test({
    name: `${shell} can read its script`,
    ignore: !await isThere(shell),
    fn: async () => {
      const file = await Deno.makeTempFile();
      await Deno.writeTextFile(file, completionScript(shell, specs));
      const { stderr, code } = await new Deno.Command(shell, { args: ["-n", file] }).output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      await Deno.remove(file);
    },
  });
}

async function isThere(shell: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${shell}`] })
    .output();
  return success;
}
