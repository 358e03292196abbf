import process from "node:process";
import { cliMain } from "./lib/cli/main.ts";

// Should it ever end without having said how it went, that was not well.
process.exitCode = 1;
// Not awaited: the bundle is a script, which cannot wait at its top level.
cliMain(process.argv.slice(2)).then((code) => process.exit(code));
