import type { Counter, Histogram, Metrics } from "@aimass/telemetry";

/** What the trainer counts. */
export interface TrainerMetrics {
  readonly attempts: Counter;
  readonly seconds: Histogram;
  readonly waits: Histogram;
}

export function createTrainerMetrics(metrics: Metrics): TrainerMetrics {
  return {
    attempts: metrics.counter("aimass_trainer_attempts_total", {
      help: "Attempts at jobs that ended, by recipe and outcome.",
      labels: ["recipe", "outcome"],
    }),
    seconds: metrics.histogram("aimass_trainer_attempt_seconds", {
      help: "How long attempts took.",
      labels: ["recipe"],
      boundaries: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
    }),
    waits: metrics.histogram("aimass_trainer_wait_seconds", {
      help: "How long jobs waited for their first attempt.",
      boundaries: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400],
    }),
  };
}
