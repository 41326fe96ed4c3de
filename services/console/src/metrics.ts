import type { Counter, Metrics } from "@aimass/telemetry";

/** What the console counts. */
export interface ConsoleMetrics {
  readonly requests: Counter;
}

export function createConsoleMetrics(metrics: Metrics): ConsoleMetrics {
  return {
    requests: metrics.counter("aimass_console_requests_total", {
      help: "Requests answered.",
      labels: ["kind", "status"],
    }),
  };
}
