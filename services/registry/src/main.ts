import { runService } from "@aimass/core";
import { startRegistry } from "./app.ts";
import { readRegistryConfig } from "./config.ts";

await runService("registry", (env) => startRegistry(readRegistryConfig(env), env));
