import { runService } from "@aimass/core";
import { startTrainer } from "./app.ts";
import { readTrainerConfig } from "./config.ts";

await runService("trainer", (env) => startTrainer(readTrainerConfig(env), env));
