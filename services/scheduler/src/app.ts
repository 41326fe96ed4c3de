import { join } from "node:path";
import { DeploymentService, FleetService, type ReplicaExit, ReplicaService, RouteService } from "@aimass/api/scheduler";
import { formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { ServiceIdentity } from "@aimass/identity";
import { followPolicy, type RpcServer, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin } from "@aimass/telemetry";
import { ReadGrants } from "./assignments/read-grants.ts";
import { Changes } from "./changes.ts";
import type { SchedulerConfig } from "./config.ts";
import type { SchedulerDatabase } from "./database.ts";
import { nodeAttachment, replicaAttachment } from "./fleet/postgres-fleet.ts";
import { migrations } from "./migrations/index.ts";
import { createParts, type Ground, type Parts } from "./parts.ts";
import { createDeploymentService } from "./rpc/deployment-service.ts";
import { createFleetService } from "./rpc/fleet-service.ts";
import { createReplicaService } from "./rpc/replica-service.ts";
import { createRouteService } from "./rpc/route-service.ts";

/** Roles of the services that are not for users. */
const allowedRoles = new Map<string, readonly string[]>([
  [ReplicaService.typeName, ["inference"]],
  [RouteService.typeName, ["router"]],
]);

/** Builds the scheduler and starts it. */
export async function startScheduler(config: SchedulerConfig): Promise<RunningService> {
  await using resources = new AsyncDisposableStack();
  const parts = createParts(await openGround(config, resources));
  const { telemetry, routes } = parts;
  const stopping = new AbortController();
  resources.defer(() => stopping.abort());
  const running = run(parts, stopping.signal);
  const server = await serve(parts, stopping.signal);
  resources.defer(() => server.drain(0));
  const ready = () => routes.version !== undefined || "The routes have not been read from the database yet.";
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });
  const held = resources.move();
  return {
    addresses: { rpc: formatAddress(server.address), admin: formatAddress(admin.address) },
    async stop(graceMs) {
      stopping.abort();
      await server.drain(graceMs);
      await running;
      await admin.close();
      await held.disposeAsync();
    },
    failed: running.then(() => new Promise<never>(() => {})),
  };
}

/** Opens what the parts stand on; all of it is released with `resources`. */
async function openGround(config: SchedulerConfig, resources: AsyncDisposableStack): Promise<Ground> {
  const clock = systemClock;
  const { databaseUrl, natsUrl, env } = config;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = resources.use(createTelemetry({ service: "scheduler", instance: identity.instance, env }));
  const log = telemetry.log.scope("scheduler");
  const onError = (error: unknown) => log.debug("a database connection broke", { error });
  const store = resources.use(
    await openStore<SchedulerDatabase>({ url: databaseUrl, schema: "scheduler", migrations, clock, onError }),
  );
  const bus = resources.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const changes = resources.use(await Changes.listen(store));
  return { config, clock, identity, telemetry, store, bus, changes };
}

/** All that goes on by itself until the signal. */
function run(parts: Parts, signal: AbortSignal): Promise<unknown> {
  const { config, identity, policy, changes, clock, telemetry, leader, routes, assignments, dedicated } = parts;
  const stateFile = config.stateDirectory === undefined ? {} : { stateFile: join(config.stateDirectory, "policy") };
  const enforcer = {
    addresses: config.authAddresses,
    identity,
    enforcerId: identity.name,
    store: policy,
    ...stateFile,
  };
  const log = telemetry.log.scope("scheduler.assignments");
  const feedOptions = { changes, clock, log, tickMs: parts.feedTickMs, signal };
  return Promise.all([
    followPolicy({ ...enforcer, clock, telemetry, signal }),
    leader.run(signal),
    routes.run(signal),
    assignments.run(feedOptions),
    dedicated.run(feedOptions),
  ]);
}

function serve(parts: Parts, stopping: AbortSignal): Promise<RpcServer> {
  const { config, identity, policy, telemetry, clock, store, changes, routes, quarantine } = parts;
  const { timings } = config;
  const shared = { store, changes, policy, clock };
  const replicas = {
    assignments: parts.assignments,
    dedicated: parts.dedicated,
    grants: new ReadGrants({ identity, read: parts.readAssignments, clock }),
    identity,
    openReplica: () => replicaAttachment(store, changes, timings),
    openNode: () => nodeAttachment(store, changes, timings),
    recordExits: (exits: readonly ReplicaExit[]) => quarantine.record(exits),
    clock,
    log: telemetry.log.scope("scheduler.fleet"),
    renewMs: timings.leaseMs / 4,
    silentMs: timings.silentMs,
    stopping,
  };
  return serveRpc({
    name: "scheduler",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [DeploymentService, FleetService, ReplicaService, RouteService],
    allowRoles: (service) => allowedRoles.get(service.typeName),
    routes(router) {
      router.service(DeploymentService, createDeploymentService({ ...parts, timings }));
      router.service(FleetService, createFleetService({ ...shared, quarantine }));
      router.service(RouteService, createRouteService(routes));
      router.service(ReplicaService, createReplicaService(replicas));
    },
  });
}
