import { runService } from "@aimass/core";
import { startAuth } from "./app.ts";
import { readAuthConfig } from "./config.ts";

await runService("auth", (env) => startAuth(readAuthConfig(env)));
