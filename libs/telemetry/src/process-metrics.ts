import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics } from "./metrics.ts";

/**
 * How often the event loop is looked at, in milliseconds. Each look wakes the process: fifty a second took more of an idle mesh than all that it did. Whatever holds the loop
 * up for longer than this is seen; of what is shorter, the more the longer it is.
 */
const resolutionMs = 100;

/** What every process says about itself: memory, processor time, and how late its event loop runs. */
export function addProcessMetrics(metrics: Metrics): Disposable {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  metrics.observedGauge("process_resident_memory_bytes", { help: "Resident memory of the process." }, () => [
    { value: process.memoryUsage.rss() },
  ]);
  metrics.observedCounter("process_cpu_seconds_total", { help: "Processor time used, user and system." }, () => {
    const { user, system } = process.cpuUsage();
    return [{ value: (user + system) / 1e6 }];
  });
  metrics.observedGauge("process_start_time_seconds", { help: "When the process started, Unix time." }, () => [
    { value: performance.timeOrigin / 1000 },
  ]);
  metrics.observedGauge(
    "nodejs_eventloop_delay_p99_seconds",
    { help: "How late timers fired since the scrape before, 99th percentile." },
    () => {
      return [{ value: lateSeconds(delay.percentile(99)) }];
    },
  );
  metrics.observedGauge(
    "nodejs_eventloop_delay_max_seconds",
    { help: "The longest that a timer was late since the scrape before: for so long nothing else was done." },
    () => {
      const value = lateSeconds(delay.max);
      delay.reset();
      return [{ value }];
    },
  );
  return { [Symbol.dispose]: () => delay.disable() };
}

/** The histogram holds the nanoseconds between two looks; 0 when it has seen none. */
function lateSeconds(betweenNs: number): number {
  const seconds = betweenNs / 1e9 - resolutionMs / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}
