import process from "node:process";
import { cliMain } from "./lib/cli/main.ts";

process.exit(await cliMain(process.argv.slice(2)));
