import { describe, expect, it } from "vitest";
import { MetricsRegistry } from "./metrics.ts";
import { prometheusText } from "./prometheus-text.ts";

const text = (registry: MetricsRegistry) => prometheusText(registry.families.values(), {}, 0);

describe("MetricsRegistry", () => {
  it("counts by label set, whatever the order of the labels, and by bound handle", async () => {
    const registry = new MetricsRegistry();
    const counter = registry.counter("requests_total", { help: "Requests." });
    counter.add(1, { a: "1", b: "2" });
    counter.add(1, { b: "2", a: "1" });
    counter.with({ a: "1", b: "2" }).add(3);
    registry.counter("requests_total", { help: "Requests." }).add();
    const lines = (await text(registry)).split("\n");
    expect(lines).toContain('requests_total{a="1",b="2"} 5');
    expect(lines).toContain("requests_total 1");
    expect(lines).toContain("# TYPE requests_total counter");
  });

  it("puts a value on a bound into the bucket it bounds, and a huge one into +Inf", async () => {
    const registry = new MetricsRegistry();
    const histogram = registry.histogram("wait_seconds", { help: "Wait.", boundaries: [0.1, 1], labels: ["model"] });
    for (const value of [0.05, 0.1, 0.5, 99]) histogram.with({ model: "m" }).record(value);
    const lines = (await text(registry)).split("\n");
    expect(lines).toContain('wait_seconds_bucket{model="m",le="0.1"} 2');
    expect(lines).toContain('wait_seconds_bucket{model="m",le="1"} 3');
    expect(lines).toContain('wait_seconds_bucket{model="m",le="+Inf"} 4');
    expect(lines).toContain('wait_seconds_count{model="m"} 4');
    expect(lines.find((l) => l.startsWith("wait_seconds_sum"))).toMatch(/99\.65/);
  });

  it("asks observed gauges at each scrape, until they are disposed", async () => {
    const registry = new MetricsRegistry();
    let value = 1;
    const observed = registry.observedGauge("depth", { help: "Depth." }, () => [{ value, labels: { q: "x" } }]);
    expect(await text(registry)).toContain('depth{q="x"} 1');
    value = 7;
    expect(await text(registry)).toContain('depth{q="x"} 7');
    observed[Symbol.dispose]();
    expect(await text(registry)).not.toContain("depth{");
  });

  it("holds a bounded number of series and forgets removed ones", async () => {
    const registry = new MetricsRegistry();
    const counter = registry.counter("many_total", { help: "Many.", labels: ["id"] });
    for (let i = 0; i < 3000; i++) counter.add(1, { id: String(i) });
    expect(await text(registry)).toContain('many_total{otel_metric_overflow="true"} 1000');
    counter.remove({ id: "5" });
    expect(await text(registry)).not.toContain('many_total{id="5"}');
  });

  it("refuses one name for two kinds", () => {
    const registry = new MetricsRegistry();
    registry.counter("x", { help: "" });
    expect(() => registry.gauge("x", { help: "" })).toThrow("is a counter already");
  });
});
