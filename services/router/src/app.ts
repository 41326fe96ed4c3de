import { join } from "node:path";
import {
  type Address,
  AimassError,
  type Environment,
  formatAddress,
  type RunningService,
  systemClock,
} from "@aimass/core";
import { type Listener, listen } from "@aimass/h2";
import { PolicyStore, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, followPolicy } from "@aimass/rpc";
import { createTelemetry, serveAdmin } from "@aimass/telemetry";
import packageJson from "../package.json" with { type: "json" };
import type { RouterConfig } from "./config.ts";
import { createDataPlane, type DataPlane } from "./data-plane.ts";
import { followRoutes } from "./routes/follow-routes.ts";
import { RouteTable } from "./routes/route-table.ts";

/** Starts a router: it listens once what it had saved is read, and answers as soon as it has routes and a policy, from disk or from the mesh. */
export async function startRouter(config: RouterConfig, env: Environment): Promise<RunningService> {
  const clock = systemClock;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = createTelemetry({ service: "router", instance: identity.instance, env });
  const stopping = new AbortController();
  const policy = new PolicyStore({ identity, clock });
  const table = new RouteTable(clock);
  const plane = createDataPlane({ config, policy, table, identity, clock, telemetry, version: packageJson.version });
  const shared = { identity, clock, telemetry, signal: stopping.signal };
  const stateFile = (name: string) =>
    config.stateDirectory === undefined ? undefined : join(config.stateDirectory, name);
  const policyFile = stateFile("policy.bin");
  const routesFile = stateFile("routes.bin");
  await Promise.all([
    policyFile === undefined ? undefined : policy.load(policyFile),
    routesFile === undefined ? undefined : table.load(routesFile),
  ]);
  const following = [
    followPolicy({
      ...shared,
      addresses: config.backends.auth,
      enforcerId: identity.name,
      store: policy,
      ...(policyFile !== undefined && { stateFile: policyFile }),
    }),
    followRoutes({ ...shared, addresses: config.backends.scheduler, table, stateFile: routesFile }),
  ];
  const listeners = await openDoors(config, plane);
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready: () => plane.info.ready() });
  const tritonMetrics =
    config.tritonMetricsListen === undefined
      ? undefined
      : await serveAdmin({
          listen: config.tritonMetricsListen,
          telemetry,
          ready: () => plane.info.ready(),
          metrics: () => plane.tritonMetrics.text(),
          variable: "AIMASS_TRITON_METRICS_LISTEN",
        });
  const addresses = listeners.map((listener) => formatAddress(listener.address));
  telemetry.log.info("router started", { addresses });
  return {
    addresses: { rpc: addresses[0] as string, doors: addresses.join(","), admin: formatAddress(admin.address) },
    async stop(graceMs) {
      plane.info.drain();
      await Promise.all(listeners.map((listener) => listener.drain(graceMs)));
      stopping.abort();
      await Promise.all(following);
      closeServiceClients();
      plane[Symbol.dispose]();
      await admin.close();
      await tritonMetrics?.close();
      await telemetry[Symbol.asyncDispose]();
    },
  };
}

/** Opens every port or none. */
async function openDoors(config: RouterConfig, plane: DataPlane): Promise<Listener[]> {
  const open: Listener[] = [];
  for (const address of config.listen) {
    try {
      open.push(
        await listen({ ...listenOptions(config), listen: address, idle: plane.idle, handler: plane.door.handle }),
      );
    } catch (error) {
      await Promise.all(open.map((listener) => listener.drain(0)));
      throw cannotListen(address, error);
    }
  }
  return open;
}

function listenOptions({ limits, tls }: RouterConfig) {
  return { maxConnectionAgeMs: limits.connectionAgeMs, ...(tls !== undefined && { tls }) };
}

function cannotListen(address: Address, cause: unknown): AimassError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
  return new AimassError("FAILED_PRECONDITION", `The router cannot listen on ${formatAddress(address)} (${code}).`, {
    remedy: "Free the port (on macOS, AirPlay takes 5000), or set AIMASS_LISTEN to others.",
    cause,
  });
}
