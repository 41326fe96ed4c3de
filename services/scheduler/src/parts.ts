import type { Clock } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { PolicyStore, type ServiceIdentity } from "@aimass/identity";
import type { Telemetry } from "@aimass/telemetry";
import { assignmentsFrom, dedicatedFrom, WantedFeed } from "./assignments/wanted-feed.ts";
import type { Changes } from "./changes.ts";
import type { SchedulerConfig } from "./config.ts";
import type { SchedulerStore } from "./database.ts";
import { Deployments } from "./deployments/postgres-deployments.ts";
import { Leader } from "./leader/leader.ts";
import { registryLibrary } from "./library/registry-library.ts";
import { createSchedulerMetrics, observeScheduler } from "./metrics.ts";
import { Quarantine } from "./quarantine/postgres-quarantine.ts";
import { RouteFeed } from "./routes/route-feed.ts";

/** What the parts stand on. */
export interface Ground {
  readonly config: SchedulerConfig;
  readonly clock: Clock;
  readonly identity: ServiceIdentity;
  readonly telemetry: Telemetry;
  readonly store: SchedulerStore;
  readonly bus: EventBus;
  readonly changes: Changes;
}

/** The parts of the service, put together. Nothing runs yet. */
export type Parts = ReturnType<typeof createParts>;

/** Ticks between two looks of what follows the leader: it is told of every change, the clock only covers what a broken connection misses. */
const feedTicks = 10;

export function createParts(ground: Ground) {
  const { config, clock, identity, telemetry, store, bus, changes } = ground;
  const { timings } = config;
  const readLibrary = registryLibrary({ addresses: config.registryAddresses, identity, telemetry });
  const deployments = new Deployments(store, changes, bus);
  const feedTickMs = timings.tickMs * feedTicks;
  const log = telemetry.log.scope("scheduler.routes");
  const routes = new RouteFeed({ store, changes, clock, log, ...timings, tickMs: feedTickMs });
  const readAssignments = assignmentsFrom(store);
  const assignments = new WantedFeed(readAssignments);
  const dedicated = new WantedFeed(dedicatedFrom(store));
  const leader = new Leader({
    store,
    changes,
    bus,
    deployments,
    readLibrary,
    holder: identity.name,
    clock,
    log: telemetry.log.scope("scheduler.leader"),
    metrics: createSchedulerMetrics(telemetry.metrics),
    timings,
  });
  observeScheduler(telemetry.metrics, {
    isLeading: () => leader.isLeading,
    routers: () => routes.watchers,
    replicas: () => assignments.size,
    agents: () => dedicated.size,
    routeVersion: () => routes.version,
  });
  return {
    ...ground,
    ...{ readLibrary, deployments, routes, readAssignments, assignments, dedicated, feedTickMs, leader },
    policy: new PolicyStore({ identity, clock }),
    quarantine: new Quarantine(store, changes, bus),
  };
}
