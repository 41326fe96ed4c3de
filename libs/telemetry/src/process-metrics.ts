import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is looked at, in milliseconds. */
const resolutionMs = 20;

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
      const value = delay.percentile(99) / 1e9;
      return [{ value: Number.isFinite(value) ? value : 0 }];
    },
  );
  metrics.observedGauge(
    "nodejs_eventloop_delay_max_seconds",
    { help: "The longest that a timer was late since the scrape before: for so long nothing else was done." },
    () => {
      const value = Math.max(0, delay.max / 1e9 - resolutionMs / 1000);
      delay.reset();
      return [{ value: Number.isFinite(value) ? value : 0 }];
    },
  );
  return { [Symbol.dispose]: () => delay.disable() };
}
