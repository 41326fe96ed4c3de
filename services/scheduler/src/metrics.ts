import type { Counter, Histogram, Metrics } from "@aimass/telemetry";

/** What the scheduler counts. */
export interface SchedulerMetrics {
  readonly passSeconds: Histogram;
  readonly failedPasses: Counter;
  readonly transitions: Counter;
}

/** What is looked at when metrics are read. */
export interface SchedulerView {
  isLeading(): boolean;
  routers(): number;
  replicas(): number;
  agents(): number;
  routeVersion(): bigint | undefined;
}

/** Declares them. */
export function createSchedulerMetrics(metrics: Metrics): SchedulerMetrics {
  return {
    passSeconds: metrics.histogram("aimass_scheduler_pass_seconds", {
      help: "Time of one reconcile pass of the leader.",
    }),
    failedPasses: metrics.counter("aimass_scheduler_failed_passes_total", { help: "Reconcile passes that failed." }),
    transitions: metrics.counter("aimass_scheduler_rollout_transitions_total", {
      help: "Aliases shifted and versions refused, by phase.",
      labels: ["phase"],
    }),
  };
}

/** Declares what is observed. */
export function observeScheduler(metrics: Metrics, view: SchedulerView): void {
  const gauge = (name: string, help: string, read: () => number | undefined) => {
    metrics.observedGauge(name, { help }, () => {
      const value = read();
      return value === undefined ? [] : [{ value }];
    });
  };
  gauge("aimass_scheduler_leading", "1 while this process leads.", () => (view.isLeading() ? 1 : 0));
  gauge("aimass_scheduler_routers", "Routers that watch the routes here.", () => view.routers());
  gauge("aimass_scheduler_replicas", "Replicas attached here.", () => view.replicas());
  gauge("aimass_scheduler_agents", "Agents attached here.", () => view.agents());
  gauge("aimass_scheduler_route_version", "Version of the routes served here.", () => {
    const version = view.routeVersion();
    return version === undefined ? undefined : Number(version);
  });
}
