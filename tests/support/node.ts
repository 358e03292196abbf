/** A Node for tests of the bundle on it. */

let found: Promise<string | null> | undefined;

/** The path of a Node that is new enough: the one on PATH, else one that npx has or gets; null where there is none. */
export function findNode(): Promise<string | null> {
  return found ??= search();
}

async function search(): Promise<string | null> {
  const print = ["-p", "process.version + ' ' + process.execPath"];
  for (const [command = "", ...args] of [["node"], ["npx", "-y", "node@24"]]) {
    const said = await new Deno.Command(command, { args: [...args, ...print], stdin: "null" })
      .output().then(({ stdout }) => new TextDecoder().decode(stdout), () => "");
    const [, major, minor, path] = /^v(\d+)\.(\d+)\S* (.*)$/m.exec(said) ?? [];
    if (path && (Number(major) > 22 || (Number(major) === 22 && Number(minor) >= 13))) return path;
  }
  return null;
}
