import { runService } from "@aimass/core";
import { createTelemetry } from "@aimass/telemetry";
import { startAgent } from "./agent/agent-app.ts";
import { readAgentConfig } from "./agent/agent-config.ts";

await runService("inference-agent", async (env) => {
  const config = readAgentConfig(env);
  return startAgent(config, createTelemetry({ service: "inference-agent", instance: config.node, env }));
});
