/** The action's install step against a server of the test's own: what is right is installed, and nothing else is. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { tarGz } from "../../tools/release/archive.ts";

const SCRIPT = await Deno.readTextFile(new URL("../../action/install.sh", import.meta.url));
const SYSTEM = { linux: "linux", darwin: "macos" }[Deno.build.os as string] ?? Deno.build.os;
const PLATFORM = `${SYSTEM}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
const ASSET = `/v4.0.1/k8s-lock-${PLATFORM}.tar.gz`;

const bytes = (text: string) => new TextEncoder().encode(text);
/** An archive with a program that says a version; random, so as not to be packed to nothing. */
const program = (version: string, length = 20_000) => {
  const content = bytes(`#!/bin/sh\necho ${version}\n# ${randomText(length)}\n`);
  return tarGz([{ name: "k8s-lock", content, executable: true }], 1);
};
/** One that is none of ours, and not shorter, which would be taken for a part of ours. */
const other = (version: string) => program(version, 30_000);
const ARCHIVE = program("4.0.1");
const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");

function randomText(length: number): string {
  const random = crypto.getRandomValues(new Uint8Array(length / 2));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Answer = (request: Request, nth: number) => Response | Promise<Response>;

/** An action as it was released, a server with its assets, and a runner's folders. */
class Site implements AsyncDisposable {
  /** The paths that the server was asked for. */
  readonly asked: string[] = [];
  readonly #over = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(readonly folder: string, answer: Answer) {
    this.#server = Deno.serve(
      {
        port: 0,
        hostname: "127.0.0.1",
        signal: this.#over.signal,
        onListen: () => {},
        onError: () => new Response("broken", { status: 500 }),
      },
      (request) => {
        this.asked.push(new URL(request.url).pathname);
        return answer(request, this.asked.length);
      },
    );
  }

  static async create(
    answer: Answer,
    stamped = `repository acme/k8s-lock
version 4.0.1
${PLATFORM} ${sha256(ARCHIVE)} ${ARCHIVE.length}
`,
  ): Promise<Site> {
    const folder = await mkdtemp(join(tmpdir(), "k8s-lock-install-"));
    for (const name of ["action", "stubs", "tools", "job"]) await Deno.mkdir(join(folder, name));
    await Deno.writeTextFile(join(folder, "action/install.sh"), SCRIPT);
    await Deno.writeTextFile(join(folder, "action/release.txt"), stamped);
    const site = new Site(folder, answer);
    // Between the tries nobody sleeps, but how long they would have is written down.
    await site.stub("sleep", `echo "$1" >>"${folder}/pauses"`);
    return site;
  }

  /** A command that is found instead of the system's. */
  async stub(name: string, script: string): Promise<void> {
    const file = join(this.folder, "stubs", name);
    await Deno.writeTextFile(file, `#!/bin/sh\n${script}\n`);
    await Deno.chmod(file, 0o755);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }
  get cached(): string {
    return join(this.folder, "tools/k8s-lock/4.0.1", PLATFORM.split("-")[1] ?? "", ASSET.slice(8));
  }
  get installed(): string {
    return join(this.folder, "job/bin/k8s-lock");
  }

  command(env: Readonly<Record<string, string>>, shell = "sh"): Deno.Command {
    return new Deno.Command(shell, {
      args: [join(this.folder, "action/install.sh")],
      env: {
        PATH: `${join(this.folder, "stubs")}:${Deno.env.get("PATH")}`,
        K8S_LOCK_ACTION_FOLDER: join(this.folder, "job"),
        K8S_LOCK_ACTION_DOWNLOAD_URL: this.url,
        K8S_LOCK_ACTION_STALL_SECONDS: "1",
        GITHUB_PATH: join(this.folder, "path"),
        GITHUB_ACTIONS: "true",
        RUNNER_TOOL_CACHE: join(this.folder, "tools"),
        ...env,
      },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async install(env: Readonly<Record<string, string>> = {}, shell = "sh"): Promise<Ended> {
    const { code, stdout, stderr } = await this.command(env, shell).output();
    const text = (output: Uint8Array) => new TextDecoder().decode(output);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  /** Installs, and expects that it is refused with one error, which is returned, and that nothing is left. */
  async refused(env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, stdout, stderr } = await this.install(env);
    assertEquals(code, 1, stdout + stderr);
    const errors = stdout.split("\n").filter((line) => line.startsWith("::error "));
    assertEquals(errors.length, 1, stdout + stderr);
    assertMatch(errors[0] ?? "", /^::error title=k8s-lock::/);
    await this.nothingIsLeft();
    return errors[0] ?? "";
  }

  async nothingIsLeft(): Promise<void> {
    const left = (await readdir(join(this.folder, "job"), { recursive: true }))
      .filter((name) => name !== "bin");
    assertEquals(left, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#server.finished;
    await rm(this.folder, { recursive: true, force: true });
  }
}

const ok: Answer = (request) =>
  new URL(request.url).pathname === ASSET
    ? new Response(ARCHIVE as BodyInit)
    : new Response("none", { status: 404 });

for (const shell of ["sh", "bash"]) {
  Deno.test(`with ${shell}: what was published is installed, on PATH, and nothing beside it`, async () => {
    await using site = await Site.create(ok);
    const { code, stdout, stderr } = await site.install({}, shell);
    assertEquals([code, stderr], [0, ""], stdout);
    assertStringIncludes(stdout, "k8s-lock 4.0.1 is installed");
    const { stdout: said } = await new Deno.Command(site.installed).output();
    assertEquals(new TextDecoder().decode(said), "4.0.1\n");
    assertEquals(
      await Deno.readTextFile(join(site.folder, "path")),
      join(site.folder, "job/bin") + "\n",
    );
    assertEquals(await readdir(join(site.folder, "job")), ["bin"]);
    assertEquals(site.asked, [ASSET]);
    assertEquals(sha256(await Deno.readFile(site.cached)), sha256(ARCHIVE));
  });
}

Deno.test("without download_url it is asked for at github.com, by TLS 1.2 at least, with no token", async () => {
  await using site = await Site.create(ok);
  await site.stub(
    "curl",
    `printf '%s\\n' "$@" >"${site.folder}/args"; cat >"${site.folder}/config"; exit 7`,
  );
  const error = await site.refused({
    K8S_LOCK_ACTION_DOWNLOAD_URL: "",
    GITHUB_SERVER_URL: "https://ghes.example",
    GITHUB_ACTION_REF: "v9",
    GITHUB_TOKEN: "secret",
    K8S_LOCK_ACTION_STALL_SECONDS: "",
  });
  const url = `https://github.com/acme/k8s-lock/releases/download${ASSET}`;
  assertStringIncludes(error, url);
  assertEquals(await Deno.readTextFile(`${site.folder}/config`), `url = "${url}"\n`);
  const args = await Deno.readTextFile(`${site.folder}/args`);
  assertStringIncludes(args, "--tlsv1.2\n");
  assertStringIncludes(args, "--proto\n=https\n--proto-redir\n=https\n");
});

Deno.test("a file other than the published one is not run, and both hashes are said", async () => {
  const wrong = other("6.6.6");
  await using site = await Site.create(() => new Response(wrong as BodyInit));
  const error = await site.refused();
  assertStringIncludes(error, sha256(wrong));
  assertStringIncludes(error, sha256(ARCHIVE));
  assertEquals(site.asked.length, 1, "another try would bring the same");
  assertEquals(await readdir(join(site.folder, "tools")), [], "it is not kept either");
});

Deno.test("a login page in place of the file is called one", async () => {
  const page = `<!doctype html>${randomText(40_000)}`;
  await using site = await Site.create(() => new Response(page));
  assertStringIncludes(await site.refused(), "looks like a web page");
});

Deno.test("an asset that is missing is said at once, with its address", async () => {
  await using site = await Site.create(() => new Response("none", { status: 404 }));
  const error = await site.refused();
  assertMatch(error, /there is no such file \(HTTP 404\)/);
  assertStringIncludes(error, `${site.url}${ASSET}`);
  assertStringIncludes(error, "`download_url`");
  assertEquals(site.asked.length, 1);
});

Deno.test("a server that has trouble is asked again, ever later, and then works or not", async () => {
  await using site = await Site.create((request, nth) =>
    nth < 4 ? new Response("busy", { status: 503 }) : ok(request, nth)
  );
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /HTTP 503; trying again in 1 s/);
  assertEquals(await Deno.readTextFile(join(site.folder, "pauses")), "1\n2\n4\n");

  await using broken = await Site.create(() => new Response("busy", { status: 503 }));
  assertStringIncludes(await broken.refused(), "HTTP 503");
  assertEquals(broken.asked.length, 5);
});

Deno.test("nobody listening is tried again, and then said", async () => {
  await using site = await Site.create(ok);
  const error = await site.refused({ K8S_LOCK_ACTION_DOWNLOAD_URL: "http://127.0.0.1:1" });
  assertMatch(error, /no answer \(.*127\.0\.0\.1/);
  assertEquals(await Deno.readTextFile(join(site.folder, "pauses")), "1\n2\n4\n8\n");
});

Deno.test("a download that is cut off is tried again, and then called truncated", async () => {
  const half = ARCHIVE.slice(0, ARCHIVE.length / 2);
  // Whole for all that HTTP says, as behind some proxies.
  await using site = await Site.create((request, nth) =>
    nth === 1 ? new Response(half as BodyInit) : ok(request, nth)
  );
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, `truncated: ${half.length} of ${ARCHIVE.length} bytes`);

  await using always = await Site.create(() => new Response(half as BodyInit));
  assertStringIncludes(await always.refused(), `truncated: ${half.length} of`);
  assertEquals(always.asked.length, 5);
});

Deno.test("a connection that breaks, or stands still, in the middle of the file is tried again", async () => {
  const sent = Promise.withResolvers<void>();
  await using site = await Site.create((request, nth) => {
    if (nth > 2) return ok(request, nth);
    let pulls = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulls++;
        if (pulls === 1) return controller.enqueue(ARCHIVE.slice(0, 1000));
        if (nth === 1) throw new Error("broken");
        sent.resolve();
        return new Promise<void>(() => {});
      },
    });
    return new Response(body, { headers: { "content-length": String(ARCHIVE.length) } });
  });
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  await sent.promise;
  assertEquals(stdout.match(/the download was cut off: \d+ of \d+ bytes/g)?.length, 2, stdout);
});

Deno.test("without curl, wget does the same", async () => {
  await using site = await Site.create((request, nth) =>
    nth === 1 ? new Response("busy", { status: 503 }) : ok(request, nth)
  );
  // A PATH with all that is needed but curl.
  const tools =
    "sh cat cp cut chmod dirname getconf grep gzip head ldd mkdir mktemp mv rm sed sha256sum tail tar tr uname wc wget";
  for (const tool of tools.split(" ")) {
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${tool}`] })
      .output();
    const found = new TextDecoder().decode(stdout).trim();
    if (found.startsWith("/")) await Deno.symlink(found, join(site.folder, "stubs", tool));
  }
  const PATH = join(site.folder, "stubs");
  const { code, stdout, stderr } = await site.install({ PATH });
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, "HTTP 503; trying again");
  await Deno.remove(join(site.folder, "stubs/wget"));
  await rm(join(site.folder, "tools"), { recursive: true });
  await rm(join(site.folder, "job"), { recursive: true });
  assertStringIncludes(await site.refused({ PATH }), "neither curl nor GNU wget");
});

Deno.test("a second job takes it from the tool cache, and asks nobody", async () => {
  await using site = await Site.create(ok);
  await site.install();
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, "from the tool cache");
  assertEquals(site.asked.length, 1);
  await rm(join(site.folder, "tools"), { recursive: true });
  assertEquals((await new Deno.Command(site.installed).output()).code, 0, "it is a copy");
});

Deno.test("a poisoned tool cache is not used, is warned of and replaced", async () => {
  await using site = await Site.create(ok);
  await site.install();
  await Deno.writeFile(site.cached, other("6.6.6"));
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  assertMatch(
    stdout,
    /^::warning title=k8s-lock::the file in the tool cache is not the published one/m,
  );
  assertStringIncludes(stdout, "k8s-lock 4.0.1 is installed");
  assertEquals(sha256(await Deno.readFile(site.cached)), sha256(ARCHIVE));
});

Deno.test("what others have put into the tool cache is neither waited for nor written through", async () => {
  await using site = await Site.create(ok);
  await site.install();
  await rm(site.cached);
  // It would be read to its end, which never comes.
  assertEquals((await new Deno.Command("mkfifo", { args: [site.cached] }).output()).code, 0);
  const victim = join(site.folder, "victim");
  await Deno.writeTextFile(victim, "mine");
  // A process's number can be guessed, and two containers with one tool cache have the same ones.
  await site.stub("uname", `ln -sf '${victim}' '${site.cached}'.$PPID; exec /bin/uname "$@"`);
  const { code, stdout } = await site.install();
  assertEquals(code, 0, stdout);
  assertEquals(await Deno.readTextFile(victim), "mine");
  assertEquals(sha256(await Deno.readFile(site.cached)), sha256(ARCHIVE));
  assertEquals((Deno.statSync(site.cached).mode ?? 0) & 0o777, 0o644);
});

Deno.test("a tool cache that cannot be written to is no failure, and one that GitHub throws away is left alone", async () => {
  await using site = await Site.create(ok);
  const { code, stdout } = await site.install({ RUNNER_TOOL_CACHE: "/dev/null" });
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, "the tool cache cannot be written to");
  assertEquals((await site.install({ RUNNER_ENVIRONMENT: "github-hosted" })).code, 0);
  assertEquals(await readdir(join(site.folder, "tools")), []);
});

Deno.test("musl is refused before anything is fetched, with what works there", async () => {
  await using site = await Site.create(ok);
  await site.stub("uname", `[ "$1" = -s ] && echo Linux || echo x86_64`);
  await site.stub("ldd", 'echo "musl libc (x86_64)" >&2; exit 1');
  const error = await site.refused();
  assertMatch(error, /musl.*glibc.*npx k8s-lock/);
  assertEquals(site.asked, []);
});

Deno.test("an architecture or a system that nothing is published for is named", async () => {
  await using site = await Site.create(ok);
  await site.stub("uname", `[ "$1" = -s ] && echo Linux || echo riscv64`);
  assertMatch(await site.refused(), /architecture riscv64/);
  await site.stub("getconf", "echo 32");
  await site.stub("uname", `[ "$1" = -s ] && echo Linux || echo aarch64`);
  assertMatch(await site.refused(), /32-bit system on aarch64/);
  await site.stub("uname", `[ "$1" = -s ] && echo FreeBSD || echo amd64`);
  assertMatch(await site.refused(), /system FreeBSD/);
  assertEquals(site.asked, []);
});

Deno.test("each system's archive is asked for by its name", async () => {
  for (
    const [system, machine, archive] of [
      ["Linux", "aarch64", "linux-arm64"],
      ["Linux", "x86_64", "linux-x64"],
      ["Darwin", "arm64", "macos-arm64"],
      ["Darwin", "x86_64", "macos-x64"],
      ["MINGW64_NT-10.0-26100", "x86_64", "windows-x64"],
    ]
  ) {
    const stamped = `repository a/b\nversion 4.0.1\n${archive} ${"0".repeat(64)} 1`;
    await using site = await Site.create(() => new Response("", { status: 404 }), stamped);
    await site.stub("uname", `[ "$1" = -s ] && echo ${system} || echo ${machine}`);
    await site.stub("ldd", 'echo "ldd (GNU libc) 2.36"');
    await site.stub("getconf", "echo 64");
    await site.refused();
    assertEquals(site.asked, [`/v4.0.1/k8s-lock-${archive}.tar.gz`]);
  }
});

Deno.test("on Windows the runner's word for the architecture counts: its bash is emulated on ARM", async () => {
  const stamped = `repository a/b\nversion 4.0.1\nwindows-arm64 ${"0".repeat(64)} 1`;
  await using site = await Site.create(() => new Response("", { status: 404 }), stamped);
  await site.stub("uname", `[ "$1" = -s ] && echo MINGW64_NT-10.0 || echo x86_64`);
  await site.refused({ RUNNER_ARCH: "ARM64" });
  assertEquals(site.asked, ["/v4.0.1/k8s-lock-windows-arm64.tar.gz"]);
});

Deno.test("the action of a branch says what to use instead, and works with version and sha256", async () => {
  const stamped = await Deno.readTextFile(new URL("../../action/release.txt", import.meta.url));
  assertStringIncludes(stamped, "version unreleased");
  await using site = await Site.create(ok, stamped);
  const error = await site.refused();
  assertMatch(error, /action of a branch or of a fork.*@v4.*`binary`.*`version` and `sha256`/);
  assertStringIncludes(await site.refused({ K8S_LOCK_ACTION_VERSION: "4.0.1" }), "of a branch");
  const env = { K8S_LOCK_ACTION_VERSION: "v4.0.1", K8S_LOCK_ACTION_SHA256: sha256(ARCHIVE) };
  const error2 = await site.refused({ ...env, K8S_LOCK_ACTION_DOWNLOAD_URL: "" });
  assertStringIncludes(error2, "does not know where it is published");
  assertEquals(site.asked, []);
  const { code, stdout } = await site.install(env);
  assertEquals(code, 0, stdout);
});

Deno.test("another version than the action's own is checked by the hash that the user gives, or not taken", async () => {
  const newer = other("4.0.2");
  await using site = await Site.create(() => new Response(newer as BodyInit));
  const env = { K8S_LOCK_ACTION_VERSION: "4.0.2" };
  assertMatch(
    await site.refused(env),
    /brings k8s-lock 4\.0\.1.*cannot check 4\.0\.2.*@v4\.0\.2.*SHA256SUMS/,
  );
  assertEquals(site.asked, []);
  const sum = sha256(newer);
  assertMatch(
    await site.refused({ ...env, K8S_LOCK_ACTION_SHA256: sha256(ARCHIVE) }),
    /is NOT the k8s-lock 4\.0\.2/,
  );
  const { code, stdout } = await site.install({
    ...env,
    K8S_LOCK_ACTION_SHA256: sum.toUpperCase(),
  });
  assertEquals(code, 0, stdout);
  assertEquals(
    (await site.install({ K8S_LOCK_ACTION_VERSION: "v4.0.1" })).code,
    1,
    "4.0.2 is served",
  );
});

Deno.test("inputs that are none of their kind are refused, and cannot write commands to the runner", async () => {
  await using site = await Site.create(ok);
  const hash = "a".repeat(64);
  for (
    const [env, part] of [
      [{ K8S_LOCK_ACTION_SHA256: "abc" }, "64 hexadecimal digits"],
      [{ K8S_LOCK_ACTION_SHA256: hash.replace("a", "g") }, "64 hexadecimal digits"],
      [{ K8S_LOCK_ACTION_VERSION: "../4", K8S_LOCK_ACTION_SHA256: hash }, "not a version"],
      [{ K8S_LOCK_ACTION_VERSION: "latest", K8S_LOCK_ACTION_SHA256: hash }, "not a version"],
      [{ K8S_LOCK_ACTION_DOWNLOAD_URL: "ftp://127.0.0.1/x" }, "begins with https://"],
      [{ K8S_LOCK_ACTION_DOWNLOAD_URL: 'https://x"\noutput = "y' }, "has a blank, a quote"],
      [
        { K8S_LOCK_ACTION_BINARY: "/nowhere/100%\n::set-env::x" },
        "/nowhere/100%25 ::set-env::x, which is no file",
      ],
      [{ K8S_LOCK_ACTION_FOLDER: "" }, "K8S_LOCK_ACTION_FOLDER is not set"],
    ] as const
  ) {
    assertStringIncludes(await site.refused(env), part);
  }
  assertEquals(site.asked, []);
});

Deno.test("a mirror's password is used, and is neither shown nor an argument of a process", async () => {
  let authorization: string | null = null;
  await using site = await Site.create((request) => {
    authorization = request.headers.get("authorization");
    return new Response("no", { status: 403 });
  });
  const curl = (await new Deno.Command("sh", { args: ["-c", "command -v curl"] }).output()).stdout;
  const real = new TextDecoder().decode(curl).trim();
  await site.stub("curl", `printf '%s\\n' "$@" >"${site.folder}/args"; exec ${real} "$@"`);
  const K8S_LOCK_ACTION_DOWNLOAD_URL = site.url.replace("//", "//deployer:hunter2@") + "/";
  const { stdout, stderr } = await site.install({ K8S_LOCK_ACTION_DOWNLOAD_URL });
  assertEquals(authorization, `Basic ${btoa("deployer:hunter2")}`);
  assertStringIncludes(stdout, "the server refuses (HTTP 403)");
  assert(!(stdout + stderr + await Deno.readTextFile(`${site.folder}/args`)).includes("hunter2"));
});

Deno.test("a binary on the machine is copied, its hash checked where one is given, and nothing is fetched", async () => {
  await using site = await Site.create(ok, "repository a/b\nversion unreleased\n");
  const file = join(site.folder, "my k8s-lock");
  const content = bytes("#!/bin/sh\necho 4.2.0\n");
  await Deno.writeFile(file, content);
  const env = { K8S_LOCK_ACTION_BINARY: file };
  const wrong = await site.refused({ ...env, K8S_LOCK_ACTION_SHA256: "0".repeat(64) });
  assertStringIncludes(wrong, sha256(content));
  const { code, stdout } = await site.install({ ...env, K8S_LOCK_ACTION_SHA256: sha256(content) });
  assertEquals([code, stdout], [0, "k8s-lock 4.2.0 is installed.\n"]);
  await Deno.remove(file);
  assertEquals((await new Deno.Command(site.installed).output()).code, 0);
  assertEquals(site.asked, []);
});

Deno.test("a program that does not run here is said with its own words", async () => {
  await using site = await Site.create(ok);
  const file = join(site.folder, "old");
  await Deno.writeTextFile(file, "#!/bin/sh\necho 'GLIBC_2.99 not found' >&2\nexit 1\n");
  assertMatch(
    await site.refused({ K8S_LOCK_ACTION_BINARY: file }),
    /does not run on this machine: .*GLIBC_2\.99/,
  );
});

Deno.test("a job that is cancelled while it downloads leaves no process and nothing to run", async () => {
  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    const begun = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await using site = await Site.create((request) => {
      begun.resolve();
      request.signal.addEventListener("abort", () => gone.resolve());
      return new Promise<Response>((resolve) =>
        request.signal.addEventListener("abort", () => resolve(new Response()))
      );
    });
    const child = site.command({ K8S_LOCK_ACTION_STALL_SECONDS: "600" }).spawn();
    await begun.promise;
    child.kill(signal);
    const { code } = await child.output();
    assertEquals(code, expected);
    await gone.promise;
    await site.nothingIsLeft();
  }
});

Deno.test("outside of GitHub an error is plain text on stderr", async () => {
  await using site = await Site.create(() => new Response("none", { status: 404 }));
  const { code, stdout, stderr } = await site.install({ GITHUB_ACTIONS: "" });
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^k8s-lock: error: cannot download k8s-lock 4\.0\.1: /);
});
