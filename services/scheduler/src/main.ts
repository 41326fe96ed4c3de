import { runService } from "@aimass/core";
import { startScheduler } from "./app.ts";
import { readSchedulerConfig } from "./config.ts";

await runService("scheduler", (env) => startScheduler(readSchedulerConfig(env)));
