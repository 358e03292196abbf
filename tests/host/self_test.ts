import { assertEquals } from "@std/assert";
import { helperEnvironment, selfCommand } from "../../lib/host/self.ts";

const nothing = { execPath: "/bin/it", argv: ["/bin/it", "/src/main.ts"], execArgv: [] };

Deno.test("a compiled binary starts itself again by its own path alone", () => {
  const deno = { standalone: true, mainModule: "file:///tmp/embedded/main.ts" };
  assertEquals(selfCommand("__mode", ["a"], { ...nothing, deno }), {
    command: "/bin/it",
    args: ["__mode", "a"],
  });
});

Deno.test("under deno run the main module is run again", () => {
  const deno = { standalone: false, mainModule: "file:///src/a%20b/main.ts" };
  assertEquals(selfCommand("__mode", ["a"], { ...nothing, deno }), {
    command: "/bin/it",
    args: ["run", "-A", "-q", "/src/a b/main.ts", "__mode", "a"],
  });
});

Deno.test("under deno run of a module from elsewhere its address is run again", () => {
  const deno = { standalone: false, mainModule: "https://example.com/main.js" };
  assertEquals(selfCommand("__mode", [], { ...nothing, deno }).args, [
    "run",
    "-A",
    "-q",
    "https://example.com/main.js",
    "__mode",
  ]);
});

Deno.test("on Node the script is run again with Node's own options, but for a debugger's", () => {
  const execArgv = ["--max-old-space-size=64", "--inspect=9229"];
  assertEquals(selfCommand("__mode", ["a"], { ...nothing, execArgv, deno: null }), {
    command: "/bin/it",
    args: ["--max-old-space-size=64", "/src/main.ts", "__mode", "a"],
  });
});

Deno.test("the running program finds a command for itself", () => {
  const { command, args } = selfCommand("__mode");
  assertEquals(command, Deno.execPath());
  assertEquals(args.at(-1), "__mode");
  assertEquals(args[0], "run");
});

Deno.test("a helper inherits no secret and no grant, but the CI's own cookie", () => {
  const env = helperEnvironment({
    K8S_LOCK_KUBECONFIG_DATA: "s",
    K8S_LOCK_GRANT: "g",
    RUNNER_TRACKING_ID: "github_1",
    PATH: "/bin",
  });
  assertEquals(env.K8S_LOCK_KUBECONFIG_DATA, undefined);
  assertEquals(env.K8S_LOCK_GRANT, undefined);
  assertEquals(env.RUNNER_TRACKING_ID, "github_1");
  assertEquals(env.PATH, "/bin");
});
