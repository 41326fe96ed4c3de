import { runService } from "@aimass/core";
import { startRouter } from "./app.ts";
import { readRouterConfig } from "./config.ts";

await runService("router", (env) => startRouter(readRouterConfig(env), env));
