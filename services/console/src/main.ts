import { runService } from "@aimass/core";
import { startConsole } from "./app.ts";
import { readConsoleConfig } from "./config.ts";

await runService("console", (env) => startConsole(readConsoleConfig(env), env));
