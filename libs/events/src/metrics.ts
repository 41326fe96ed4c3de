import type { Counter, Histogram, Metrics } from "@aimass/telemetry";

export interface EventMetrics {
  readonly published: Counter;
  readonly handled: Counter;
  readonly failed: Counter;
  readonly refused: Counter;
  readonly delay: Histogram;
}

export function createEventMetrics(metrics: Metrics): EventMetrics {
  return {
    published: metrics.counter("aimass_events_published_total", {
      help: "Events handed from the outbox to the carrier.",
      labels: ["source"],
    }),
    handled: metrics.counter("aimass_events_handled_total", {
      help: "Events a consumer has handled.",
      labels: ["consumer"],
    }),
    failed: metrics.counter("aimass_events_failed_total", {
      help: "Handlers that threw, and lost connections of consumers.",
      labels: ["consumer"],
    }),
    refused: metrics.counter("aimass_events_refused_total", {
      help: "Messages passed over because the service they claim to come from did not sign them, by reason.",
      labels: ["consumer", "reason"],
    }),
    delay: metrics.histogram("aimass_events_delay_seconds", {
      help: "Time from the event to the end of its handling.",
      labels: ["consumer"],
    }),
  };
}
