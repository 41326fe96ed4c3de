import { fileURLToPath } from "node:url";
import { SessionService } from "@aimass/api/auth";
import { type Environment, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { listen } from "@aimass/h2";
import { ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient } from "@aimass/rpc";
import { createTelemetry, serveAdmin } from "@aimass/telemetry";
import { loadAssets } from "./assets/assets.ts";
import type { ConsoleConfig } from "./config.ts";
import { createDoor } from "./door.ts";
import { createConsoleMetrics } from "./metrics.ts";
import { BrowserSessions } from "./sessions/browser-sessions.ts";

const staticFolder = fileURLToPath(new URL("../static", import.meta.url));

/** Builds and starts the console. */
export async function startConsole(config: ConsoleConfig, env: Environment): Promise<RunningService> {
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, systemClock);
  const telemetry = createTelemetry({ service: "console", instance: identity.instance, env });
  const sessionService = createServiceClient(SessionService, { addresses: config.authAddresses, identity, telemetry });
  const door = createDoor({
    identity,
    assets: await loadAssets(staticFolder),
    sessions: new BrowserSessions(sessionService, { secureCookies: config.secureCookies }),
    metrics: createConsoleMetrics(telemetry.metrics),
    log: telemetry.log.scope("console.door"),
  });
  const listener = await listen({ listen: config.listen, handler: door });
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready: () => true });
  return {
    addresses: { rpc: formatAddress(listener.address), admin: formatAddress(admin.address) },
    async stop(graceMs) {
      await listener.drain(graceMs);
      closeServiceClients();
      await admin.close();
      await telemetry[Symbol.asyncDispose]();
    },
  };
}
