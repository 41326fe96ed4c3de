import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { MetricsRegistry } from "./metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { prometheusText } from "./prometheus-text.ts";

/** A gauge's value in what a scrape gets. */
function gauge(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1]);
}

it("says how late the event loop ran, whichever way it is asked", async () => {
  const metrics = new MetricsRegistry();
  using _added = addProcessMetrics(metrics);
  const scrape = () => prometheusText(metrics.families.values(), {}, 0);
  await sleep(600);
  const resting = await scrape();
  // What is late once in a hundred times is no later than what is latest; a millisecond is the histogram's rounding.
  const latest = gauge(resting, "nodejs_eventloop_delay_max_seconds");
  expect(gauge(resting, "nodejs_eventloop_delay_p99_seconds")).toBeLessThanOrEqual(latest + 0.001);
  // The first look after a scrape only begins an interval.
  await sleep(300);
  const until = performance.now() + 800;
  while (performance.now() < until);
  await sleep(150);
  expect(gauge(await scrape(), "nodejs_eventloop_delay_max_seconds")).toBeGreaterThan(0.65);
});
