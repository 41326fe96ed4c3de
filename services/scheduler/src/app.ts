import { join } from "node:path";
import { DeploymentService, FleetService, ReplicaService, RouteService } from "@aimass/api/scheduler";
import { formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { PolicyStore, ServiceIdentity } from "@aimass/identity";
import { followPolicy, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin } from "@aimass/telemetry";
import { ReadGrants } from "./assignments/read-grants.ts";
import { assignmentsFrom, dedicatedFrom, WantedFeed } from "./assignments/wanted-feed.ts";
import { Changes } from "./changes.ts";
import type { SchedulerConfig } from "./config.ts";
import type { SchedulerDatabase } from "./database.ts";
import { Deployments } from "./deployments/postgres-deployments.ts";
import { nodeAttachment, replicaAttachment } from "./fleet/postgres-fleet.ts";
import { Leader } from "./leader/leader.ts";
import { registryLibrary } from "./library/registry-library.ts";
import { createSchedulerMetrics, observeScheduler } from "./metrics.ts";
import { migrations } from "./migrations/index.ts";
import { Quarantine } from "./quarantine/postgres-quarantine.ts";
import { RouteFeed } from "./routes/route-feed.ts";
import { createDeploymentService } from "./rpc/deployment-service.ts";
import { createFleetService } from "./rpc/fleet-service.ts";
import { createReplicaService } from "./rpc/replica-service.ts";
import { createRouteService } from "./rpc/route-service.ts";

const services = [DeploymentService, FleetService, ReplicaService, RouteService];

/** Ticks between two looks of what follows the leader. */
const feedTicks = 10;

/** Roles of the services that are not for users. */
const allowedRoles = new Map<string, readonly string[]>([
  [ReplicaService.typeName, ["inference"]],
  [RouteService.typeName, ["router"]],
]);

/** Builds the scheduler and starts it. */
export async function startScheduler(config: SchedulerConfig): Promise<RunningService> {
  const clock = systemClock;
  const { timings, databaseUrl, natsUrl } = config;
  await using cleanup = new AsyncDisposableStack();
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry = cleanup.use(
    createTelemetry({ service: "scheduler", instance: identity.instance, env: config.env }),
  );
  const log = telemetry.log.scope("scheduler");
  const onError = (error: unknown) => log.debug("a database connection broke", { error });
  const store = cleanup.use(
    await openStore<SchedulerDatabase>({ url: databaseUrl, schema: "scheduler", migrations, clock, onError }),
  );
  const bus = cleanup.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const changes = cleanup.use(await Changes.listen(store));
  const policy = new PolicyStore({ identity, clock });
  const readLibrary = registryLibrary({ addresses: config.registryAddresses, identity, telemetry });
  const deployments = new Deployments(store, changes, bus);
  const quarantine = new Quarantine(store, changes, bus);
  const routes = new RouteFeed({
    store,
    changes,
    clock,
    log: telemetry.log.scope("scheduler.routes"),
    ...timings,
    tickMs: timings.tickMs * feedTicks,
  });
  const readAssignments = assignmentsFrom(store);
  const assignments = new WantedFeed(readAssignments);
  const dedicated = new WantedFeed(dedicatedFrom(store));
  const metrics = createSchedulerMetrics(telemetry.metrics);
  const holder = identity.name;
  const leader = new Leader({
    store,
    changes,
    bus,
    deployments,
    readLibrary,
    holder,
    clock,
    log: telemetry.log.scope("scheduler.leader"),
    metrics,
    timings,
  });
  observeScheduler(telemetry.metrics, {
    isLeading: () => leader.isLeading,
    routers: () => routes.watchers,
    replicas: () => assignments.size,
    agents: () => dedicated.size,
    routeVersion: () => routes.version,
  });

  const stopping = new AbortController();
  const { signal } = stopping;
  const stateFile = config.stateDirectory === undefined ? {} : { stateFile: join(config.stateDirectory, "policy") };
  const enforcer = {
    addresses: config.authAddresses,
    identity,
    enforcerId: identity.name,
    store: policy,
    ...stateFile,
  };
  const feedOptions = {
    changes,
    clock,
    log: telemetry.log.scope("scheduler.assignments"),
    // Told of every change; the clock only covers what a broken connection misses.
    tickMs: timings.tickMs * feedTicks,
    signal,
  };
  const running = Promise.all([
    followPolicy({ ...enforcer, clock, telemetry, signal }),
    leader.run(signal),
    routes.run(signal),
    assignments.run(feedOptions),
    dedicated.run(feedOptions),
  ]);
  const server = await serveRpc({
    name: "scheduler",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services,
    allowRoles: (service) => allowedRoles.get(service.typeName),
    routes: (router) => {
      const shared = { store, changes, policy, clock };
      router.service(DeploymentService, createDeploymentService({ ...shared, deployments, readLibrary, timings }));
      router.service(FleetService, createFleetService({ ...shared, quarantine }));
      router.service(RouteService, createRouteService(routes));
      router.service(
        ReplicaService,
        createReplicaService({
          assignments,
          dedicated,
          grants: new ReadGrants({ identity, read: readAssignments, clock }),
          identity,
          openReplica: () => replicaAttachment(store, changes, timings),
          openNode: () => nodeAttachment(store, changes, timings),
          recordExits: (exits) => quarantine.record(exits),
          clock,
          log: telemetry.log.scope("scheduler.fleet"),
          renewMs: timings.leaseMs / 4,
          silentMs: timings.silentMs,
          stopping: signal,
        }),
      );
    },
  });
  const ready = () => routes.version !== undefined || "The routes have not been read from the database yet.";
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });
  const kept = cleanup.move();
  return {
    addresses: { rpc: formatAddress(server.address), admin: formatAddress(admin.address) },
    async stop(graceMs) {
      stopping.abort();
      await server.drain(graceMs);
      await running;
      await admin.close();
      await kept.disposeAsync();
    },
    failed: running.then(() => new Promise<never>(() => {})),
  };
}
