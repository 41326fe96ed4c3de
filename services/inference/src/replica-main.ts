import { runService } from "@aimass/core";
import { createTelemetry } from "@aimass/telemetry";
import { startReplica } from "./replica/replica-app.ts";
import { readReplicaConfig } from "./replica/replica-config.ts";

await runService(
  "inference",
  async (env) => {
    const config = readReplicaConfig(env);
    return startReplica(
      config,
      createTelemetry({ service: "inference", instance: config.replicaId ?? config.node, env }),
    );
  },
  // An agent's replicas go on without it, and are found by the next.
  { endsWithParent: process.env.AIMASS_AGENT_LOCK === undefined },
);
